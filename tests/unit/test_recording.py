"""Recordings: the same frames in the same order, one digest, and no half-written part."""

from pathlib import Path

import numpy as np
import pytest

from sensors.errors import TransportError
from sensors.readings import Frame, FrameId, ReadingBatch
from sensors.transports.recording import FOLDER, RecordingReader, RecordingWriter


def frames(count: int) -> list[Frame]:
    """Return frames of 1 to 7 readings from two gateways, two neighbours with one identity."""
    made = []
    for number in range(count):
        rows = number % 7 + 1
        batch = ReadingBatch.of(
            np.arange(rows), 1000 * number + np.arange(rows), np.sqrt(number + np.arange(rows))
        )
        made.append(Frame(FrameId(f"gw-{number % 2}", 1, number // 4), 1000 * number, batch))
    return [*made, made[-1]]


def write(folder: Path, what: list[Frame], group: int, part: int) -> str:
    with RecordingWriter(folder, rows_per_group=group, rows_per_part=part) as writer:
        for frame in what:
            writer.write(frame)
        assert writer.frames == len(what)
        assert writer.readings == sum(len(frame.batch) for frame in what)
    return writer.digest


@pytest.mark.parametrize(("group", "part"), [(1, 1), (10, 40), (1000, 1000)])
def test_frames_come_back_as_written_for_any_size_of_parts(
    tmp_path: Path, group: int, part: int
) -> None:
    written = frames(60)
    digest = write(tmp_path, written, group, part)
    reader = RecordingReader(tmp_path)
    back = list(reader.frames())
    assert [(frame.id, frame.sent_ms) for frame in back] == [
        (frame.id, frame.sent_ms) for frame in written
    ]
    for read, wrote in zip(back, written, strict=True):
        assert read.batch.device.tolist() == wrote.batch.device.tolist()
        assert read.batch.time_ms.tolist() == wrote.batch.time_ms.tolist()
        assert read.batch.value.tolist() == wrote.batch.value.tolist()
    assert reader.digest() == digest
    assert digest == write(tmp_path / "other", written, 7, 21)


def test_the_digest_sees_order_identity_and_every_column(tmp_path: Path) -> None:
    base = Frame(FrameId("g", 1, 1), 5, ReadingBatch.of([1, 2], [10, 20], [0.5, 0.6]))
    other = Frame(FrameId("g", 1, 2), 5, base.batch)
    variants = [
        [base, other],
        [other, base],
        [base, Frame(FrameId("g", 2, 2), 5, base.batch)],
        [base, Frame(other.id, 6, base.batch)],
        [base, Frame(other.id, 5, ReadingBatch.of([1, 3], [10, 20], [0.5, 0.6]))],
        [base, Frame(other.id, 5, ReadingBatch.of([1, 2], [10, 21], [0.5, 0.6]))],
        [base, Frame(other.id, 5, ReadingBatch.of([1, 2], [10, 20], [0.5, 0.7]))],
    ]
    digests = [write(tmp_path / str(n), what, 10, 10) for n, what in enumerate(variants)]
    assert len(set(digests)) == len(variants)


def test_a_crash_loses_the_open_part_only(tmp_path: Path) -> None:
    writer = RecordingWriter(tmp_path, rows_per_group=10, rows_per_part=40)
    for frame in frames(60):
        writer.write(frame)
    closed = sorted(path.name for path in (tmp_path / FOLDER).glob("*.parquet"))
    survivors = list(RecordingReader(tmp_path).frames())  # the writer was never closed
    assert closed
    assert 0 < len(survivors) < 61
    assert [frame.id for frame in survivors] == [frame.id for frame in frames(60)][: len(survivors)]
    writer.close()


def test_frames_without_readings_leave_no_trace(tmp_path: Path) -> None:
    empty = Frame(FrameId("g", 1, 1), 5, ReadingBatch.empty())
    full = frames(3)
    assert write(tmp_path / "a", full, 10, 10) == _digest_with(tmp_path / "b", full, empty)


def _digest_with(folder: Path, full: list[Frame], empty: Frame) -> str:
    with RecordingWriter(folder) as writer:
        for frame in [empty, *full, empty]:
            writer.write(frame)
    assert len(list(RecordingReader(folder).frames())) == len(full)
    return writer.digest


def test_a_recording_is_never_written_over(tmp_path: Path) -> None:
    write(tmp_path, frames(3), 10, 10)
    with pytest.raises(TransportError, match="another --out"):
        RecordingWriter(tmp_path)


def test_a_folder_without_readings_is_reported(tmp_path: Path) -> None:
    with pytest.raises(TransportError, match="tocsin run --out"):
        RecordingReader(tmp_path)


def test_a_damaged_part_is_named(tmp_path: Path) -> None:
    write(tmp_path, frames(30), 10, 1000)
    (part,) = (tmp_path / FOLDER).glob("*.parquet")
    part.write_bytes(part.read_bytes()[:-20])
    with pytest.raises(TransportError, match=part.name):
        list(RecordingReader(tmp_path).frames())
