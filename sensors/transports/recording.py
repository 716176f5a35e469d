"""Readings on disk: a folder of Parquet parts that gives the same frames back in order.

A part is written as `*.parquet.open`, one row group at a time, and gets its final name when it
is complete, so a crash loses the open part at most and a reader never meets half a file.
"""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sensors.errors import TransportError
from sensors.readings import Frame, FrameId, ReadingBatch

FOLDER = "readings"
"""Folder of the parts below the folder of a recording."""

ROWS_PER_GROUP = 65_536
"""Readings kept in memory before they are written."""

ROWS_PER_PART = 4_000_000
"""Readings after which a part is closed."""

SCHEMA = pa.schema(
    [
        pa.field("frame", pa.int64(), nullable=False),
        pa.field("gateway", pa.dictionary(pa.int32(), pa.string()), nullable=False),
        pa.field("boot", pa.int64(), nullable=False),
        pa.field("seq", pa.int64(), nullable=False),
        pa.field("sent_ms", pa.int64(), nullable=False),
        pa.field("device", pa.int32(), nullable=False),
        pa.field("time_ms", pa.int64(), nullable=False),
        pa.field("value", pa.float64(), nullable=False),
    ]
)
"""One row a reading; `frame` counts the frames of the recording from 0."""


class _Digest:
    """SHA-256 over frames in order: identity, then device, time and value columns."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def add(self, frame: Frame) -> None:
        gateway, boot, seq = frame.id
        batch = frame.batch
        head = f"{gateway} {boot} {seq} {frame.sent_ms} {len(batch)}\n"
        self._hash.update(head.encode())
        self._hash.update(batch.device.astype("<i4", copy=False).tobytes())
        self._hash.update(batch.time_ms.astype("<i8", copy=False).tobytes())
        self._hash.update(batch.value.astype("<f8", copy=False).tobytes())

    def text(self) -> str:
        return self._hash.hexdigest()


class RecordingWriter:
    """Writes frames in the order given; a context manager, closed parts stay readable.

    A frame without readings leaves no trace, neither on disk nor in the digest.

    Args:
        folder: Folder of the recording; parts go into `readings/` below it.
        rows_per_group: Readings a row group.
        rows_per_part: Readings a part; neither changes the digest.

    Raises:
        TransportError: the folder holds readings already.
    """

    def __init__(
        self,
        folder: Path,
        *,
        rows_per_group: int = ROWS_PER_GROUP,
        rows_per_part: int = ROWS_PER_PART,
    ) -> None:
        self._folder = folder / FOLDER
        self._folder.mkdir(parents=True, exist_ok=True)
        if any(self._folder.glob("part-*")):
            raise TransportError(
                f"{self._folder} holds a recording already; choose another --out", retryable=False
            )
        self._rows_per_group = rows_per_group
        self._rows_per_part = rows_per_part
        self._digest = _Digest()
        self._waiting: list[Frame] = []
        self._waiting_rows = 0
        self._part_rows = 0
        self._parts = 0
        self._part: pq.ParquetWriter | None = None
        self.frames = 0
        self.readings = 0

    @property
    def digest(self) -> str:
        """SHA-256 of everything written so far, the same for any size of parts."""
        return self._digest.text()

    def write(self, frame: Frame) -> None:
        """Append a frame."""
        if not len(frame.batch):
            return
        self._digest.add(frame)
        self._waiting.append(frame)
        self._waiting_rows += len(frame.batch)
        self.frames += 1
        self.readings += len(frame.batch)
        if self._waiting_rows >= self._rows_per_group:
            self._write_group()

    def finish_part(self) -> None:
        """Complete the part that is open, so that a crash cannot lose it."""
        self._write_group()
        self._close_part()

    def close(self) -> None:
        """Write what waits and complete the last part. Closing twice is fine."""
        self.finish_part()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _write_group(self) -> None:
        if not self._waiting:
            return
        if self._part is None:
            self._part = pq.ParquetWriter(self._open_file(), SCHEMA, compression="zstd")
        first = self.frames - len(self._waiting)
        self._part.write_table(_table(self._waiting, first), self._waiting_rows)
        self._part_rows += self._waiting_rows
        self._waiting, self._waiting_rows = [], 0
        if self._part_rows >= self._rows_per_part:
            self._close_part()

    def _open_file(self) -> Path:
        return self._folder / f"part-{self._parts:05d}.parquet.open"

    def _close_part(self) -> None:
        if self._part is None:
            return
        self._part.close()
        file = self._open_file()
        file.rename(file.with_suffix(""))
        self._part, self._part_rows = None, 0
        self._parts += 1


class RecordingReader:
    """Reads a recording's complete parts.

    Raises:
        TransportError: the folder holds no readings, or a part is damaged (while reading).
    """

    def __init__(self, folder: Path) -> None:
        self.parts = sorted((folder / FOLDER).glob("part-*.parquet"))
        if not self.parts:
            raise TransportError(
                f"{folder}: no {FOLDER}/part-*.parquet; `tocsin run --out` writes them",
                retryable=False,
            )

    def frames(
        self,
        *,
        from_ms: int | None = None,
        to_ms: int | None = None,
        devices: Sequence[int] | None = None,
    ) -> Iterator[Frame]:
        """Yield the frames in the order they were written.

        Args:
            from_ms: Only frames sent at this event time or later; None for all.
            to_ms: Only frames sent at this event time or earlier.
            devices: Only readings of these registry numbers; frames without any are left out.
        """
        for part in self.parts:
            yield from self.of_part(part, from_ms=from_ms, to_ms=to_ms, devices=devices)

    @staticmethod
    def of_part(
        part: Path,
        *,
        from_ms: int | None = None,
        to_ms: int | None = None,
        devices: Sequence[int] | None = None,
    ) -> Iterator[Frame]:
        """Yield the frames of one of `parts`, as `frames` does."""
        try:
            with pq.ParquetFile(part) as file:
                for group in range(file.num_row_groups):
                    if _is_outside(file.metadata.row_group(group), from_ms, to_ms):
                        continue
                    table = _within(file.read_row_group(group), "sent_ms", from_ms, to_ms)
                    yield from _frames(_of_devices(table, devices))
        except (pa.ArrowException, OSError, KeyError) as error:
            raise TransportError(f"{part} is damaged: {error}", retryable=False) from error

    def readings(
        self,
        *,
        from_ms: int | None = None,
        to_ms: int | None = None,
        devices: Sequence[int] | None = None,
    ) -> ReadingBatch:
        """Return readings as one batch by device and sample time, repeats included.

        Args:
            from_ms: Only samples taken at this event time or later; None for all.
            to_ms: Only samples taken at this event time or earlier.
            devices: Only these registry numbers.
        """
        columns = ["device", "time_ms", "value"]
        found = []
        for part in self.parts:
            try:
                table = pq.read_table(part, columns=columns)
            except (pa.ArrowException, OSError, KeyError) as error:
                raise TransportError(f"{part} is damaged: {error}", retryable=False) from error
            found.append(_of_devices(_within(table, "time_ms", from_ms, to_ms), devices))
        whole = pa.concat_tables(found)
        return ReadingBatch.of(
            *(whole.column(name).to_numpy() for name in columns)
        ).by_device_and_time()

    def digest(self) -> str:
        """Return the digest of what the parts hold; equals the writer's when nothing is lost."""
        digest = _Digest()
        for frame in self.frames():
            digest.add(frame)
        return digest.text()


def _table(frames: list[Frame], first: int) -> pa.Table:
    """Return frames as one table of `SCHEMA`; `first` is the number of the first of them."""
    row_frame = np.repeat(np.arange(len(frames)), [len(frame.batch) for frame in frames])
    batch = ReadingBatch.concat([frame.batch for frame in frames])
    names = sorted({frame.id.gateway for frame in frames})
    place = {gateway: index for index, gateway in enumerate(names)}
    gateway = np.array([place[frame.id.gateway] for frame in frames], dtype=np.int32)
    columns = [
        pa.array(row_frame + first),
        pa.DictionaryArray.from_arrays(gateway[row_frame], pa.array(names, pa.string())),
        pa.array(np.array([frame.id.boot for frame in frames], dtype=np.int64)[row_frame]),
        pa.array(np.array([frame.id.seq for frame in frames], dtype=np.int64)[row_frame]),
        pa.array(np.array([frame.sent_ms for frame in frames], dtype=np.int64)[row_frame]),
        pa.array(batch.device),
        pa.array(batch.time_ms),
        pa.array(batch.value),
    ]
    return pa.Table.from_arrays(columns, schema=SCHEMA)


def _frames(table: pa.Table) -> Iterator[Frame]:
    """Yield the frames of one row group; a frame never spans two groups."""
    if not table.num_rows:
        return
    number, boot, seq, sent_ms, device, time_ms, value = (
        table.column(name).to_numpy()
        for name in ("frame", "boot", "seq", "sent_ms", "device", "time_ms", "value")
    )
    starts = np.flatnonzero(np.diff(number, prepend=number[0] - 1))
    gateways = table.column("gateway").take(pa.array(starts)).to_pylist()
    heads = [column[starts].tolist() for column in (boot, seq, sent_ms)]
    ends = [*starts[1:].tolist(), len(number)]
    quality = np.zeros(len(number), np.uint16)
    rows = zip(gateways, *heads, starts.tolist(), ends, strict=True)
    for gateway, boot_, seq_, sent_ms_, start, end in rows:
        part = slice(start, end)
        batch = ReadingBatch(device[part], time_ms[part], value[part], quality[part])
        yield Frame(FrameId(gateway, boot_, seq_), sent_ms_, batch)


def _is_outside(group: Any, from_ms: int | None, to_ms: int | None) -> bool:
    """Return whether the statistics of a row group say that no frame of it was sent then."""
    if from_ms is None and to_ms is None:
        return False
    sent = group.column(SCHEMA.get_field_index("sent_ms")).statistics
    if sent is None or not sent.has_min_max:
        return False
    is_before = from_ms is not None and sent.max < from_ms
    return is_before or (to_ms is not None and sent.min > to_ms)


def _within(table: pa.Table, column: str, from_ms: int | None, to_ms: int | None) -> pa.Table:
    if from_ms is not None:
        table = table.filter(pc.greater_equal(table.column(column), from_ms))
    if to_ms is not None:
        table = table.filter(pc.less_equal(table.column(column), to_ms))
    return table


def _of_devices(table: pa.Table, devices: Sequence[int] | None) -> pa.Table:
    if devices is None:
        return table
    wanted = pa.array(list(devices), pa.int32())
    return table.filter(pc.is_in(table.column("device"), value_set=wanted))
