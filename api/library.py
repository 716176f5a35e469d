"""The scenarios at hand: those that come with the program and any file by path."""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from simulator.errors import ScenarioError
from simulator.scenario import Scenario, load_scenario


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


def library() -> Iterator[ScenarioFile]:
    """Yield the scenarios of the library by name."""
    for path in _files():
        yield ScenarioFile(path, load_scenario(path))


def _files() -> list[Path]:
    return sorted(library_folder().glob("*.yaml"))
