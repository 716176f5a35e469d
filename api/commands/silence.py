"""Ends that lead nowhere: the world alone, without wire, encoding and recording."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sensors.codecs.codec import Decoded
from sensors.errors import FrameError, RejectReason
from sensors.readings import Frame
from sensors.transports import Envelope
from simulator.recorder import Recorder


class NoTransport:
    """Takes everything and delivers nothing."""

    def subscribe(self, filters: Sequence[str]) -> None:
        """Receive nothing."""

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> None:
        """Forget a message."""

    def flush(self, timeout_s: float) -> None:
        """Nothing is under way."""

    def poll(self, timeout_s: float, limit: int = 10_000) -> list[Envelope]:
        """Return nothing, at once."""
        return []

    def ack(self, envelopes: Sequence[Envelope]) -> None:
        """Nothing is owed."""

    def close(self) -> None:
        """Nothing is open."""


class NoCodec:
    """Encodes every frame as no bytes: what is never sent need not be written down."""

    name = "none"

    def encode(self, frame: Frame) -> bytes:
        """Return no bytes."""
        return b""

    def decode(self, payload: bytes, now_ms: int) -> Decoded:
        """Refuse anything (FrameError)."""
        raise FrameError(RejectReason.MALFORMED, "nothing is encoded here")


class NoRecorder(Recorder):
    """Keeps nothing; the folder is made for the manifest."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.listener = None

    def tick(self, *_: Any, **__: Any) -> None:
        """Forget a tick."""

    def close(self) -> dict[str, str]:
        """Return no hashes."""
        return {}
