"""Numbered messages of the field as bodies: read, and refused when no database could hold them."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from sensors.errors import FrameError, RejectReason
from sensors.field import (
    DamagedMessage,
    DeviceStatus,
    Feedback,
    HotlineReport,
    decode_numbered,
)
from sensors.ground_truth import TrueIncident

Body = tuple[DeviceStatus, ...] | Feedback | HotlineReport | TrueIncident

_TYPES: Mapping[str, Any] = MappingProxyType(
    {
        "feedback": Feedback,
        "hotline": HotlineReport,
        "state": tuple[DeviceStatus, ...],
        "truth": TrueIncident,
    }
)
KINDS: tuple[str, ...] = tuple(_TYPES)
"""Kinds of numbered messages the platform takes."""

MOST_TEXT = 1000
"""Longest text in a message, characters; ids have about 30."""
MOST_NUMBER = 2**53 - 1
"""Largest number in a message: what JSON keeps exactly."""


def read_body(kind: str, payload: bytes) -> tuple[int, Body]:
    """Return number and body of a message.

    Raises:
        FrameError: malformed, or bad_value: it holds a number or text no id or time can be.
    """
    number, body = decode_numbered(payload, _TYPES[kind])
    if isinstance(body, DamagedMessage):
        raise FrameError(RejectReason.MALFORMED, body.detail)
    if not _is_sane(msgspec.to_builtins(body)):
        raise FrameError(RejectReason.BAD_VALUE, f"{kind} {number}: absurd number or text")
    return number, body


def _is_sane(value: object) -> bool:
    match value:
        case bool() | None:
            return True
        case int() | float():
            return abs(value) <= MOST_NUMBER
        case str():
            return len(value) <= MOST_TEXT and "\0" not in value
        case dict():
            return all(_is_sane(one) for pair in value.items() for one in pair)
        case list() | tuple():
            return all(_is_sane(one) for one in value)
        case _:
            return False
