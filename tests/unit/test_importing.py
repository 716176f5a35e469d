"""Series of real devices: long and wide, any zone and unit, dirty, labelled; and what is told."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from api.importing.errors import MappingError
from api.importing.mapping import parsed
from api.importing.units import factor, units
from api.importing.writing import Imported, import_series
from api.replaying.source import Recording
from sensors.quantities import QUANTITIES

EXAMPLE = Path(__file__).parents[2] / "examples" / "import"
LONG = {
    "format": 1,
    "name": "site",
    "time": {"column": "t"},
    "device": "d",
    "value": "v",
    "devices": [{"kind": "network_pressure"}],
}
WIDE = {key: value for key, value in LONG.items() if key not in ("device", "value")}


def imported(folder: Path, mapping: dict, data: str | pa.Table, name: str = "data.csv") -> Imported:
    """Import one file by a mapping given as a tree."""
    (folder / "map.yaml").write_text(yaml.safe_dump(mapping), encoding="utf-8")
    file = folder / name
    if isinstance(data, str):
        file.write_text(data, encoding="utf-8")
    else:
        pq.write_table(data, file)
    return import_series(folder / "map.yaml", [file], folder / "out")


def readings(done: Imported) -> list[tuple[str, int, float]]:
    """Return (device, time, value) of a recording."""
    batch = Recording.open(done.out).reader.readings()
    ids = done.registry.ids
    rows = zip(batch.device.tolist(), batch.time_ms.tolist(), batch.value.tolist(), strict=True)
    return [(ids[device], time_ms, value) for device, time_ms, value in rows]


def test_a_dirty_long_table_loses_nothing_silently(tmp_path: Path) -> None:
    text = (
        "t,d,v\n"
        "2025-03-01T00:00:00Z,A,0.30\n"
        "2025-03-01T00:05:00Z,A,\n"  # missing
        "2025-03-01T00:05:00Z,B,Bad\n"  # no number
        "2025-03-01T00:10:00Z,A,0.31\n"
        "2025-03-01T00:10:00Z,A,0.31\n"  # repeated
        "2025-03-01T00:15:00Z,A,1e6\n"  # wild
        "yesterday,A,0.3\n"  # no moment
        "1970-01-01T00:00:00Z,A,0.3\n"  # an absurd one
        "2025-03-01T00:20:00Z,B,0.29\n"
        "2025-03-01T00:00:00Z,B,0.28\n"  # out of order
        "2025-03-01T00:20:00Z,,0.29\n"  # no device
        "half a line\n"
    )
    done = imported(tmp_path, LONG, text)
    counts = done.counts
    assert (counts.rows, counts.missing, counts.duplicates) == (11, 2, 1)
    assert (counts.out_of_range, counts.out_of_order, counts.ragged) == (1, 1, 1)
    assert (counts.no_time, counts.wild_time, counts.no_device) == (1, 1, 1)
    found = readings(done)
    assert len(found) == counts.rows - 3 == done.summary()["readings"]["published"]
    assert sum(np.isnan(value) for *_, value in found) == 2
    assert max(value for *_, value in found if value == value) == 1e6


@pytest.mark.parametrize(
    ("format_", "zone", "written"),
    [
        ("iso", "UTC", "2025-07-01T06:00:00Z"),
        ("iso", "UTC", "2025-07-01 06:00"),
        ("iso", "Asia/Shanghai", "2025-07-01 14:00:00.000"),
        ("iso", "UTC", "2025-07-01T02:00:00-0400"),
        ("%d.%m.%y %H:%M:%S", "Europe/Berlin", "01.07.25 08:00:00"),
        ("epoch_s", "UTC", "1751349600"),
        ("epoch_ms", "UTC", "1751349600000"),
    ],
)
def test_every_spelling_of_a_moment_is_the_same_event_time(
    format_: str, zone: str, written: str, tmp_path: Path
) -> None:
    time = {"column": "t", "format": format_, "zone": zone}
    done = imported(tmp_path, LONG | {"time": time}, f"t,d,v\n{written},A,0.3\n")
    assert readings(done) == [("A", 1_751_349_600_000, 0.3)]


def test_the_site_profile_of_a_device_is_kept(tmp_path: Path) -> None:
    devices = [{"match": "H*", "kind": "hydrant_pressure", "profile": "public"}]
    mapping = {**LONG, "devices": [*devices, {"kind": "network_pressure"}]}
    text = "t,d,v\n" + "".join(
        f"2025-03-01T0{hour}:00:00Z,{name},0.3\n" for hour in range(4) for name in ("H1", "P1")
    )
    registry = imported(tmp_path, mapping, text).registry
    assert dict(zip(registry.ids, registry.texts("profile"), strict=True)) == {
        "H1": "public",
        "P1": "",
    }


def test_an_hour_that_summer_time_repeats_is_taken_as_the_first(tmp_path: Path) -> None:
    time = {"column": "t", "zone": "Europe/Berlin"}
    text = "t,d,v\n2025-10-26 02:30:00,A,0.3\n2025-10-26 03:30:00,A,0.3\n"
    done = imported(tmp_path, LONG | {"time": time}, text)
    first, second = (time_ms for _, time_ms, _ in readings(done))
    assert second - first == 2 * 3_600_000


def test_an_absurd_row_of_a_wide_table_is_left_out_with_all_its_values(tmp_path: Path) -> None:
    rows = [f"2025-03-01T00:{minute:02d}:00Z,0.30,0.31,0.32" for minute in range(0, 60, 5)]
    done = imported(tmp_path, WIDE, "\n".join(["t,A,B,C", *rows, "1970-01-01T00:00:00Z,1,1,1", ""]))
    assert done.counts.wild_time == 3
    assert len(readings(done)) == 36


def test_wide_parquet_with_units_offset_and_counters(tmp_path: Path) -> None:
    start = np.datetime64("2025-05-01T00:00:00")
    moments = start + np.arange(4) * np.timedelta64(600, "s")
    table = pa.table(
        {
            "t": pa.array(moments, pa.timestamp("ms", "UTC")),
            "P 1": [50.0, 51.0, np.nan, 52.0],
            "Well": [1.0, 1.5, 2.0, 2.5],
            "Rain": [0.0, 0.1, np.nan, 0.2],
            "note": ["a", "b", "c", "d"],
        }
    )
    devices = [
        {"match": "P*", "kind": "network_pressure", "unit": "psi"},
        {"match": "Well", "kind": "drain_level", "unit": "m", "scale": -1.0, "offset": 3.0},
        {"match": "Rain", "kind": "rain_gauge", "unit": "in", "is_increment": True},
    ]
    done = imported(tmp_path, WIDE | {"devices": devices}, table, "data.parquet")
    assert done.counts.unmapped == ["note"]
    by_id: dict[str, list[float]] = {}
    for device, _, value in readings(done):
        by_id.setdefault(device, []).append(round(value, 4))
    assert by_id["P-1"][:2] == [0.3447, 0.3516]
    assert by_id["Well"] == [2.0, 1.5, 1.0, 0.5]
    assert by_id["Rain"] == [0.0, 2.54, 2.54, 7.62]
    assert set(done.registry.numbers("interval_s").tolist()) == {600.0}


def test_late_arrivals_are_sent_when_they_came(tmp_path: Path) -> None:
    time = {"column": "t", "received": "r"}
    text = (
        "t,r,d,v\n2025-05-01T00:00:00Z,2025-05-01T02:00:00Z,A,0.3\n"
        "2025-05-01T00:05:00Z,2025-05-01T00:05:00Z,A,0.3\n"
    )
    done = imported(tmp_path, LONG | {"time": time}, text)
    sent = [(f.sent_ms, f.batch.time_ms.tolist()) for f in Recording.open(done.out).reader.frames()]
    assert [late_ms - moments[0] for late_ms, moments in sent] == [0, 7_200_000]


def test_labels_in_a_column_become_events_with_gaps_joined(tmp_path: Path) -> None:
    rows = "".join(
        f"2025-05-01T{m // 60:02d}:{m % 60:02d}:00Z,A,0.3,{int(m in (60, 65, 70, 300))}\n"
        for m in range(0, 600, 5)
    )
    labels = [{"column": "bad", "kind": "burst", "gap": "10m", "level": "red"}]
    done = imported(tmp_path, LONG | {"labels": labels}, "t,d,v,bad\n" + rows)
    spans = [(one.onset_ms - done.scenario.start_ms, one.end_ms) for one in done.truths]
    assert len(spans) == 2
    assert done.truths[0].end_ms - done.truths[0].onset_ms == 600_000  # type: ignore[operator]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "Empty CSV file"),
        ("t,d,v\n", "no entry matches; the data has none"),
        ("t,d,d,v\n2025-01-01T00:00:00Z,A,B,1\n", "column 'd': stands there twice"),
        ("t,d,v\nnever,A,1\n", "no moment can be read as 'iso', such as 'never'"),
    ],
)
def test_a_file_that_holds_nothing_usable_is_refused(text: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(MappingError, match=told):
        imported(tmp_path, LONG, text)


def test_three_samples_and_one_from_the_year_9999_make_no_endless_recording(
    tmp_path: Path,
) -> None:
    rows = ["2025-01-01T00:00:00Z", "2025-01-01T00:05:00Z", "9999-12-31T23:59:59Z"]
    done = imported(tmp_path, LONG, "t,d,v\n" + "".join(f"{row},A,0.3\n" for row in rows))
    assert done.counts.wild_time == 1
    assert done.scenario.duration < 3600


MISTAKES = [
    (LONG | {"colour": 1}, "map.yaml: colour: unknown key"),
    (LONG | {"time": {"column": "t", "zone": "Mars"}}, r"map.yaml: time.zone = 'Mars': no such"),
    (LONG | {"time": {"column": "when"}}, r"data.csv: no column 'when'; it has 't', 'd', 'v'"),
    (LONG | {"time": {"column": "t", "format": "%H"}}, "no moment can be read as '%H', such as"),
    (LONG | {"devices": [{"kind": "sonar"}]}, r"devices\[0\]: kind = 'sonar': give one of"),
    (
        LONG | {"devices": [{"kind": "network_pressure", "unit": "furlong"}]},
        r"devices\[0\]: unit: 'furlong' is no unit of pressure; use one of MPa, kPa",
    ),
    (LONG | {"devices": [{"match": "X*", "kind": "dma_flow"}]}, "no entry matches; the data has"),
    (LONG | {"labels": [{"column": "v", "kind": "flu"}]}, r"labels\[0\].*kind 'flu': use one of"),
    ({key: LONG[key] for key in LONG if key != "value"}, "long series need `device` and `value`"),
]


@pytest.mark.parametrize(("mapping", "told"), MISTAKES)
def test_a_mistake_names_file_key_value_and_fix(mapping: dict, told: str, tmp_path: Path) -> None:
    with pytest.raises(MappingError, match=told):
        imported(tmp_path, mapping, "t,d,v\n2025-05-01T00:00:00Z,A,0.3\n")


def test_the_example_runs_through_import(tmp_path: Path) -> None:
    files = [EXAMPLE / "pressure.csv"]
    done = import_series(EXAMPLE / "pressure.yaml", files, tmp_path / "out")
    assert len(done.registry) == 3
    assert [one.element for one in done.truths] == ["J-17"]
    assert (done.counts.missing, done.counts.out_of_range, done.counts.duplicates) == (2, 1, 1)
    x_m = done.registry.numbers("x_m")
    assert 300 < x_m.max() - x_m.min() < 900


def test_every_quantity_has_units_and_its_own_is_one() -> None:
    assert set(units()) == set(QUANTITIES)
    assert factor("pressure", "psi", "x") == pytest.approx(101_325 / 14.695949 / 1e6, rel=1e-6)
    assert factor("methane", "%LEL", "x") * 20 == pytest.approx(1.0)
    assert parsed(LONG, "x").time.zone == "UTC"
