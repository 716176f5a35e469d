"""The wheel is whole: installed alone into a clean environment and run from another folder."""

import json
import os
import re
import subprocess
import sys
import sysconfig
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGES = ("sensors", "simulator", "pipeline", "api")

pytestmark = [pytest.mark.system, pytest.mark.slow]

WHERE = """
import importlib.metadata, importlib.resources, json, sys
names = ("sensors", "simulator", "pipeline", "api")
owners = importlib.metadata.packages_distributions()
print(json.dumps({
    "owners": {name: sorted(set(owners.get(name, []))) for name in names},
    "folders": {name: str(importlib.resources.files(name)) for name in names},
    "points": sorted(f"{point.group}:{point.name}" for group in
        ("tocsin.physics", "tocsin.codecs", "tocsin.devices")
        for point in importlib.metadata.entry_points(group=group) if point.load()),
    "path": sys.path,
}))
"""


def run(*command: str | Path, folder: Path) -> str:
    """Run a command in `folder` without our checkout in its environment; return its output."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    finished = subprocess.run(
        command, cwd=folder, env=plain, capture_output=True, text=True, check=False, timeout=100
    )
    assert finished.returncode == 0, f"{command}\n{finished.stdout}\n{finished.stderr}"
    return finished.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the wheel, built from the checkout."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, folder=ROOT)
    [built] = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def clean_python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the Python of a new environment that holds the wheel and nothing else of ours.

    The locked dependencies are lent by a path entry. Python does not read `.pth` files in a
    folder named by one, so an editable install beside them has no say, and what the wheel
    installed comes first on the path.
    """
    folder = tmp_path_factory.mktemp("clean")
    run(sys.executable, "-m", "venv", "--without-pip", folder, folder=folder)
    python = folder / "bin" / "python"
    pip = (sys.executable, "-m", "pip", "--python", python, "install", "--quiet")
    run(*pip, "--no-deps", "--no-index", "--no-compile", wheel, folder=folder)
    [packages] = folder.glob("lib/python*/site-packages")
    (packages / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return python


def test_the_wheel_holds_the_four_packages_and_their_data(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    top = {name.split("/")[0] for name in names}
    assert {name for name in top if not name.endswith(".dist-info")} == set(PACKAGES)
    wanted = {
        file.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for file in (ROOT / package).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    wanted |= {f"api/data/scenarios/{file.name}" for file in (ROOT / "scenarios").glob("*.yaml")}
    assert wanted - names == set()
    assert names >= {
        "pipeline/rules/sets/national.yaml",
        "pipeline/warn/coupling/models.json",
        "pipeline/report/cap.yaml",
        "pipeline/dispatch/plans.json",
        "api/importing/units.yaml",
        "api/detection/hazards.yaml",
    }
    assert any(re.fullmatch(r"api/data/scenarios/.+\.yaml", name) for name in names)
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


def test_the_wheel_asks_for_locked_packages_only(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        [metadata] = [name for name in archive.namelist() if name.endswith("dist-info/METADATA")]
        head = Parser().parsestr(archive.read(metadata).decode())
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    needs = [Requirement(line) for line in head.get_all("Requires-Dist", [])]
    asked = [one.name for one in needs if "extra ==" not in str(one.marker)]
    assert asked
    assert [name for name in asked if not re.search(f"^{name}==", lock, re.MULTILINE)] == []


def test_the_packages_of_an_installed_wheel_are_ours_alone(
    clean_python: Path, tmp_path: Path
) -> None:
    found = json.loads(run(clean_python, "-c", WHERE, folder=tmp_path))
    assert found["owners"] == {name: ["tocsin"] for name in PACKAGES}
    home = str(clean_python.parent.parent)
    assert all(folder.startswith(home) for folder in found["folders"].values())
    assert str(ROOT) not in found["path"]
    assert {point.split(":")[0] for point in found["points"]} == {
        "tocsin.physics",
        "tocsin.codecs",
        "tocsin.devices",
    }


def test_the_installed_command_explains_itself_from_another_folder(
    clean_python: Path, tmp_path: Path
) -> None:
    shown = run(clean_python.parent / "tocsin", "--help", folder=tmp_path)
    for command in ("run", "demo", "simulate", "pipeline", "serve", "doctor"):
        assert re.search(rf"\b{command}\b", shown), f"{command} is missing from the help"


def test_the_installed_command_knows_the_scenarios_it_was_shipped_with(
    clean_python: Path, tmp_path: Path
) -> None:
    shown = run(clean_python.parent / "tocsin", "scenarios", "list", folder=tmp_path)
    shipped = [file.stem for file in (ROOT / "scenarios").glob("*.yaml")]
    assert shipped
    assert [name for name in shipped if name not in shown] == []
