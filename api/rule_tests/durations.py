"""Spans of event time as test files write them: `10m`, `1h30m`, `90` (seconds), `2d`."""

import re

_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?(?:(\d+)ms)?")
_SIZES_MS = (86_400_000, 3_600_000, 60_000, 1000, 1)
LONGEST_MS = 36_600 * 86_400_000
"""Longest span that is taken: a hundred years."""


def duration_ms(value: object) -> int:
    """Return milliseconds for `"10m"`, `"1h30m"`, `"90s"` or a number of seconds.

    Raises:
        ValueError: it is none of these, or longer than `LONGEST_MS`.

    >>> duration_ms("1h30m"), duration_ms(90), duration_ms("0.5s")
    (5400000, 90000, 500)
    """
    if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
        return _bounded(value * 1000.0, value)
    match = _DURATION.fullmatch(value.replace(" ", "")) if isinstance(value, str) else None
    if match is None or not any(match.groups()):
        raise ValueError(f"{value!r} is no span of time; write 45s, 10m, 1h30m or 2d")
    parts = zip(match.groups(), _SIZES_MS, strict=True)
    return sum(_bounded(float(part or 0) * size, value) for part, size in parts)


def _bounded(span_ms: float, value: object) -> int:
    if span_ms > LONGEST_MS:
        text = str(value)
        shown = text if len(text) <= 40 else f"{text[:39]}…"
        raise ValueError(f"{shown} is longer than {duration_words(LONGEST_MS)}; write less")
    return round(span_ms)


def duration_words(span_ms: int) -> str:
    """Return a span as test files write it.

    >>> duration_words(5_400_000), duration_words(0), duration_words(-60_500)
    ('1h30m', '0m', '-1m500ms')
    """
    left, words = abs(span_ms), []
    for size, unit in zip(_SIZES_MS, ("d", "h", "m", "s", "ms"), strict=True):
        count, left = divmod(left, size)
        if count:
            words.append(f"{count}{unit}")
    return ("-" if span_ms < 0 else "") + ("".join(words) or "0m")
