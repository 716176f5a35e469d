"""`tocsin city`: whole cities, checks, maps, imports with districts and assets."""

import json
import re
from pathlib import Path

import pytest

from api.cli import app
from api.commands.errors import run_guarded
from sensors.city import City

SMALL_SWMM = """[JUNCTIONS]
A 10 2 0 0 0
[OUTFALLS]
O 9 FREE NO
[CONDUITS]
C A O 100 0.013 0 0 0 0
[XSECTIONS]
C CIRCULAR 0.5 0 0 0
[COORDINATES]
A 0 0
O 100 0
"""


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")


def tocsin(*arguments: str) -> int:
    return run_guarded(lambda **options: app(list(arguments), prog_name="tocsin", **options))


def geojson(file: str, shape: str, coordinates: object, /, **properties: object) -> str:
    geometry = {"type": shape, "coordinates": coordinates}
    feature = {"type": "Feature", "geometry": geometry, "properties": properties}
    content = {"type": "FeatureCollection", "features": [feature]}
    Path(file).write_text(json.dumps(content), encoding="utf-8")
    return file


def test_a_whole_city_is_generated_shown_and_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    assert tocsin("city", "generate", "--corners", "80", "--seed", "3") == 0
    generated = capsys.readouterr().out
    assert generated.startswith("City 3 (city3) in cities/city3\n")
    rows = [line.split() for line in generated.splitlines()]
    assert ["nodes", "road", "corner", "80"] in rows
    assert any(row[:3] == ["devices", "gas", "manhole_methane"] for row in rows)
    assert "24,000 people" in generated
    assert tocsin("city", "show", "cities/city3", "--map", "map.png") == 0
    assert capsys.readouterr().out == f"{generated}map: map.png\n"
    assert Path("map.png").read_bytes().startswith(b"\x89PNG")


def test_a_check_prints_one_line_a_seed(capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--corners", "60", "--seeds", "2", "--first", "4", "--no-storm")
    assert tocsin("city", "check", *options) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" (")[0] for line in lines] == [
        "seed 4: passed",
        "seed 5: passed",
        "2 of 2 passed",
    ]


def test_a_check_that_fails_says_why_and_returns_1(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simulator.city.check.LOW_PRESSURE_KPA", (2.7, 2.8))
    assert tocsin("city", "check", "--corners", "60", "--seeds", "1", "--no-storm") == 1
    printed = capsys.readouterr().out
    assert re.search(r"seed 1: gas: low pressure beyond .*\n0 of 1 passed", printed)


def test_districts_and_assets_come_with_an_import() -> None:
    tocsin("city", "generate", "--junctions", "40", "--out", "town")
    ring = [[-9e4, -9e4], [9e4, -9e4], [9e4, 9e4], [-9e4, 9e4], [-9e4, -9e4]]
    zones = geojson("zones.geojson", "Polygon", [ring], id="mid", name="Middle")
    points = geojson("points.geojson", "Point", [300.0, 200.0], id="mill", kind="workshop")
    files = ("--districts", zones, "--assets", points)
    assert tocsin("city", "import", "town/networks/water.inp", "--out", "new", *files) == 0
    city = City.load(Path("new"))
    assert [row["name"] for row in city.rows("districts")] == ["Middle"]
    assert {row["district"] for row in city.rows("areas")} == {"mid"}
    assert "mill" in {row["id"] for row in city.rows("assets")}


def test_a_swmm_file_becomes_a_drainage_city() -> None:
    Path("drains.inp").write_text(SMALL_SWMM, encoding="utf-8")
    assert tocsin("city", "import", "drains.inp", "--out", "drains") == 0
    assert set(City.load(Path("drains")).networks) == {"flood"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("generate", "--size", "big"), "--size big: use one of town, city, metropolis"),
        (("generate", "--size", "town", "--corners", "90"), "--size and --corners: give one"),
        (("generate", "--corners", "20"), "'--corners'.*20"),
        (("generate", "--corners", "60", "--profile", "huge"), "profile: no 'huge'"),
        (("import", "drains.inp", "--districts", "no.geojson"), "no.geojson does not exist"),
        (("import", "drains.inp", "--assets", "drains.inp"), "drains.inp: not valid JSON"),
        (("import", "drains.inp", "--origin", "here"), "--origin here: give LON,LAT"),
        (("import", "drains.inp", "--origin", "0,95"), "latitude below 90"),
    ],
)
def test_a_mistake_is_one_line_and_2(
    arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("drains.inp").write_text(SMALL_SWMM, encoding="utf-8")
    assert tocsin("city", *arguments) == 2
    printed = capsys.readouterr().err
    assert re.search(message, printed)
    assert printed.count("\n") == 1
