"""The tail gives the newest readings of a device, from memory as from the recording."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.tail import ReadingTail, newest, recorded_readings
from sensors.readings import Frame, FrameId, ReadingBatch
from sensors.transports.recording import RecordingWriter

EVER = 2**62


def frame(seq: int, devices: list[int], time_ms: int) -> Frame:
    count = len(devices)
    batch = ReadingBatch.of(devices, [time_ms] * count, [float(time_ms)] * count)
    return Frame(FrameId("g", 1, seq), time_ms, batch)


def test_the_window_includes_both_ends() -> None:
    batch = ReadingBatch.of([0] * 4, [1, 2, 3, 4], [0.0] * 4)
    assert newest(batch, 2, 3, 10).time_ms.tolist() == [2, 3]


def test_the_limit_keeps_the_newest_and_they_come_oldest_first() -> None:
    batch = ReadingBatch.of([0] * 4, [4, 1, 3, 2], [0.0] * 4)
    assert newest(batch, 0, EVER, 2).time_ms.tolist() == [3, 4]


def test_the_oldest_ticks_are_forgotten_beyond_the_limit() -> None:
    tail = ReadingTail(most=4)
    for tick in range(4):
        tail.add([frame(tick, [0, 1], tick)])
    assert tail.of_device(0, 0, EVER, 10).time_ms.tolist() == [2, 3]


def test_a_tick_without_readings_is_no_trouble() -> None:
    tail = ReadingTail()
    tail.add([])
    assert len(tail.of_device(0, 0, EVER, 10)) == 0


def test_a_recording_without_parts_has_no_readings(tmp_path: Path) -> None:
    assert len(recorded_readings(tmp_path, 0, 0, EVER, 10)) == 0


@given(
    ticks=st.lists(st.lists(st.integers(0, 3), max_size=5, unique=True), max_size=12),
    device=st.integers(0, 4),
    window=st.tuples(st.integers(0, 12), st.integers(0, 12)),
    limit=st.integers(1, 6),
)
def test_memory_and_recording_answer_alike(
    tmp_path_factory: pytest.TempPathFactory,
    ticks: list[list[int]],
    device: int,
    window: tuple[int, int],
    limit: int,
) -> None:
    folder = tmp_path_factory.mktemp("tail")
    tail = ReadingTail()
    with RecordingWriter(folder) as writer:
        for tick, devices in enumerate(ticks):
            writer.write(frame(tick, devices, tick))
            tail.add([frame(tick, devices, tick)])
    remembered = tail.of_device(device, *window, limit)
    recorded = recorded_readings(folder, device, *window, limit)
    assert np.array_equal(remembered.time_ms, recorded.time_ms)
    assert np.array_equal(remembered.value, recorded.value)
    wanted = [t for t, devices in enumerate(ticks) if device in devices]
    inside = [t for t in wanted if window[0] <= t <= window[1]]
    assert remembered.time_ms.tolist() == inside[-limit:]
