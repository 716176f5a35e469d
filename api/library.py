"""The scenarios at hand: those that come with the program and any file by path."""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from simulator.errors import ScenarioError
from simulator.scenario import Scenario, load_scenario
from simulator.scenario.compose import composed


@dataclass(frozen=True, slots=True)
class ScenarioFile:
    """A scenario and the file it came from."""

    path: Path
    scenario: Scenario


def library_folder() -> Path:
    """Return the folder of the scenarios that come with the program."""
    checkout = Path(__file__).resolve().parent.parent / "scenarios"
    packaged = Path(str(resources.files("api"))) / "data" / "scenarios"
    return packaged if packaged.is_dir() else checkout


def find_scenario(name: str) -> ScenarioFile:
    """Return a scenario by path or by its name in the library.

    Raises:
        ScenarioError: there is none, or the file is wrong.
    """
    path = Path(name)
    if path.is_dir():
        raise ScenarioError(f"{name} is a folder; give a scenario file")
    if not path.is_file():
        path = library_folder() / f"{name.removesuffix('.yaml')}.yaml"
    if not path.is_file():
        known = ", ".join(item.stem for item in _files())
        raise ScenarioError(f"no scenario {name!r}: give a file, or one of {known}")
    return ScenarioFile(path, load_scenario(path))


def with_parts(scenario: Scenario, source: Path, seen: tuple[str, ...] = ()) -> Scenario:
    """Return a scenario with everything its `compose` list names in it.

    Args:
        scenario: The scenario; returned as it is when it has no such list.
        source: Its file; a part is looked for beside it, then in the library.
        seen: Scenarios on the way here, by name; none may come again.

    Raises:
        ScenarioError: a part does not exist, is wrong or contains itself.
    """
    if not scenario.compose:
        return scenario
    here = (*seen, scenario.name)
    parts = []
    for place, item in enumerate(scenario.compose):
        beside = source.parent / f"{item.scenario.removesuffix('.yaml')}.yaml"
        try:
            file = find_scenario(str(beside) if beside.is_file() else item.scenario)
        except ScenarioError as error:
            raise ScenarioError(f"{source}: compose.{place}.scenario: {error}") from error
        if file.scenario.name in here:
            raise ScenarioError(
                f"{source}: compose.{place}.scenario: {' > '.join((*here, file.scenario.name))} "
                "contains itself; remove one"
            )
        parts.append((with_parts(file.scenario, file.path, here), item.offset))
    return composed(scenario, parts, str(source))


def library() -> Iterator[ScenarioFile]:
    """Yield the scenarios of the library by name."""
    for path in _files():
        yield ScenarioFile(path, load_scenario(path))


def _files() -> list[Path]:
    return sorted(library_folder().glob("*.yaml"))
