"""What every codec can do, what it returns, and the limits all of them keep to."""

from dataclasses import dataclass
from typing import Protocol

from sensors.errors import FrameError, RejectReason
from sensors.readings import Frame, FrameId

MAX_PAYLOAD_BYTES = 4 * 1024 * 1024
"""Largest frame that is looked at; a gateway's usual one is 4 to 20 kB."""

MAX_FUTURE_MS = 24 * 3600 * 1000
"""A reading further ahead of the platform's clock than this is refused (a day, so that a
device set to a wrong time zone still passes and is flagged as skewed instead)."""

MAX_PAST_MS = 400 * 24 * 3600 * 1000
"""A reading older than this is refused (400 days: longer than any device buffers)."""

MAX_INTEGER = 2**53 - 1
"""Largest integer every JSON reader keeps exactly; bound of boot, seq and sent time."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """A frame with the readings that were accepted, and how many were refused and why."""

    frame: Frame
    rejected: dict[RejectReason, int]


class Codec(Protocol):
    """Turns frames into bytes and back; made with the registry both halves share.

    `name` is the last segment of the topics it is used on.
    """

    name: str

    def encode(self, frame: Frame) -> bytes:
        """Return the frame as bytes, the same bytes for the same frame."""
        ...

    def decode(self, payload: bytes, now_ms: int) -> Decoded:
        """Return the readings in `payload`, refusing single readings by reason.

        Args:
            payload: Anything at all; it may come from a stranger.
            now_ms: Event time, for times relative to now and for absurd ones.

        Raises:
            FrameError: the frame as a whole is refused. Nothing else is ever raised.
        """
        ...


def check_size(payload: bytes) -> None:
    """Refuse a payload over the limit.

    Raises:
        FrameError: too_large.
    """
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise FrameError(
            RejectReason.TOO_LARGE, f"{len(payload)} bytes, the limit is {MAX_PAYLOAD_BYTES}"
        )


def frame_id(gateway: object, boot: object, seq: object) -> FrameId:
    """Return the identity made of three fields of the wire.

    Raises:
        FrameError: no_identity, when one is missing, of a wrong type or out of range.
    """
    if not isinstance(gateway, str) or not 0 < len(gateway) <= 128 or not gateway.isascii():
        raise FrameError(RejectReason.NO_IDENTITY, "gateway is not 1 to 128 ASCII characters")
    return FrameId(gateway, whole(boot, "boot"), whole(seq, "seq"))


def whole(number: object, label: str) -> int:
    """Return a non-negative whole number of the wire as int.

    Raises:
        FrameError: no_identity, when it is none or beyond `MAX_INTEGER`.
    """
    if isinstance(number, float) and number.is_integer():
        number = int(number)
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= MAX_INTEGER:
        raise FrameError(
            RejectReason.NO_IDENTITY, f"{label} is not a whole number from 0 to {MAX_INTEGER}"
        )
    return number
