"""The shape of a stage: a pure, stateful operator over messages, with timers and snapshots.

A stage reads no clock, opens nothing and owns no global. What it returns follows from what it
was given: the same messages in any batching, with or without a restart from a snapshot in
between, give the same outputs (a property suite proves it for each stage).
"""

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

import msgspec
import numpy as np

from pipeline.errors import SnapshotError
from pipeline.messages import Message

S = TypeVar("S")


class Stage(Protocol):
    """One of the seven stages."""

    @property
    def name(self) -> str:
        """The stage's name in `loop.LOOP`."""
        ...

    def on_batch(self, batch: Sequence[Message], now_ms: int) -> Sequence[Message]:
        """Take messages in order and return what follows, in order."""
        ...

    def on_time(self, now_ms: int) -> Sequence[Message]:
        """Event time has reached `now_ms`: return what falls due. Called once a tick."""
        ...

    def next_due(self) -> int | None:
        """Return the event time of the next timer, None when nothing is waiting."""
        ...

    def snapshot(self) -> bytes:
        """Return the whole state, versioned (`pack`)."""
        ...

    def restore(self, snapshot: bytes) -> None:
        """Replace the state by a snapshot; SnapshotError when it is not one of this stage."""
        ...


class _Envelope(msgspec.Struct):
    stage: str
    version: int
    state: msgspec.Raw


class _Packing(msgspec.Struct):
    """The same on the way out: encoded in one go, so that large states are copied once."""

    stage: str
    version: int
    state: object


def _encode_array(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        flat = np.ascontiguousarray(value).reshape(-1).view(np.uint8)
        return {"dtype": value.dtype.str, "shape": list(value.shape), "data": flat.data}
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"a snapshot cannot hold a {type(value).__name__}")


def _decode_array(kind: Any, value: Any) -> Any:
    flat = np.frombuffer(value["data"], dtype=np.dtype(value["dtype"]))
    return flat.reshape(value["shape"]).copy()


_ENCODER = msgspec.msgpack.Encoder(enc_hook=_encode_array)


def pack(stage: str, version: int, state: object) -> bytes:
    """Return `state` (a dataclass of plain values, messages and arrays) as a snapshot."""
    return _ENCODER.encode(_Packing(stage, version, state))


def unpack(snapshot: bytes, stage: str, version: int, kind: type[S]) -> S:
    """Return the state in a snapshot made by `pack`.

    Raises:
        SnapshotError: it belongs to another stage or version, or is damaged.
    """
    try:
        envelope = msgspec.msgpack.decode(snapshot, type=_Envelope)
        if (envelope.stage, envelope.version) != (stage, version):
            raise SnapshotError(
                f"snapshot is of {envelope.stage} v{envelope.version}, need {stage} v{version}"
            )
        return msgspec.msgpack.decode(envelope.state, type=kind, dec_hook=_decode_array)
    except (msgspec.MsgspecError, KeyError, TypeError, ValueError) as error:
        raise SnapshotError(f"damaged snapshot of {stage}: {error}") from error
