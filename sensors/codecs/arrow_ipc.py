"""Arrow IPC streams: frames as columns, for bulk between programs that share a registry."""

import pyarrow as pa

from sensors.codecs.arrow_reader import ColumnReader
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
        self._reader = ColumnReader()

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
        columns = self._reader.read(payload)
        metadata = columns.metadata
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
        device = columns.device
        unknown = (device < 0) | (device >= self._devices)
        refusals = ((RejectReason.UNKNOWN_DEVICE, unknown),) if unknown.any() else ()
        return screened(id_, sent_ms, device, columns.time_ms, columns.value, now_ms, refusals)


def _integer(metadata: dict[bytes, bytes], label: bytes) -> int | None:
    text = metadata.get(label, b"")
    return int(text) if text.isdigit() and len(text) < 20 else None
