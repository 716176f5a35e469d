"""The compact notation of input series: text in, columns of values and arrivals out.

A series is a row of items, one sample an interval:

    0.30            one sample                 0.30x12         twelve of them
    0.30+0.01x20    a ramp of twenty           0.30~0.005x100  with seeded normal noise (σ 0.005)
    sin(0.3,0.05,24h)x288    a wave: mean, amplitude, period (it stands at the mean at sample 0)
    _x3             nothing comes              offline, stale  nothing comes from here on, or x 3
    stuckx9         the sample before again    (0.3x5 0.1)x4   repeated

and any item may say how it arrives: `@late(10m)` after its time, `@together` with the item's
last sample in one frame, `@reversed` newest first, `@twice` twice.
"""

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from api.rule_tests.durations import duration_ms, duration_words
from sensors.readings import Floats, Int64s
from simulator.randomness import Keys, normal

_NUMBER = r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?"
_CORE = re.compile(
    rf"(?:(?P<nothing>_|offline|stale)|(?P<stuck>stuck)"
    rf"|sin\((?P<mean>{_NUMBER}),(?P<high>{_NUMBER}),(?P<period>[0-9a-z.]+)\)"
    rf"|(?P<value>{_NUMBER})(?P<step>[-+](?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?)?)"
    rf"(?:~(?P<noise>\d+(?:\.\d*)?(?:[eE][-+]?\d+)?))?"
)
_COUNT = re.compile(r"x(\d+)")
_MARK = re.compile(r"@(late|together|reversed|twice)(?:\(([0-9a-z.]+)\))?")
LONGEST = 50_000_000
"""Samples a series may have; beyond that memory, not the harness, is the limit."""
LATEST_MS = 366 * 86_400_000
"""Longest time a sample may be late: every tick of it is played."""
_DEEPEST = 20
_MOST_SIGMAS = 10.0
"""Noise is never further out."""


class NotationError(ValueError):
    """A series cannot be read; the message shows the place and the fix."""


@dataclass(frozen=True, slots=True)
class Series:
    """A series as columns, one entry a sample.

    Attributes:
        base: Value without noise; NaN where no sample is made.
        noise: Standard deviation of its noise.
        shows: Number of the sample whose value is shown (another than itself where stuck).
        lag: Intervals between the sample and its arrival.
        late_ms: Milliseconds on top of them.
        is_twice: Whether it comes twice.
    """

    base: Floats
    noise: Floats
    shows: Int64s
    lag: Int64s
    late_ms: Int64s
    is_twice: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.base)

    def arrivals_ms(self, interval_ms: int) -> Int64s:
        """Return when each sample arrives, from the first sample's time on."""
        return (np.arange(len(self)) + self.lag) * interval_ms + self.late_ms

    def value(self, sample: int, keys: Keys) -> Floats:
        """Return what the devices with these keys show at a sample; NaN for nothing."""
        shown = int(self.shows[sample])
        if shown < 0:
            return np.full(len(keys), np.nan)
        values = np.full(len(keys), self.base[shown])
        if self.noise[shown] > 0 and np.isfinite(self.base[shown]):
            values += self.noise[shown] * normal(keys, shown)
        return values


def read_series(text: str, interval_ms: int) -> Series:
    """Read a series; `interval_ms` is the sampling interval that periods are measured in.

    Raises:
        NotationError: it is not in the notation, or says what cannot be.
    """
    reader = _Reader(text, interval_ms)
    series = reader.items(0)
    if reader.at < len(text):
        raise reader.wrong("a closing bracket without an opening one", "remove it")
    if not len(series):
        raise NotationError("an empty series; write `_` for nothing at all")
    return series


class _Reader:
    """Reads a series from left to right."""

    def __init__(self, text: str, interval_ms: int) -> None:
        self._text, self._interval_ms = text, interval_ms
        self._has_sample = False
        self.at = 0

    def wrong(self, problem: str, fix: str) -> NotationError:
        """Return the error that shows where reading stopped."""
        before, after = self._text[: self.at], self._text[self.at :][:40]
        return NotationError(f"`{before}▸{after}`: {problem}; {fix}")

    def items(self, depth: int) -> Series:
        """Read items until the end or a closing bracket."""
        parts: list[Series] = []
        length = 0
        while True:
            self._skip()
            if self.at >= len(self._text) or self._text[self.at] == ")":
                return _joined(parts)
            part = self._item(depth)
            length += len(part)
            if length > LONGEST:
                raise self.wrong(f"longer than {LONGEST} samples", "shorten it")
            parts.append(part)

    def _item(self, depth: int) -> Series:
        if self._text[self.at] == "(":
            if depth >= _DEEPEST:
                raise self.wrong(f"brackets deeper than {_DEEPEST}", "flatten it")
            self.at += 1
            inner = self.items(depth + 1)
            if self.at >= len(self._text):
                raise self.wrong("an open bracket", "close it with `)`")
            self.at += 1
            count = self._count()
            if count * len(inner) > LONGEST:
                raise self.wrong(f"longer than {LONGEST} samples", "shorten it")
            return self._arriving(_joined([inner] * count))
        match = _CORE.match(self._text, self.at)
        if match is None:
            raise self.wrong("not in the notation", "write a number, `_`, `stuck`, sin(…) or (…)")
        if match["stuck"] and not self._has_sample:
            raise self.wrong("`stuck` without a sample before it", "begin with a number")
        self.at = match.end()
        part = self._arriving(self._plain(match, self._count()))
        self._has_sample = True
        if self.at < len(self._text) and self._text[self.at] not in " \t\n()":
            raise self.wrong("more than an item", "put a space between items")
        return part

    def _plain(self, match: "re.Match[str]", count: int) -> Series:
        if count > LONGEST:
            raise self.wrong(f"longer than {LONGEST} samples", "shorten it")
        places = np.arange(count)
        if match["nothing"]:
            base = np.full(count, np.nan)
        elif match["stuck"]:
            base = np.zeros(count)
        elif match["mean"]:
            try:
                period_ms = duration_ms(match["period"])
            except ValueError as error:
                raise self.wrong(str(error), "give a period such as 24h") from error
            if period_ms <= 0:
                raise self.wrong("a wave without a period", "give a period such as 24h")
            turn = 2 * np.pi * self._interval_ms / period_ms
            with np.errstate(over="ignore", invalid="ignore"):
                base = float(match["mean"]) + float(match["high"]) * np.sin(turn * places)
        else:
            with np.errstate(over="ignore", invalid="ignore"):
                base = float(match["value"]) + float(match["step"] or 0.0) * places
        shows = np.full(count, -1) if match["stuck"] else places
        zeros = np.zeros(count, np.int64)
        spread = float(match["noise"] or 0.0)
        if not match["nothing"]:
            with np.errstate(over="ignore", invalid="ignore"):
                is_kept = np.isfinite(np.abs(base) + _MOST_SIGMAS * spread).all()
            if not is_kept:
                raise self.wrong("larger than a number can be kept", "write a smaller one")
        noise = np.full(count, spread)
        return Series(base, noise, shows, zeros, zeros, np.zeros(count, np.bool_))

    def _count(self) -> int:
        match = _COUNT.match(self._text, self.at)
        if match is None:
            return 1
        self.at = match.end()
        if int(match[1]) < 1:
            raise self.wrong("no sample at all", "repeat once or more")
        return int(match[1])

    def _arriving(self, part: Series) -> Series:
        """Take the markers that follow an item."""
        while match := _MARK.match(self._text, self.at):
            self.at = match.end()
            left = np.arange(len(part))[::-1]
            lag, late_ms, is_twice = part.lag, part.late_ms, part.is_twice
            if match[1] == "late":
                late_ms = late_ms + self._lateness(match[2])
            elif match[2] is not None:
                raise self.wrong(f"@{match[1]} takes no time", f"write @{match[1]}")
            if match[1] == "together":
                lag = lag + left
            elif match[1] == "reversed":
                lag = lag + 2 * left
            elif match[1] == "twice":
                is_twice = np.ones(len(part), np.bool_)
            part = Series(part.base, part.noise, part.shows, lag, late_ms, is_twice)
        return part

    def _lateness(self, text: str | None) -> int:
        if text is None:
            raise self.wrong("@late without a time", "write @late(10m)")
        try:
            span_ms = duration_ms(text)
        except ValueError as error:
            raise self.wrong(str(error), "write @late(10m)") from error
        if span_ms > LATEST_MS:
            longest = duration_words(LATEST_MS)
            raise self.wrong(f"later than {longest}", "write `_` for what never comes")
        return span_ms

    def _skip(self) -> None:
        while self.at < len(self._text) and self._text[self.at].isspace():
            self.at += 1


def _joined(parts: list[Series]) -> Series:
    """Return one series of several; `shows` of −1 becomes the newest sample before it."""
    if not parts:
        none = np.zeros(0, np.int64)
        return Series(np.zeros(0), np.zeros(0), none, none, none, np.zeros(0, np.bool_))
    begins = np.cumsum([0, *(len(part) for part in parts)])
    shows = np.concatenate(
        [
            np.where(part.shows < 0, -1, part.shows + begin)
            for part, begin in zip(parts, begins[:-1], strict=True)
        ]
    )
    base = np.concatenate([part.base for part in parts])
    known = np.where((shows >= 0) & np.isfinite(base), shows, -1)
    shows = np.where(shows < 0, np.maximum.accumulate(known), shows)
    return Series(
        base,
        np.concatenate([part.noise for part in parts]),
        shows,
        np.concatenate([part.lag for part in parts]),
        np.concatenate([part.late_ms for part in parts]),
        np.concatenate([part.is_twice for part in parts]),
    )
