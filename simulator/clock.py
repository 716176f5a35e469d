"""Pacing: how fast event time passes against the wall, as a strategy the host is given.

The strategies never touch the physics: the same ticks come out at any pace. The wall clock and
the sleep are arguments, so a test drives them by hand.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite
from typing import Protocol


class Pace(Protocol):
    """Says how long to wait before a tick may be published."""

    @property
    def name(self) -> str:
        """The pace as it was asked for: `max` or a factor such as `60`."""
        ...

    def wait_s(self, event_ms: int, wall_s: float) -> float:
        """Return the seconds to wait at wall time `wall_s` before event time `event_ms`."""
        ...

    def lag_s(self) -> float:
        """Return how far the last tick was behind its due moment, seconds of wall time."""
        ...


@dataclass
class MaxPace:
    """As fast as both halves can: never waits."""

    name: str = "max"

    def wait_s(self, event_ms: int, wall_s: float) -> float:
        """Return 0."""
        return 0.0

    def lag_s(self) -> float:
        """Return 0: there is nothing to lag behind."""
        return 0.0


class RatePace:
    """`factor` seconds of event time in one second of wall time.

    When the world cannot keep up it does not try to catch up in a rush: the due moment is
    moved by the lag beyond `catch_up_s`, and the lag is reported.
    """

    def __init__(self, factor: float, *, catch_up_s: float = 2.0) -> None:
        if not (factor > 0 and isfinite(factor)):
            raise ValueError(f"pace must be max or a number above 0, got {factor:g}")
        self.factor = factor
        self._catch_up_s = catch_up_s
        self._origin: tuple[int, float] | None = None
        self._asked_ms: int | None = None
        self._lag_s = 0.0

    @property
    def name(self) -> str:
        """The factor as text."""
        return f"{self.factor:g}"

    def wait_s(self, event_ms: int, wall_s: float) -> float:
        """Return the seconds until `event_ms` is due; 0 when it is late.

        It may be asked again about the same tick: the greatest lag counts.
        """
        if self._origin is None:
            self._origin = (event_ms, wall_s)
        origin_ms, origin_s = self._origin
        due_s = origin_s + (event_ms - origin_ms) / 1000.0 / self.factor
        lag_s = max(0.0, wall_s - due_s)
        self._lag_s = max(lag_s, self._lag_s) if event_ms == self._asked_ms else lag_s
        self._asked_ms = event_ms
        if lag_s > self._catch_up_s:
            self._origin = (event_ms, wall_s - self._catch_up_s)
        return max(0.0, due_s - wall_s)

    def rebase(self) -> None:
        """Forget the origin: after a pause or a change of speed time starts afresh."""
        self._origin = self._asked_ms = None
        self._lag_s = 0.0

    def lag_s(self) -> float:
        """Return the lag of the last tick, seconds of wall time."""
        return self._lag_s


def pace_of(text: str) -> MaxPace | RatePace:
    """Return the pace named by `text`: `max`, or a factor such as `1`, `60`, `600x`.

    Raises:
        ValueError: it is neither.
    """
    word = text.strip().lower()
    if word == "max":
        return MaxPace()
    word = word.removeprefix("x").removeprefix("×").removesuffix("x").removesuffix("×")
    try:
        return RatePace(float(word))
    except ValueError:
        raise ValueError(f"pace {text!r}: use max, or a number above 0 such as 1, 60") from None


def hold(
    pace: Pace, event_ms: int, wall: Callable[[], float], sleep: Callable[[float], object]
) -> None:
    """Wait as long as `pace` says before event time `event_ms`."""
    seconds = pace.wait_s(event_ms, wall())
    if seconds > 0:
        sleep(seconds)
