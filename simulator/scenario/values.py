"""Values that every part of a scenario is made of: durations, words, a choice by name or pick."""

import difflib
import re
from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

_DURATION = re.compile(r"^(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?:in)?)?(?:(\d+)s)?$")

NAMED, PICKED = "<named>", "<picked>"
"""Tags of the two ways to choose an element or a device; never shown in a message."""


def parse_duration_s(value: object) -> object:
    """Return seconds for `90`, `"45s"`, `"30m"`, `"6h10m"` or `"1d12h"`; else the value as is."""
    if isinstance(value, bool):
        raise ValueError("use a duration such as 45s, 30m, 6h10m or 1d12h")
    if isinstance(value, str):
        match = _DURATION.match(value.replace(" ", ""))
        if not match or not any(match.groups()):
            raise ValueError("use a duration such as 45s, 30m, 6h10m or 1d12h")
        days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
        return ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    return value


def duration_text(seconds: int) -> str:
    """Return seconds as a scenario file writes them, such as `6h10m`; `0s` for none.

    >>> duration_text(22_200), duration_text(129_601)
    ('6h10m', '1d12h1s')
    """
    parts, rest = [], seconds
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "m"), (1, "s")):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


Seconds = Annotated[int, BeforeValidator(parse_duration_s), Field(ge=0)]
SomeSeconds = Annotated[int, BeforeValidator(parse_duration_s), Field(gt=0)]


class Part(BaseModel):
    """A part of a scenario: frozen, without unknown keys, without NaN and infinity."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def way(value: object) -> str:
    """Return the tag of a choice: by name, or by what it is."""
    return NAMED if isinstance(value, str) else PICKED


def one_of(word: str, known: Sequence[str]) -> str:
    """Return the word; ValueError naming the known ones and the nearest when it is none."""
    if word not in known:
        raise ValueError(f"{near(word, known)}; known: {', '.join(known)}")
    return word


def near(word: str, known: Sequence[str]) -> str:
    """Return that a word is unknown, and the known one that was probably meant."""
    close = difflib.get_close_matches(word, known, n=1)
    return f"unknown; did you mean {close[0]!r}?" if close else "unknown"
