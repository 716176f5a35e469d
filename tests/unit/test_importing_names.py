"""Names of devices and areas in any script keep ids of their own; tables and labels find them."""

from pathlib import Path

import pytest

from api.importing.errors import MappingError
from api.importing.ids import plain_id
from api.replaying.source import Recording
from sensors.transports.topics import check_segment
from tests.unit.test_importing import LONG, imported

EAST, WEST = "\u57ce\u4e1c", "\u57ce\u897f"
PRESSURE = {"kind": "network_pressure"}
AT = "2025-03-03T0{}:00:00Z"


def rows(*names: str) -> str:
    """Return a long table with three samples of each name."""
    lines = [f"{AT.format(hour)},{name},0.3" for hour in range(3) for name in names]
    return "\n".join(["t,d,v", *lines, ""])


def test_names_in_chinese_keep_ids_of_their_own(tmp_path: Path) -> None:
    devices = [{"match": f"{area}*", "area": area, **PRESSURE} for area in (EAST, WEST)]
    names = (f"{EAST}1", f"{EAST}2", f"{WEST}1")
    done = imported(tmp_path, LONG | {"devices": devices}, rows(*names))
    recording = Recording.open(done.out)
    areas = recording.registry.texts("area")
    assert len(set(recording.registry.ids)) == 3
    assert len(set(areas)) == 2
    for part in (*areas, *recording.registry.ids, *recording.registry.texts("gateway")):
        assert check_segment(part) == part
    assert sorted(recording.registry.texts("element")) == sorted(names)
    assert {row["name"] for row in recording.city.rows("areas")} == {EAST, WEST}


def test_plain_names_keep_the_ids_they_had() -> None:
    names = ("PT-101", "P 1", " a/b#+ ", "##", "Pump \u2103")
    assert [plain_id(name) for name in names] == ["PT-101", "P-1", "a-b", "device", "Pump"]


def test_two_areas_with_one_id_are_refused_by_name(tmp_path: Path) -> None:
    devices = [
        {"match": "A", "area": "North Zone", **PRESSURE},
        {"area": "North/Zone", **PRESSURE},
    ]
    told = r"devices\[1\]: area 'North/Zone': has the id 'North-Zone' of area 'North Zone'"
    with pytest.raises(MappingError, match=told):
        imported(tmp_path, LONG | {"devices": devices}, rows("A", "B"))


@pytest.mark.parametrize("name", ["North Zone", "North-Zone"])
def test_a_label_names_its_area_as_the_mapping_or_the_city_does(name: str, tmp_path: Path) -> None:
    devices = [
        {"match": "A", "area": "North Zone", **PRESSURE},
        {"area": "South Zone", **PRESSURE},
    ]
    (tmp_path / "ev.csv").write_text(f"a,b\n{AT.format(1)},{AT.format(2)}\n", encoding="utf-8")
    labels = [{"file": "ev.csv", "start": "a", "end": "b", "area": name}]
    done = imported(tmp_path, LONG | {"devices": devices, "labels": labels}, rows("A", "B"))
    assert [one.area for one in done.truths] == ["North-Zone"]


TABLES = [
    ("device,area\nA,N\nA,S\n", r"dt.csv: line 3: device 'A': stands in line 2 too; remove one"),
    ("device,area\nA,N,1\n", r"dt.csv: line 2: has more fields than the head"),
    ("device,lon\nA,11.5\n", r"dt.csv: line 2: lon = 11.5: give lon and lat, or neither"),
    ("device,y_m\nA,7\n", r"dt.csv: line 2: y_m = 7: give x_m and y_m, or neither"),
]


@pytest.mark.parametrize(("table", "told"), TABLES)
def test_a_mistake_in_the_table_of_devices_is_refused(
    table: str, told: str, tmp_path: Path
) -> None:
    (tmp_path / "dt.csv").write_text(table, encoding="utf-8")
    with pytest.raises(MappingError, match=told):
        imported(tmp_path, LONG | {"devices_table": "dt.csv"}, rows("A", "B"))


@pytest.mark.parametrize("content", [f"device;area;x_m;y_m\nA;{EAST};1,5;2\n", None])
def test_the_table_of_devices_may_be_written_as_the_data_or_plainly(
    content: str | None, tmp_path: Path
) -> None:
    text = content.encode("gbk") if content else f"device,area,x_m,y_m\nA,{EAST},1.5,2\n".encode()
    (tmp_path / "dt.csv").write_bytes(text)
    csv = {"delimiter": ";", "decimal": ",", "encoding": "gbk"}
    mapping = LONG | {"devices_table": "dt.csv", "csv": csv}
    done = imported(tmp_path, mapping, rows("A").replace(",", ";").replace("0.3", "0,3"))
    assert done.registry.texts("area") == [plain_id(EAST)]
    assert done.registry.numbers("x_m").tolist() == [1.5]


def test_a_column_without_a_name_is_no_key(tmp_path: Path) -> None:
    (tmp_path / "dt.csv").write_text(",device,area\n0,A,N\n", encoding="utf-8")
    done = imported(tmp_path, LONG | {"devices_table": "dt.csv"}, rows("A"))
    assert done.registry.texts("area") == ["N"]


def test_devices_of_the_table_that_the_data_has_not_are_told(tmp_path: Path) -> None:
    (tmp_path / "dt.csv").write_text("device,area\nA,N\nPT-9,N\n", encoding="utf-8")
    done = imported(tmp_path, LONG | {"devices_table": "dt.csv"}, rows("A", "B"))
    [note] = done.counts.notes
    assert note.startswith("devices_table: 1 of its devices are not in the data: 'PT-9'")
