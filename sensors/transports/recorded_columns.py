"""Recording whole columns at once: readings that were not sent frame by frame, and batteries."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sensors.errors import TransportError
from sensors.field import DeviceStatus
from sensors.readings import Floats, Int32s, Int64s
from sensors.transports.recording import FOLDER, ROWS_PER_GROUP, ROWS_PER_PART, SCHEMA

STATUS_FILE = "status.parquet"
"""Battery heartbeats beside the parts of a recording."""

_STATUS = pa.schema(
    [
        pa.field("sent_ms", pa.int64(), nullable=False),
        pa.field("device", pa.string(), nullable=False),
        pa.field("time_ms", pa.int64(), nullable=False),
        pa.field("battery", pa.float64(), nullable=False),
    ]
)


@dataclass(frozen=True, slots=True)
class ReadingColumns:
    """Readings in the order of a recording, one entry a row; rows of a frame stand together.

    Attributes:
        frame: Number of the row's frame, from 0, ascending without gaps.
        gateway: Place of the frame's gateway in `gateways`.
        gateways: Names of the gateways.
        seq: Number of the frame at its gateway, from 0.
        sent_ms: When the frame was sent, event time, ascending.
        device: Registry number.
        time_ms: Sample time.
        value: Value in the unit of the device's quantity; NaN is allowed.
    """

    frame: Int64s
    gateway: Int32s
    gateways: Sequence[str]
    seq: Int64s
    sent_ms: Int64s
    device: Int32s
    time_ms: Int64s
    value: Floats


def write_columns(
    folder: Path,
    columns: ReadingColumns,
    *,
    rows_per_group: int = ROWS_PER_GROUP,
    rows_per_part: int = ROWS_PER_PART,
) -> str:
    """Write readings as a recording's complete parts; return the SHA-256 of their columns.

    Args:
        folder: Folder of the recording.
        columns: The readings.
        rows_per_group: About how many readings a row group; a frame is never cut.
        rows_per_part: About how many readings a part.

    Raises:
        TransportError: the folder holds readings already.
    """
    into = folder / FOLDER
    into.mkdir(parents=True, exist_ok=True)
    if any(into.glob("part-*")):
        raise TransportError(
            f"{into} holds a recording already; choose another --out", retryable=False
        )
    for number, (start, end) in enumerate(_cuts(columns.frame, rows_per_part)):
        draft = into / f"part-{number:05d}.parquet.open"
        with pq.ParquetWriter(draft, SCHEMA, compression="zstd") as file:
            for low, high in _cuts(columns.frame[start:end], rows_per_group):
                file.write_table(_table(columns, slice(start + low, start + high)), high - low)
        draft.rename(draft.with_suffix(""))
    digest = hashlib.sha256("\n".join(columns.gateways).encode())
    for place in (columns.gateway, columns.device):
        digest.update(np.ascontiguousarray(place).data)
    for moment in (columns.seq, columns.sent_ms, columns.time_ms):
        digest.update(np.ascontiguousarray(moment).data)
    digest.update(np.ascontiguousarray(columns.value).data)
    return digest.hexdigest()


def _cuts(frame: Int64s, rows: int) -> list[tuple[int, int]]:
    """Return where to cut so that pieces have about `rows` rows and whole frames."""
    wanted = np.arange(rows, len(frame), rows)
    starts = np.searchsorted(frame, frame[wanted]) if len(wanted) else wanted
    places = np.unique([0, *starts.tolist(), len(frame)]).tolist()
    return list(pairwise(places))


def _table(columns: ReadingColumns, rows: slice) -> pa.Table:
    count = rows.stop - rows.start
    gateway = pa.DictionaryArray.from_arrays(
        pa.array(columns.gateway[rows]), pa.array(list(columns.gateways), pa.string())
    )
    whole = [
        pa.array(columns.frame[rows]),
        gateway,
        pa.array(np.zeros(count, np.int64)),
        pa.array(columns.seq[rows]),
        pa.array(columns.sent_ms[rows]),
        pa.array(columns.device[rows]),
        pa.array(columns.time_ms[rows]),
        pa.array(columns.value[rows]),
    ]
    return pa.Table.from_arrays(whole, schema=SCHEMA)


class StatusWriter:
    """Keeps battery heartbeats in `status.parquet`; a context manager in all but name: close it.

    The file has its name only once it is complete; a crash loses it, and only it.
    """

    def __init__(self, folder: Path, *, rows_per_group: int = ROWS_PER_GROUP) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file, self._rows_per_group = folder / STATUS_FILE, rows_per_group
        self._waiting: list[tuple[int, str, int, float]] = []
        self._writer: pq.ParquetWriter | None = None

    def write(self, sent_ms: int, statuses: Iterable[DeviceStatus]) -> None:
        """Keep the heartbeats of the tick that ended at `sent_ms`."""
        self._waiting += [(sent_ms, one.device, one.time_ms, one.battery) for one in statuses]
        if len(self._waiting) >= self._rows_per_group:
            self._flush()

    def close(self) -> None:
        """Complete the file; without a heartbeat there is none. Closing twice is fine."""
        if self._waiting:
            self._flush()
        if self._writer is not None:
            self._writer.close()
            self._writer = None
            self._draft.rename(self._file)

    @property
    def _draft(self) -> Path:
        return self._file.with_name(f"{STATUS_FILE}.open")

    def _flush(self) -> None:
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._draft, _STATUS, compression="zstd")
        columns = list(zip(*self._waiting, strict=True))
        self._writer.write_table(pa.Table.from_arrays([*map(pa.array, columns)], schema=_STATUS))
        self._waiting = []


def read_statuses(folder: Path) -> list[tuple[int, DeviceStatus]]:
    """Return each heartbeat with the end of its tick, in order; none without the file."""
    file = folder / STATUS_FILE
    if not file.is_file():
        return []
    try:
        columns = [column.to_pylist() for column in pq.read_table(file).columns]
    except (pa.ArrowException, OSError) as error:
        raise TransportError(f"{file} is damaged: {error}", retryable=False) from error
    return [
        (sent_ms, DeviceStatus(device, time_ms, battery))
        for sent_ms, device, time_ms, battery in zip(*columns, strict=True)
    ]
