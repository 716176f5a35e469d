"""Files of labels: no event is lost silently, and none is scored that nobody could find."""

from pathlib import Path

import pytest

from api.importing.errors import MappingError
from api.importing.writing import Imported
from tests.unit.test_importing import LONG, imported

DATA = "t,d,v\n" + "".join(
    f"2025-03-03T0{hour}:00:00Z,{name},0.3\n" for hour in range(5) for name in ("A", "007")
)


def labelled(folder: Path, events: str, **keys: str) -> Imported:
    """Import with a table of events."""
    (folder / "ev.csv").write_text(events, encoding="utf-8")
    labels = [{"file": "ev.csv", "start": "a", "end": "b", **keys}]
    return imported(folder, LONG | {"labels": labels}, DATA)


@pytest.mark.parametrize("row", ["2025-03-03T03:00:00Z", "x,y,dug up, then mended"])
def test_a_ragged_line_of_events_is_refused_with_its_place(row: str, tmp_path: Path) -> None:
    events = f"a,b,note\n2025-03-03T01:00:00Z,2025-03-03T02:00:00Z,x\n{row}\n"
    with pytest.raises(MappingError, match=rf"ev.csv: line 3: '{row}' has not 3 fields"):
        labelled(tmp_path, events)


def test_events_outside_the_data_are_left_out_and_counted(tmp_path: Path) -> None:
    events = (
        "a,b\n2024-03-03T01:00:00Z,2024-03-03T02:00:00Z\n"
        "2025-03-02T23:00:00Z,2025-03-03T00:00:00Z\n"  # ends with the first sample
        "2025-03-03T01:00:00Z,2025-03-03T02:00:00Z\n"
        "2035-03-03T01:00:00Z,2035-03-03T02:00:00Z\n"
    )
    done = labelled(tmp_path, events)
    assert [one.id for one in done.truths] == ["L0-1", "L0-2"]
    assert done.counts.labels_outside == 2
    [note] = done.counts.notes
    assert "2 of 4 events lie outside the data (2025-03-03T00:00:00Z to 2025-03-03T04" in note


def test_a_device_that_looks_like_a_number_is_read_as_it_is_written(tmp_path: Path) -> None:
    events = "a,b,dev\n2025-03-03T01:00:00Z,2025-03-03T02:00:00Z,007\n"
    [truth] = labelled(tmp_path, events, device="dev").truths
    assert truth.element == "007"
