"""The same scenario at other places: every pick of an element follows the run's seed."""

from api.library import ScenarioFile, with_parts
from simulator.scenario import PickSpec, Scenario

PLACES = ("moved", "filed")
"""`moved`: picked elements differ from seed to seed; `filed`: they are as the file says."""


def placed(file: ScenarioFile, seed: int, places: str = "moved") -> Scenario:
    """Return a scenario with all its parts, its picks moved by a run's seed.

    Thirty seeds at one place are one place seen thirty times; what is asked for is how well the
    *kind* of event is found. Named elements, storms and times stay.

    Args:
        file: The scenario and where it is from.
        seed: Seed of the run.
        places: One of `PLACES`.

    Raises:
        ScenarioError: a part of the scenario is missing or wrong.
    """
    scenario = with_parts(file.scenario, file.path)
    if places == "filed":
        return scenario
    incidents = tuple(
        item.model_copy(update={"element": _moved(item.element, seed)})
        if isinstance(item.element, PickSpec)
        else item
        for item in scenario.incidents
    )
    return scenario.model_copy(update={"incidents": incidents})


def _moved(pick: PickSpec, seed: int) -> PickSpec:
    return pick.model_copy(update={"seed": pick.seed + 1000 * seed})
