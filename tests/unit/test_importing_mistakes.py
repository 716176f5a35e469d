"""Wrong moments, columns and mappings: refused or told with file, key, value and fix."""

from pathlib import Path

import pyarrow as pa
import pytest
import yaml

from api.importing.errors import MappingError
from api.importing.mapping import load_mapping
from api.importing.times import times_ms
from api.importing.writing import import_series
from tests.unit.test_importing import LONG, WIDE, imported, readings

START_MS = 1_740_960_000_000  # 2025-03-03T00:00:00Z
TEXT = "t,d,v\n2025-03-03T00:00:00,A,0.3\n2025-03-03T00:01:00,A,0.31\n"


def test_only_moments_without_an_offset_are_taken_in_the_zone(tmp_path: Path) -> None:
    time = {"column": "t", "zone": "Asia/Shanghai"}
    moments = ("2025-03-03T08:00:00", "2025-03-03T00:01:00Z", "2025-03-03T08:02:00+08:00")
    text = "t,d,v\n" + "".join(f"{moment},A,0.3\n" for moment in moments)
    done = imported(tmp_path, LONG | {"time": time}, text)
    assert [time_ms - START_MS for _, time_ms, _ in readings(done)] == [0, 60_000, 120_000]


@pytest.mark.parametrize(
    ("format_", "first", "told"),
    [
        ("epoch_s", "1740960000000", "after 2200; .*: as 'epoch_ms' they lie in 2025"),
        ("epoch_ns", "1740960000", "1970-01-01T00:00:01Z; .*: as 'epoch_s' they lie in 2025"),
        ("epoch_s", "-99999999999", "before 1900; correct `time.format`"),
        ("iso", "0001-01-01T00:00:00", "before 1900; correct `time.format`"),
    ],
)
def test_moments_that_cannot_be_meant_are_refused(
    format_: str, first: str, told: str, tmp_path: Path
) -> None:
    mapping = LONG | {"time": {"column": "t", "format": format_}}
    with pytest.raises(MappingError, match=rf"data.csv: time.column 't': read as .* = {told}"):
        imported(tmp_path, mapping, f"t,d,v\n{first},A,0.3\n{first},B,0.3\n")


def test_seconds_from_the_start_of_a_model_are_no_mistake(tmp_path: Path) -> None:
    mapping = LONG | {"time": {"column": "t", "format": "epoch_s"}}
    done = imported(tmp_path, mapping, "t,d,v\n0,A,0.3\n3600,A,0.3\n7200,A,0.3\n")
    assert [time_ms for _, time_ms, _ in readings(done)] == [0, 3_600_000, 7_200_000]


def test_nanoseconds_and_far_years_are_read_without_pandas(tmp_path: Path) -> None:
    text = "t,d,v\n2025-03-03T00:00:00.123456789Z,A,0.3\n2025-03-03T00:01:00.5Z,A,0.3\n"
    done = imported(tmp_path, LONG, text)
    assert [time_ms - START_MS for _, time_ms, _ in readings(done)] == [123, 60_500]
    stamps = {
        "ns": pa.array([START_MS * 10**6 + 1, (START_MS + 60_000) * 10**6], pa.timestamp("ns")),
        "far": pa.array([10**16, START_MS, START_MS + 60_000], pa.timestamp("ms")),
    }
    for name, moments in stamps.items():
        found, is_read = times_ms(pa.chunked_array([moments]), "iso", "UTC", "data")
        assert is_read.all()
        assert found[-1] == START_MS + 60_000
        with pytest.raises(MappingError, match="all moments are absurd"):
            times_ms(pa.chunked_array([pa.array([10**17], pa.timestamp("ms"))]), "iso", "UTC", name)


def test_quoted_decimal_commas_stand_in_a_table_of_commas(tmp_path: Path) -> None:
    text = 't,d,v\n2025-03-03T00:00:00Z,A,"0,300"\n2025-03-03T00:01:00Z,A,"0,310"\n'
    done = imported(tmp_path, LONG | {"csv": {"decimal": ","}}, text)
    assert [value for _, _, value in readings(done)] == [0.3, 0.31]


def test_one_absurd_arrival_makes_no_endless_recording(tmp_path: Path) -> None:
    rows = [f"2025-03-03T00:{m:02d}:00Z,A,0.3,2025-03-03T00:{m:02d}:30Z" for m in range(40)]
    rows.append("2025-03-03T00:41:00Z,A,0.3,2035-03-03T00:41:30Z")
    time = {"column": "t", "received": "r"}
    done = imported(tmp_path, LONG | {"time": time}, "\n".join(["t,d,v,r", *rows, ""]))
    assert done.counts.wild_received == 1
    assert len(readings(done)) == 41
    assert done.scenario.duration < 3600


@pytest.mark.parametrize("content", [TEXT.encode("utf-16"), "\u538b\u529b,d,v\n".encode("gbk")])
def test_a_head_in_another_encoding_is_refused(content: bytes, tmp_path: Path) -> None:
    mapping, file = tmp_path / "map.yaml", tmp_path / "data.csv"
    mapping.write_text(yaml.safe_dump(LONG), encoding="utf-8")
    file.write_bytes(content)
    with pytest.raises(MappingError, match=r"data.csv: the head is no utf-8 .*csv.encoding"):
        import_series(mapping, [file], tmp_path / "out")


@pytest.mark.parametrize(
    "column", [pa.array([[1.0]]), pa.array([{"x": 1}]), pa.array([b"\xff"])], ids=str
)
def test_a_column_of_neither_numbers_nor_text_is_refused(column: pa.Array, tmp_path: Path) -> None:
    told = r"a.parquet: column '{}': holds .*, neither numbers nor text"
    at = pa.array([START_MS], pa.timestamp("ms"))
    with pytest.raises(MappingError, match=told.format("B")):
        imported(tmp_path, WIDE, pa.table({"t": at, "B": column}), "a.parquet")
    if not pa.types.is_binary(column.type):
        table = pa.table({"t": at, "d": column, "v": [0.3]})
        with pytest.raises(MappingError, match=told.format("d")):
            imported(tmp_path, LONG, table, "a.parquet")
        with pytest.raises(MappingError, match=r"time.column 't': holds .*, no moments"):
            imported(tmp_path, WIDE, pa.table({"t": column, "A": [0.3]}), "a.parquet")


def test_a_column_without_any_number_is_told_with_a_hint(tmp_path: Path) -> None:
    text = TEXT.replace(",", ";").replace("0.3", "0,3")
    done = imported(tmp_path, LONG | {"csv": {"delimiter": ";"}}, text)
    assert done.counts.missing == 2
    [note] = done.counts.notes
    assert note.startswith(
        "column 'v': none of its texts is a number, such as '0,3'; if ',' is its"
    )


def test_a_column_of_text_that_is_no_device_needs_no_hint(tmp_path: Path) -> None:
    devices = [{"match": "P*", "kind": "network_pressure"}]
    text = "t,P1,note\n2025-03-03T00:00:00,0.3,fine\n"
    assert imported(tmp_path, WIDE | {"devices": devices}, text).counts.notes == []


MISTAKES = [
    ({"csv": {"encoding": "nonsense"}}, "csv.encoding = 'nonsense': no such text encoding"),
    ({"csv": {"encoding": "base64"}}, "csv.encoding = 'base64': no such text encoding"),
    ({"csv": {"delimiter": "\uff0c"}}, "csv.delimiter = '\uff0c': use one ASCII character"),
    ({"tick": "10s"}, "tick = '10s': .*greater than or equal to 60"),
    ({"devices": [{"scale": 0}]}, r"devices\[0\].scale = 0: 0 makes every value the same"),
    ({"value": ["v", "v"]}, "a column stands twice in"),
    ({"bad_quality": ["BAD"]}, "bad_quality: has no effect without `quality`"),
    ({"time": {"column": "t", "format": "%H:%M:%S.%f"}}, "%f .*is not supported; use iso"),
]


@pytest.mark.parametrize(("keys", "told"), MISTAKES)
def test_a_mapping_that_cannot_work_is_refused(
    keys: dict[str, object], told: str, tmp_path: Path
) -> None:
    with pytest.raises(MappingError, match=told):
        imported(tmp_path, LONG | keys, TEXT)


def test_a_key_given_twice_is_refused_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "map.yaml"
    file.write_text(yaml.safe_dump(LONG) + "name: other\n", encoding="utf-8")
    with pytest.raises(MappingError, match=r"(?s)the key 'name' stands there twice.*line 9"):
        load_mapping(file)
