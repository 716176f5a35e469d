"""Small stages written by hand, and the messages they say, for tests of router and runner."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pipeline.messages import Closure, Message, Milestone, Slip
from pipeline.stage import pack, unpack
from sensors.field import Act, WorkOrder
from sensors.levels import Level
from sensors.readings import Frame

T_MS = 900


def slip_of(cause: Message, time_ms: int = T_MS) -> Slip:
    return Slip(
        "I-1", "o1", "ack", 1, "yellow", "duty", 0, time_ms, f"after {type(cause).__name__}"
    )


def closure_of(cause: Message, time_ms: int = T_MS) -> Closure:
    return Closure("I-1", True, time_ms, f"after {type(cause).__name__}")


def milestone_of(cause: Message, time_ms: int = T_MS) -> Milestone:
    reason = f"after {type(cause).__name__}"
    return Milestone("I-1", "o1", "ack", 10, 5, True, time_ms, reason)


def order_of(number: int, time_ms: int) -> WorkOrder:
    return WorkOrder(
        f"O-{number}",
        "I-1",
        "T1",
        "water",
        Level.RED,
        (Act.INSPECT,),
        ("P1",),
        0.0,
        0.0,
        time_ms,
        {"onsite": time_ms + 1},
        "nearest_capable",
    )


class HandStage:
    """Answers each message by a function, and notes what it heard."""

    def __init__(
        self,
        name: str,
        answer: Callable[[Message], Sequence[Message]],
        heard: list[str] | None = None,
        on_time: Sequence[Message] = (),
    ) -> None:
        self.name, self._answer, self._said_on_time = name, answer, on_time
        self.heard: list[str] = [] if heard is None else heard

    def on_batch(self, batch: Sequence[Message], now_ms: int) -> Sequence[Message]:
        said: list[Message] = []
        for message in batch:
            self.heard.append(f"{self.name} {type(message).__name__}")
            said += self._answer(message)
        return said

    def on_time(self, now_ms: int) -> Sequence[Message]:
        self.heard.append(f"{self.name} time")
        return self._said_on_time

    def next_due(self) -> int | None:
        return None

    def snapshot(self) -> bytes:
        return b""

    def restore(self, snapshot: bytes) -> None:
        assert snapshot == b""


@dataclass
class Count:
    """State of `CountingStage`."""

    readings: int = 0
    frames: dict[str, int] = field(default_factory=dict)
    ticks: int = 0


class CountingStage:
    """Counts readings of new frames and says so each tick; orders something every third tick.

    What it says follows from everything it ever heard, so a lost, doubled or misplaced frame
    shows in its log.
    """

    name = "count"

    def __init__(self) -> None:
        self.state = Count()

    def on_batch(self, batch: Sequence[Message], now_ms: int) -> Sequence[Message]:
        for message in batch:
            if isinstance(message, Frame) and str(message.id) not in self.state.frames:
                self.state.frames[str(message.id)] = 1
                self.state.readings += round(1000 * message.batch.value.sum())
        return ()

    def on_time(self, now_ms: int) -> Sequence[Message]:
        self.state.ticks += 1
        said: list[Message] = []
        if self.state.ticks % 2 == 0:
            said.append(Closure("I-1", True, now_ms, f"sum {self.state.readings}"))
        if self.state.ticks % 3 == 0:
            said.append(order_of(self.state.ticks, now_ms))
        return said

    def next_due(self) -> int | None:
        return None

    def snapshot(self) -> bytes:
        return pack(self.name, 1, self.state)

    def restore(self, snapshot: bytes) -> None:
        self.state = unpack(snapshot, self.name, 1, Count)
