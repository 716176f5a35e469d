"""What has arrived from the wire and which ticks of the world's clock are whole.

Topics may arrive in any order (each MQTT subscription has its own), so a tick is worked on only
when everything its clock message counted is there. Numbers make repetition harmless.
"""

from dataclasses import dataclass, field

from sensors.field import ClockTick, DamagedMessage, DeviceStatus, Feedback
from sensors.ground_truth import TrueIncident
from sensors.readings import Frame

Body = tuple[DeviceStatus, ...] | Feedback | TrueIncident | DamagedMessage
Raw = tuple[str, bytes]
"""Topic and payload as received."""

_WINDOW = 4096


@dataclass
class Numbers:
    """Which numbers of one sender have been seen: all up to `done`, and some beyond.

    Numbers that stay away longer than a window of 4,096 are given up as lost.
    """

    done: int = 0
    beyond: set[int] = field(default_factory=set)

    def is_new(self, number: int) -> bool:
        """Note a number and return whether it had not been seen before."""
        if number <= self.done or number in self.beyond:
            return False
        self.beyond.add(number)
        if len(self.beyond) > _WINDOW:
            self.done = min(self.beyond) - 1
        while self.done + 1 in self.beyond:
            self.done += 1
            self.beyond.remove(self.done)
        return True


@dataclass
class TickWork:
    """Everything that belongs to one tick, in canonical order."""

    tick: ClockTick
    frames: list[Frame]
    numbered: list[Body]


@dataclass
class Seen:
    """What a snapshot keeps of the arrivals."""

    frames: dict[str, Numbers] = field(default_factory=dict)
    numbered: dict[str, Numbers] = field(default_factory=dict)
    frame_count: int = 0
    last_tick: int = 0
    last_tick_ms: int = 0


class Arrivals:
    """Sorts what arrives into ticks."""

    def __init__(self, seen: Seen | None = None) -> None:
        self.seen = seen or Seen()
        self._ticks: dict[int, tuple[ClockTick, Raw]] = {}
        self._frames: list[tuple[Frame, Raw]] = []
        self._numbered: dict[str, dict[int, tuple[Body, Raw]]] = {}

    def frame(self, frame: Frame, raw: Raw) -> None:
        """Take a frame; a repeated one is kept too, the monitor counts it."""
        sender = f"{frame.id.gateway}/{frame.id.boot}"
        if self.seen.frames.setdefault(sender, Numbers(-1)).is_new(frame.id.seq):
            self.seen.frame_count += 1
        self._frames.append((frame, raw))

    def numbered(self, kind: str, number: int, body: Body, raw: Raw) -> None:
        """Take a numbered message of a topic kind; a repeated number is dropped."""
        if self.seen.numbered.setdefault(kind, Numbers()).is_new(number):
            self._numbered.setdefault(kind, {})[number] = (body, raw)

    def clock(self, tick: ClockTick, raw: Raw) -> bool:
        """Take a tick of the clock; return False when it was worked on before."""
        if tick.tick <= self.seen.last_tick:
            return False
        self._ticks.setdefault(tick.tick, (tick, raw))
        return True

    def next_tick(self, *, is_forced: bool = False) -> TickWork | None:
        """Return the next tick's work when all it counted has arrived (or if forced)."""
        if not self._ticks:
            return None
        number = min(self._ticks)
        tick, _ = self._ticks[number]
        if not is_forced and not self._is_whole(tick):
            return None
        del self._ticks[number]
        return self._take(tick)

    @property
    def is_waiting(self) -> bool:
        """Whether a tick has come whose messages are not all there."""
        return bool(self._ticks)

    def pending(self) -> list[Raw]:
        """Return what arrived but belongs to no tick worked on yet, as received."""
        raws = [raw for _, raw in self._frames]
        for kind in sorted(self._numbered):
            raws += [raw for _, (_, raw) in sorted(self._numbered[kind].items())]
        return raws + [raw for _, (_, raw) in sorted(self._ticks.items())]

    def missing(self) -> str:
        """Return what the oldest waiting tick still waits for, for people."""
        if not self._ticks:
            return "the world's clock"
        tick = self._ticks[min(self._ticks)][0]
        parts = [f"tick {tick.tick}: frames {self.seen.frame_count} of {tick.frames}"]
        for kind, wanted in sorted(tick.messages.items()):
            parts.append(f"{kind} {self._done(kind)} of {wanted}")
        return ", ".join(parts)

    def _is_whole(self, tick: ClockTick) -> bool:
        if self.seen.frame_count < tick.frames:
            return False
        return all(self._done(kind) >= wanted for kind, wanted in tick.messages.items())

    def _done(self, kind: str) -> int:
        return self.seen.numbered[kind].done if kind in self.seen.numbered else 0

    def _take(self, tick: ClockTick) -> TickWork:
        due = [frame for frame, _ in self._frames if frame.sent_ms <= tick.time_ms]
        self._frames = [item for item in self._frames if item[0].sent_ms > tick.time_ms]
        bodies: list[Body] = []
        for kind in sorted(self._numbered):
            waiting, wanted = self._numbered[kind], tick.messages.get(kind, 0)
            ready = sorted(number for number in waiting if number <= wanted)
            bodies += [waiting.pop(number)[0] for number in ready]
        self.seen.last_tick, self.seen.last_tick_ms = tick.tick, tick.time_ms
        return TickWork(tick, sorted(due, key=lambda frame: frame.id), bodies)
