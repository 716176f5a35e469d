"""The shape of the code: layers, no cycles, one file one idea, randomness in one place."""

import ast
import importlib.metadata
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import grimp
import networkx as nx
import pytest

from docs.map import PACKAGES, ROOT, modules, purpose, render, replaced

WIRE = "The world and the platform meet only on the wire"
PIPELINE = (
    "Pipeline: runners and adapters over the loop, the loop over seven rooms that do not see"
    " each other"
)
SIMULATOR = "Simulator: the world over its parts"
HAZARDS = "Hazards do not see each other"
SENSORS = "Sensors: wire over model"
CORE = "The core does no I/O and reads no clock"

LINT = "from importlinter.cli import lint_imports_command; lint_imports_command()"

MODULES = [file.relative_to(ROOT) for file in modules(ROOT)]


def broken_contracts(tree: Path) -> list[str]:
    """Return the names of the contracts that the packages in `tree` break."""
    finished = subprocess.run(
        [sys.executable, "-c", LINT, "--no-logo", "--no-cache"],
        cwd=tree,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "COLUMNS": "300", "NO_COLOR": "1", "PYTHONDONTWRITEBYTECODE": "1"},
    )
    lines = finished.stdout.splitlines()
    assert any(line.startswith("Contracts: ") for line in lines), finished.stdout
    return [line.removesuffix(" BROKEN") for line in lines if line.endswith(" BROKEN")]


@pytest.fixture(scope="module")
def copied_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the four packages and their contracts, to plant violations in."""
    tree = tmp_path_factory.mktemp("planted")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tree / package, ignore=shutil.ignore_patterns("*.pyc"))
    shutil.copy(ROOT / "pyproject.toml", tree)
    return tree


def test_every_contract_is_kept() -> None:
    assert broken_contracts(ROOT) == []


PLANTED = {
    "the world imports the platform": ("simulator/incidents", "import pipeline.messages", WIRE),
    "the platform imports the world": ("pipeline/assess", "import simulator.physics", WIRE),
    "the wire imports the front desk": ("sensors/transports", "import api", WIRE),
    "a room sees its neighbour": ("pipeline/warn", "import pipeline.assess", PIPELINE),
    "a room sees the loop": ("pipeline/report", "import pipeline.loop", PIPELINE),
    "an incident sees the world": ("simulator/incidents", "import simulator.world", SIMULATOR),
    "physics sees the city": ("simulator/physics/water", "import simulator.city", SIMULATOR),
    "a codec sees a transport": ("sensors/codecs", "import sensors.transports", SENSORS),
    "a room reads the clock": ("pipeline/monitor", "import time", CORE),
    "a room opens a database": ("pipeline/supervise", "from sqlite3 import connect", CORE),
    "physics draws from the global source": ("simulator/physics/water", "import random", CORE),
    "a codec starts a thread": ("sensors/codecs", "from threading import Thread", CORE),
}


@pytest.mark.parametrize(("room", "line", "contract"), PLANTED.values(), ids=PLANTED)
def test_a_planted_import_breaks_exactly_its_contract(
    copied_tree: Path, room: str, line: str, contract: str
) -> None:
    planted = copied_tree / room / "planted.py"
    planted.write_text(f"{line}\n", encoding="utf-8")
    try:
        assert broken_contracts(copied_tree) == [contract]
    finally:
        planted.unlink()


UNPLACED = {
    "pipeline/gossip.py": PIPELINE,
    "simulator/gossip.py": SIMULATOR,
    "sensors/gossip.py": SENSORS,
}


@pytest.mark.parametrize(("module", "contract"), UNPLACED.items())
def test_a_module_without_a_layer_breaks_the_contract_of_its_package(
    copied_tree: Path, module: str, contract: str
) -> None:
    planted = copied_tree / module
    planted.write_text("", encoding="utf-8")
    try:
        assert broken_contracts(copied_tree) == [contract]
    finally:
        planted.unlink()


def test_what_hazards_share_may_not_import_a_hazard(copied_tree: Path) -> None:
    shared = copied_tree / "simulator" / "physics" / "base.py"
    before = shared.read_text(encoding="utf-8")
    shared.write_text(f"{before}\nimport simulator.physics.water\n", encoding="utf-8")
    try:
        assert broken_contracts(copied_tree) == [HAZARDS]
    finally:
        shared.write_text(before, encoding="utf-8")


def test_every_contract_has_a_planted_violation() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = {item["name"] for item in settings["tool"]["importlinter"]["contracts"]}
    assert contracts == {contract for _, _, contract in PLANTED.values()} | {HAZARDS}


def test_no_module_imports_itself_by_a_detour() -> None:
    graph = grimp.build_graph(*PACKAGES, cache_dir=None)
    imports = nx.DiGraph(
        (importer, imported)
        for importer in graph.modules
        for imported in graph.find_modules_directly_imported_by(importer)
    )
    assert [
        sorted(loop) for loop in nx.strongly_connected_components(imports) if len(loop) > 1
    ] == []


def test_every_module_says_in_one_sentence_what_it_is_for() -> None:
    lines = {file.as_posix(): purpose(ROOT / file) for file in MODULES}
    assert {file: line for file, line in lines.items() if not line.endswith(".")} == {}
    barred = [file for file, line in lines.items() if "|" in line]
    assert barred == [], "the line goes into a table and cannot hold a bar"


def test_no_module_has_more_than_400_lines() -> None:
    lengths = {
        file.as_posix(): len((ROOT / file).read_text(encoding="utf-8").splitlines())
        for file in MODULES
    }
    assert {file: length for file, length in lengths.items() if length > 400} == {}


def test_the_map_in_the_architecture_page_is_what_the_docstrings_say() -> None:
    page = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    assert page == replaced(page, render(ROOT)), "run `make docs`"


@pytest.mark.parametrize("package", PACKAGES)
def test_no_other_distribution_provides_a_package_of_ours(package: str) -> None:
    owners = importlib.metadata.packages_distributions().get(package, [])
    assert set(owners) <= {"tocsin"}


def generators_made(source: str) -> list[str]:
    """Return the names through which `source` makes random numbers of its own."""
    found = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                found += [item.name for item in names if item.name in ("random", "secrets")]
            case ast.ImportFrom(module="random" | "secrets" | "numpy.random", names=names):
                found += [item.name for item in names if item.name != "Generator"]
            case ast.Call(func=ast.Attribute(value=ast.Attribute(attr="random"), attr=name)):
                found.append(name)
            case ast.Call(func=ast.Name(id="Generator" | "default_rng" as name)):
                found.append(name)
    return found


@pytest.mark.parametrize(
    "source",
    [
        "import random",
        "from random import gauss",
        "from numpy.random import default_rng",
        "np.random.default_rng(7)",
        "numpy.random.normal(0.0, 1.0)",
        "np.random.Generator(bits)",
        "from numpy.random import Generator\nGenerator(bits)",
    ],
)
def test_a_generator_made_anywhere_is_noticed(source: str) -> None:
    assert generators_made(source)


def test_a_generator_named_as_a_type_is_no_generator_made() -> None:
    assert not generators_made("def draw(rng: np.random.Generator) -> float: ...")


def test_only_the_room_for_randomness_makes_generators() -> None:
    makers = [
        file.as_posix()
        for file in MODULES
        if generators_made((ROOT / file).read_text(encoding="utf-8"))
    ]
    assert makers == ["simulator/randomness.py"]
