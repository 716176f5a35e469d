"""A gathering that a scenario registers makes the incident beside it weigh more."""

import msgspec

from api.detection.lean import run_lean
from api.library import find_scenario
from api.plan import plan_run
from pipeline.rules import default_rules
from simulator.scenario import PermitSpec
from tests.unit.detection_runs import SHORT


def found_with(kind: str) -> set[str]:
    """Run the short burst with a permit where it happens; return the models that spoke."""
    file = find_scenario(SHORT)
    row = {"id": "G1", "kind": kind, "incident": "B1", "duration": "6h"}
    permit = PermitSpec.model_validate(row)
    scenario = file.scenario.model_copy(update={"permits": (permit,)})
    entries = run_lean(plan_run(scenario, file.path), default_rules()).entries
    text = b"".join(msgspec.json.encode(entry.data) for entry in entries).decode()
    return {model for model in ("any.crowd", "gathering_near") if model in text}


def test_a_gathering_of_the_scenario_is_a_consequence_and_digging_is_none() -> None:
    assert found_with("gathering")
    assert not found_with("digging")
