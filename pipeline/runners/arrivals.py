"""What has arrived from the wire and which ticks of the world's clock are whole.

Topics may arrive in any order (each MQTT subscription has its own), so a tick is worked on only
when everything its clock message counted is there. Numbers make repetition harmless. A clock
message that cannot be true is refused; of several for one tick the first that is whole counts.
"""

from dataclasses import dataclass, field, replace
from itertools import pairwise

from sensors.codecs import MAX_FUTURE_MS
from sensors.errors import FrameError, RejectReason
from sensors.field import ClockTick
from sensors.readings import Frame, FrameId

LONGEST_TICK_MS = 3_600_000
"""A clock cannot advance further in one tick (scenarios allow ticks of up to an hour)."""
MOST_A_TICK = 1_000_000
"""A tick cannot count more new frames, or numbered messages of a kind."""
MOST_TICKS_AHEAD = 10_000_000
"""A clock cannot be further ahead of the last tick (minutes: 19 years)."""
MOST_TICKS_HELD = 100_000
"""Ticks beyond the next one that are held; the furthest gives way."""
_MOST_CLAIMS = 4


@dataclass
class TickWork:
    """Everything that belongs to one tick, in canonical order.

    Attributes:
        tick: The clock message.
        frames: By frame identity; late ones of earlier ticks and repeated ones among them.
        numbered: (kind, message) by kind and number.
        refused: Other clock messages of this tick, dropped now.
    """

    tick: ClockTick
    frames: list[Frame]
    numbered: list[tuple[str, bytes]]
    refused: int = 0


@dataclass
class Kept:
    """What a snapshot keeps: how far the work is, and what belongs to no tick worked on yet.

    Attributes:
        last_tick: Number of the last tick worked on.
        last_tick_ms: Its event time.
        frames_done: Frames it counted.
        is_certain: Whether it was whole; the count of one that was not may be anything.
        numbers_done: Kind → highest number that is worked on or given up.
        frames: Frames that wait, in the order they came within a sending time.
        numbered: Kind → number → message that waits.
        ticks: Clock messages that wait.
    """

    last_tick: int = 0
    last_tick_ms: int = 0
    frames_done: int = 0
    is_certain: bool = True
    numbers_done: dict[str, int] = field(default_factory=dict)
    frames: list[Frame] = field(default_factory=list)
    numbered: dict[str, dict[int, bytes]] = field(default_factory=dict)
    ticks: list[ClockTick] = field(default_factory=list)


class Arrivals:
    """Sorts what arrives into ticks."""

    def __init__(self, kinds: tuple[str, ...], kept: Kept | None = None) -> None:
        """Take the kinds of numbered messages, and where to go on.

        What a clock message counts of other kinds is ignored.
        """
        kept = kept or Kept()
        self.last_tick, self.last_tick_ms = kept.last_tick, kept.last_tick_ms
        self._frames_done, self._is_certain = kept.frames_done, kept.is_certain
        self._numbers_done = {kind: kept.numbers_done.get(kind, 0) for kind in kinds}
        self._frames: dict[int, list[Frame]] = {}
        self._counted: dict[int, set[FrameId]] = {}
        self._numbered = {kind: dict(kept.numbered.get(kind, {})) for kind in kinds}
        self._ticks: dict[int, list[ClockTick]] = {}
        for frame in kept.frames:
            self._hold(frame)
        for tick in kept.ticks:
            self._ticks.setdefault(tick.tick, []).append(tick)

    def kept(self) -> Kept:
        """Return everything as a snapshot keeps it."""
        return Kept(
            self.last_tick,
            self.last_tick_ms,
            self._frames_done,
            self._is_certain,
            dict(self._numbers_done),
            [frame for _, frames in sorted(self._frames.items()) for frame in frames],
            {kind: dict(sorted(waiting.items())) for kind, waiting in self._numbered.items()},
            [tick for _, claims in sorted(self._ticks.items()) for tick in claims],
        )

    # Receiving.

    def frame(self, frame: Frame) -> None:
        """Take a frame; a repeated one is kept too, the monitor counts it.

        Raises:
            FrameError: far_future, when it says it was sent long after the last tick.
        """
        if frame.sent_ms > self.last_tick_ms + MAX_FUTURE_MS:
            raise FrameError(RejectReason.FAR_FUTURE, f"frame sent at {frame.sent_ms}")
        self._hold(frame)

    def numbered(self, kind: str, number: int, message: bytes) -> None:
        """Take a numbered message of a kind; a repeated number is dropped.

        Raises:
            FrameError: bad_value, when the number cannot be.
        """
        done, waiting = self._numbers_done[kind], self._numbered[kind]
        if not 0 < number <= done + MOST_A_TICK:
            raise FrameError(RejectReason.BAD_VALUE, f"{kind} number {number} after {done}")
        if number > done:
            waiting.setdefault(number, message)

    def clock(self, tick: ClockTick) -> bool:
        """Take a tick of the clock; return False when it was worked on before.

        Raises:
            FrameError: bad_time or bad_value, when it cannot follow the last tick.
        """
        if 0 <= tick.tick <= self.last_tick:
            return False
        reason = self._doubt(tick)
        if reason is not None:
            raise FrameError(reason, f"clock tick {tick.tick} after {self.last_tick}")
        counts = {kind: tick.messages.get(kind, 0) for kind in self._numbers_done}
        tick = replace(tick, messages=counts)
        claims = self._ticks.setdefault(tick.tick, [])
        if tick not in claims:
            if len(claims) == _MOST_CLAIMS:
                raise FrameError(RejectReason.BAD_VALUE, f"clock tick {tick.tick} contradicts")
            claims.append(tick)
        if len(self._ticks) > MOST_TICKS_HELD:
            del self._ticks[max(self._ticks)]
        return True

    # Working.

    def next_tick(self, *, is_forced: bool = False) -> TickWork | None:
        """Return the next tick's work when all it counted has arrived.

        `is_forced` gives up what is missing. A gap in the clock is then jumped too, but only
        to where two ticks in a row lie: one alone, far ahead, may be anything.
        """
        claims = [tick for tick in self._claims(self.last_tick + 1) if self._missing(tick) == 0]
        if claims:
            return self._take(claims[0])
        number = self._forceable() if is_forced else None
        return None if number is None else self._take(self._claims(number)[0])

    def stuck_at(self) -> tuple[int, int] | None:
        """Return the tick that could be forced and how many messages it lacks, if there is one.

        As long as this changes, there is progress.
        """
        number = self._forceable()
        if number is None:
            return None
        return number, min(self._missing(tick) for tick in self._claims(number))

    def missing(self) -> str:
        """Return what the oldest waiting tick still waits for, for people."""
        if not self._ticks:
            return "the world's clock"
        number = min(self._ticks)
        if number != self.last_tick + 1:
            return f"tick {self.last_tick + 1} of the world's clock ({number} is here)"
        tick = self._ticks[number][0]
        here = self._frames_done + self._frames_of(tick)
        parts = [f"tick {number}: frames {here} of {tick.frames}"]
        for kind, done in sorted(self._numbers_done.items()):
            wanted = tick.messages[kind]
            parts.append(f"{kind} {done + len(self._ready(kind, wanted))} of {wanted}")
        return ", ".join(parts)

    def _hold(self, frame: Frame) -> None:
        self._frames.setdefault(frame.sent_ms, []).append(frame)
        if frame.sent_ms > self.last_tick_ms:
            self._counted.setdefault(frame.sent_ms, set()).add(frame.id)

    def _doubt(self, tick: ClockTick) -> RejectReason | None:
        """Return why a tick cannot follow the last one, None when it can."""
        ahead = tick.tick - self.last_tick
        if not 0 < ahead <= MOST_TICKS_AHEAD:
            return RejectReason.BAD_VALUE
        if not 0 < tick.time_ms - self.last_tick_ms <= ahead * LONGEST_TICK_MS:
            return RejectReason.BAD_TIME
        counts = [(tick.frames, self._frames_done)]
        counts += [(tick.messages.get(kind, 0), n) for kind, n in self._numbers_done.items()]
        if any(not 0 <= count <= done + ahead * MOST_A_TICK for count, done in counts):
            return RejectReason.BAD_VALUE
        is_less = self._is_certain and tick.frames < self._frames_done
        return RejectReason.BAD_VALUE if is_less else None

    def _claims(self, number: int) -> list[ClockTick]:
        return [tick for tick in self._ticks.get(number, ()) if self._doubt(tick) is None]

    def _forceable(self) -> int | None:
        following = self.last_tick + 1
        if following in self._ticks:
            return following if self._claims(following) else None
        held = sorted(self._ticks)
        jumps = (one for one, two in pairwise(held) if two == one + 1 and self._claims(one))
        return next(jumps, None)

    def _missing(self, tick: ClockTick) -> int:
        missing = max(0, tick.frames - self._frames_done - self._frames_of(tick))
        for kind, done in self._numbers_done.items():
            wanted = tick.messages[kind]
            here = sum(number <= wanted for number in self._numbered[kind])
            missing += max(0, wanted - done) - here
        return missing

    def _frames_of(self, tick: ClockTick) -> int:
        """Count the frames sent since the last tick: late and repeated ones make none whole."""
        return sum(len(ids) for sent_ms, ids in self._counted.items() if sent_ms <= tick.time_ms)

    def _ready(self, kind: str, wanted: int) -> list[int]:
        return sorted(number for number in self._numbered[kind] if number <= wanted)

    def _take(self, tick: ClockTick) -> TickWork:
        self._is_certain = self._missing(tick) == 0
        times = sorted(sent_ms for sent_ms in self._frames if sent_ms <= tick.time_ms)
        frames = [frame for sent_ms in times for frame in self._frames.pop(sent_ms)]
        numbered: list[tuple[str, bytes]] = []
        for kind, done in sorted(self._numbers_done.items()):
            wanted = tick.messages[kind]
            waiting = self._numbered[kind]
            numbered += [(kind, waiting.pop(number)) for number in self._ready(kind, wanted)]
            self._numbers_done[kind] = max(done, wanted)
        for sent_ms in times:
            self._counted.pop(sent_ms, None)
        self.last_tick, self.last_tick_ms = tick.tick, tick.time_ms
        self._frames_done = tick.frames
        gone = [number for number in self._ticks if number <= tick.tick]
        refused = sum(len(self._ticks.pop(number)) for number in gone) - 1
        return TickWork(tick, sorted(frames, key=lambda frame: frame.id), numbered, refused)
