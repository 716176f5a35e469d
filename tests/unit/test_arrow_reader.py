"""The reader with a memory reads what the reader without one reads, damaged frames included."""

import numpy as np
import pytest

from sensors.codecs.arrow_ipc import ArrowIpcCodec
from sensors.codecs.arrow_layout import read_columns
from sensors.codecs.arrow_reader import ColumnReader
from sensors.errors import FrameError
from sensors.readings import Frame, FrameId, ReadingBatch
from tests.conformance.pressure_devices import START_MS, pressure_registry

CODEC = ArrowIpcCodec(pressure_registry(20))
Seen = tuple[dict[bytes, bytes], list[int], list[int], list[float]] | str


def payload(gateway: str = "g-D01", seq: int = 0, readings: int = 3, boot: int = 1) -> bytes:
    numbers = np.arange(readings)
    batch = ReadingBatch.of(numbers, START_MS + numbers, numbers / 8.0)
    return CODEC.encode(Frame(FrameId(gateway, boot, seq), START_MS + seq, batch))


def seen(reader: ColumnReader | None, data: bytes) -> Seen:
    try:
        columns = read_columns(data) if reader is None else reader.read(data)
    except FrameError as error:
        return error.reason
    device, time_ms, value = columns.device, columns.time_ms, columns.value
    return columns.metadata, device.tolist(), time_ms.tolist(), value.tolist()


def test_frames_of_many_shapes_are_read_alike_the_first_and_the_second_time() -> None:
    reader = ColumnReader()
    frames = [
        payload(gateway, seq, readings, boot)
        for gateway in ("g", "g-D01", "gw-D02-12")
        for seq in (0, 9, 10, 12_345)
        for readings in (0, 1, 3, 20)
        for boot in (1, 22)
    ]
    for data in frames * 2:
        assert seen(reader, data) == seen(None, data)


@pytest.mark.parametrize("mask", [0x01, 0x80, 0xFF])
def test_a_damaged_byte_is_judged_as_without_a_memory(mask: int) -> None:
    reader, whole = ColumnReader(), payload(seq=7)
    assert seen(reader, whole) == seen(None, whole)
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= mask
        assert seen(reader, bytes(damaged)) == seen(None, bytes(damaged)), place
    assert seen(reader, whole) == seen(None, whole)


def test_a_cut_frame_is_refused_although_its_messages_are_known() -> None:
    reader, whole = ColumnReader(), payload()
    reader.read(whole)
    for size in range(len(whole) - 8):
        with pytest.raises(FrameError):
            reader.read(whole[:size])
