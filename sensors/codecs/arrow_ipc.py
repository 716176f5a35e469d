"""Arrow IPC streams: frames as columns, for bulk between programs that share a registry."""

import struct

import pyarrow as pa

from sensors.codecs.codec import Decoded, check_size, frame_id, whole
from sensors.codecs.screening import screened
from sensors.errors import FrameError, RejectReason
from sensors.readings import Frame
from sensors.registry import Registry

FORMAT = b"1"
"""Version of the layout, in the schema's metadata."""

_SCHEMA = pa.schema(
    [
        pa.field("device", pa.int32(), nullable=False),
        pa.field("time_ms", pa.int64(), nullable=False),
        pa.field("value", pa.float64(), nullable=False),
    ]
)


class ArrowIpcCodec:
    """Frames as one record batch in an Arrow stream.

    Devices travel as registry numbers, so the metadata carries the registry's digest and a
    frame of another registry is refused.
    """

    name = "arrow_ipc"

    def __init__(self, registry: Registry) -> None:
        self._digest = registry.digest.encode()
        self._devices = len(registry)

    def encode(self, frame: Frame) -> bytes:
        """Return the frame as an Arrow stream; values are not rounded."""
        gateway, boot, seq = frame.id
        schema = _SCHEMA.with_metadata(
            {
                b"format": FORMAT,
                b"registry": self._digest,
                b"gateway": gateway.encode(),
                b"boot": b"%d" % boot,
                b"seq": b"%d" % seq,
                b"sent_ms": b"%d" % frame.sent_ms,
            }
        )
        columns = [pa.array(frame.batch.device), pa.array(frame.batch.time_ms)]
        columns.append(pa.array(frame.batch.value))
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, schema) as writer:
            writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))
        payload: bytes = sink.getvalue().to_pybytes()
        return payload

    def decode(self, payload: bytes, now_ms: int) -> Decoded:
        """Return the readings of a stream of one batch.

        Raises:
            FrameError: malformed, no_identity or registry_mismatch.
        """
        check_size(payload)
        batch, metadata = _read(payload)
        if metadata.get(b"format") != FORMAT:
            raise FrameError(RejectReason.MALFORMED, "not format 1 of a Tocsin frame")
        if metadata.get(b"registry") != self._digest:
            raise FrameError(RejectReason.REGISTRY_MISMATCH, "made with another device registry")
        id_ = frame_id(
            metadata.get(b"gateway", b"").decode("latin-1"),
            _integer(metadata, b"boot"),
            _integer(metadata, b"seq"),
        )
        sent_ms = whole(_integer(metadata, b"sent_ms"), "sent_ms")
        device = batch.column(0).to_numpy()
        time_ms = batch.column(1).to_numpy()
        value = batch.column(2).to_numpy()
        unknown = (device < 0) | (device >= self._devices)
        refusals = ((RejectReason.UNKNOWN_DEVICE, unknown),)
        return screened(id_, sent_ms, device, time_ms, value, now_ms, refusals)


def _read(payload: bytes) -> tuple[pa.RecordBatch, dict[bytes, bytes]]:
    """Return the one batch of a stream and its schema's metadata.

    Raises:
        FrameError: malformed.
    """
    try:
        messages = pa.ipc.MessageReader.open_stream(payload)
        schema = pa.ipc.read_schema(messages.read_next_message())
        if not schema.equals(_SCHEMA):
            raise FrameError(RejectReason.MALFORMED, "not the columns device, time_ms, value")
        message = messages.read_next_message()
        if message.type != "record batch" or _is_compressed(message.metadata.to_pybytes()):
            raise FrameError(RejectReason.MALFORMED, "not one uncompressed record batch")
        batch = pa.ipc.read_record_batch(message, schema)
        batch.validate()
    except (pa.ArrowException, OSError, StopIteration, ValueError, struct.error) as error:
        raise FrameError(RejectReason.MALFORMED, f"not an Arrow stream: {error}") from error
    if any(column.null_count for column in batch.columns):
        raise FrameError(RejectReason.MALFORMED, "a column has nulls")
    return batch, schema.metadata or {}


def _is_compressed(metadata: bytes) -> bool:
    """Return whether a record batch message has compressed buffers.

    Those are refused unread: a few bytes could unfold to more memory than there is. The
    message is a flatbuffer; its third field is the batch, whose fourth field says how it is
    compressed.
    """
    batch = _flatbuffer_field(metadata, _offset(metadata, "<I", 0), 2)
    if batch is None:
        raise ValueError("a message without a header")
    return _flatbuffer_field(metadata, batch, 3) is not None


def _flatbuffer_field(data: bytes, table: int, field: int) -> int | None:
    """Return where the table that a field of a table refers to begins, None without one."""
    vtable = table - _offset(data, "<i", table)
    slot = 4 + 2 * field
    if slot >= _offset(data, "<H", vtable):
        return None
    place = _offset(data, "<H", vtable + slot)
    return table + place + _offset(data, "<I", table + place) if place else None


def _offset(data: bytes, layout: str, at: int) -> int:
    if at < 0:
        raise ValueError("an offset points before the message")
    number: int = struct.unpack_from(layout, data, at)[0]
    return number


def _integer(metadata: dict[bytes, bytes], label: bytes) -> int | None:
    text = metadata.get(label, b"")
    return int(text) if text.isdigit() and len(text) < 20 else None
