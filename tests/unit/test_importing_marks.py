"""Marks of quality and labels: compared by what they mean, and told when they never occur."""

from pathlib import Path

import pyarrow as pa
import pytest
import yaml

from api.importing.errors import MappingError
from api.importing.mapping import load_mapping
from api.importing.marks import marked
from tests.unit.test_importing import LONG, imported, readings


@pytest.mark.parametrize(
    ("marks", "cells", "hit"),
    [
        ([2147483648.0], ["0", "2147483648"], [False, True]),  # a code of OPC
        ([True], ["False", "True", "1", None], [False, True, True, False]),
        ([False], ["FALSE", "0.0", "true"], [True, True, False]),
        ([0], ["192.0", "0.0", "0", "zero"], [False, True, True, False]),
        (["bad"], ["BAD", " Bad ", "good", None], [True, True, False, False]),
        (["OFF", "NO"], ["ON", "OFF", "no"], [False, True, True]),
        ([], ["BAD"], [False]),
    ],
)
def test_a_mark_is_found_however_it_is_written(
    marks: list[str | float | bool], cells: list[str | None], hit: list[bool]
) -> None:
    found, seen = marked(pa.chunked_array([pa.array(cells, pa.string())]), marks, "q")
    assert found.tolist() == hit
    assert len(seen) == len(marks)


@pytest.mark.parametrize(
    "column", [pa.array([0.0, 192.0]), pa.array([0, 192]), pa.array([True, False])]
)
def test_marks_are_found_in_numbers_and_truth_values(column: pa.Array) -> None:
    wanted = True if pa.types.is_boolean(column.type) else 0
    assert marked(pa.chunked_array([column]), [wanted], "q")[0].tolist() == [True, False]


def test_a_mark_that_never_occurs_is_told(tmp_path: Path) -> None:
    mapping = LONG | {
        "quality": "q",
        "bad_quality": ["BAD", "COM", 2147483648],
        "labels": [{"column": "l", "values": [7]}],
    }
    text = "t,d,v,q,l\n2025-05-01T00:00:00Z,A,0.3,OK,0\n2025-05-01T00:05:00Z,A,9,bad,0\n"
    done = imported(tmp_path, mapping, text)
    assert done.counts.missing == 1
    assert done.summary()["found"]["notes"] == [
        "bad_quality: 'COM' never occurs in column 'q'; correct its spelling",
        "bad_quality: 2147483648 never occurs in column 'q'; correct its spelling",
        "labels[0].values: 7 never occurs in column 'l'; correct its spelling",
    ]


@pytest.mark.parametrize("word", ["OFF", "no", "Yes", "on"])
def test_a_word_that_some_read_as_true_or_false_has_to_stand_in_quotes(
    word: str, tmp_path: Path
) -> None:
    file = tmp_path / "map.yaml"
    head = yaml.safe_dump(LONG | {"quality": "q"})
    file.write_text(f"{head}bad_quality: [{word}]\n", encoding="utf-8")
    with pytest.raises(MappingError, match=rf"bad_quality\[0\] = '{word}': .*put it in quotes"):
        load_mapping(file)
    file.write_text(f"{head}bad_quality: ['{word}', true]\n", encoding="utf-8")
    assert load_mapping(file).bad_quality == (word, True)


def test_such_a_word_still_answers_a_question(tmp_path: Path) -> None:
    file = tmp_path / "map.yaml"
    head = yaml.safe_dump(LONG | {"devices": []}).replace("devices: []\n", "")
    line = "devices: [{kind: rain_gauge, is_increment: yes}]\n"
    file.write_text(head + line, encoding="utf-8")
    assert load_mapping(file).devices[0].is_increment


def test_each_label_column_has_its_own_marks(tmp_path: Path) -> None:
    text = (
        "t,d,v,l,k\n2025-03-03T01:00:00Z,A,0.3,1,0\n2025-03-03T02:05:00Z,A,0.3,0,0\n"
        "2025-03-03T04:05:00Z,A,0.3,0,1\n2025-03-03T06:05:00Z,A,0.3,0,2\n"
    )
    labels = [
        {"column": "l"},
        {"column": "k", "kind": "slow_leak"},
        {"column": "k", "kind": "demand_surge", "values": [2]},
    ]
    done = imported(tmp_path, LONG | {"labels": labels}, text)
    hours = [(one.kind.value, one.onset_ms // 3_600_000 % 24) for one in done.truths]
    assert hours == [("burst", 1), ("slow_leak", 4), ("demand_surge", 6)]
    assert len(readings(done)) == 4
