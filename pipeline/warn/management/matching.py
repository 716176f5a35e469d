"""Which alarms a matcher means, and when a silence of the rule file is on."""

import re
from collections.abc import Callable, Mapping
from fnmatch import translate
from functools import lru_cache
from operator import attrgetter

from pipeline.messages import Alarm
from pipeline.rules import Silence

MATCHED = ("device", "rule", "domain", "area", "level", "quantity")
"""Fields of an alarm a matcher can name."""

UTC_OFFSET_MS = 8 * 3_600_000
"""Offset of a city's time where none is given: all of China keeps UTC+8."""

Matches = Callable[[Alarm], bool]

_DAY_MS = 86_400_000
_MINUTE_MS = 60_000
_THURSDAY = 3
"""Weekday, Monday 0, of 1970-01-01."""


def matches(matchers: Mapping[str, str], alarm: Alarm) -> bool:
    """Return whether every pattern fits an alarm, see `matcher`."""
    return matcher(matchers)(alarm)


def matcher(matchers: Mapping[str, str]) -> Matches:
    """Return a test whether every pattern fits; an unknown field or no matcher fits nothing.

    Patterns are globs (`*`, `?`, `[…]`), case counts. `level` takes the number or the colour.
    """
    if not matchers or any(name not in MATCHED for name in matchers):
        return _nothing
    tests = [_field(name, glob) for name, glob in matchers.items()]
    if len(tests) == 1:
        return tests[0]
    return lambda alarm: all(test(alarm) for test in tests)


def _field(name: str, glob: str) -> Matches:
    fits = _pattern(glob)
    if name == "level":
        return lambda alarm: fits(str(alarm.level.value)) or fits(alarm.level.colour)
    value = attrgetter(name)
    return lambda alarm: fits(value(alarm))


def _nothing(alarm: Alarm) -> bool:
    return False


@lru_cache(maxsize=4096)
def _pattern(glob: str) -> Callable[[str], bool]:
    if not any(sign in glob for sign in "*?["):
        return glob.__eq__
    compiled = re.compile(translate(glob))
    return lambda text: compiled.match(text) is not None


def is_on(silence: Silence, now_ms: int, utc_offset_ms: int = UTC_OFFSET_MS) -> bool:
    """Return whether a silence of the rule file holds at a moment of event time.

    `begins` and `ends` are of the city's day, `ends` excluded; when `ends` is not after `begins`
    it runs over midnight and belongs to the weekday on which it began.
    """
    local_ms = now_ms + utc_offset_ms
    day, minute = local_ms // _DAY_MS, local_ms % _DAY_MS // _MINUTE_MS
    begins = _minute(silence.begins) if silence.begins else 0
    ends = _minute(silence.ends) if silence.ends else 24 * 60
    if begins < ends:
        return begins <= minute < ends and _is_day(silence, day)
    if minute >= begins:
        return _is_day(silence, day)
    return minute < ends and _is_day(silence, day - 1)


def next_change(silence: Silence, now_ms: int, utc_offset_ms: int = UTC_OFFSET_MS) -> int | None:
    """Return the next moment at which `is_on` may change, None when it never does."""
    edges = [_minute(text) for text in (silence.begins, silence.ends) if text]
    if silence.days:
        edges.append(0)
    local_ms = now_ms + utc_offset_ms
    midnight_ms = local_ms // _DAY_MS * _DAY_MS
    coming = [
        midnight_ms + day * _DAY_MS + edge * _MINUTE_MS
        for edge in edges
        for day in (0, 1)
        if midnight_ms + day * _DAY_MS + edge * _MINUTE_MS > local_ms
    ]
    return min(coming) - utc_offset_ms if coming else None


def _is_day(silence: Silence, day: int) -> bool:
    return not silence.days or (day + _THURSDAY) % 7 + 1 in silence.days


def _minute(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)
