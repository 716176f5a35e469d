"""Clocks of a case: what must be done by when, and the moments a late one is escalated."""

from dataclasses import dataclass
from enum import StrEnum

from pipeline.rules import ResponseLimits
from sensors.levels import Level


class ClockName(StrEnum):
    """What a clock waits for.

    Acknowledge, assess and dispatch run one after the other from the draft warning; on scene,
    contain and close run from dispatch; report runs from confirmation.
    """

    ACK = "ack"
    ASSESS = "assess"
    DISPATCH = "dispatch"
    ONSITE = "onsite"
    CONTAIN = "contain"
    CLOSE = "close"
    REPORT = "report"


@dataclass(slots=True)
class Clock:
    """A running clock.

    Attributes:
        name: `ClockName`.
        order: Order it belongs to, empty for clocks of the incident.
        asset: First target of the order, empty for clocks of the incident.
        level: Level whose limits it runs on.
        start_ms: When it started.
        due_ms: When it is due.
        step: Highest slip step given so far, 0 for none.
    """

    name: str
    order: str
    asset: str
    level: Level
    start_ms: int
    due_ms: int
    step: int = 0

    @property
    def key(self) -> str:
        """What one slip a step is counted by: the name, and the order of an arrival."""
        return f"{self.name}/{self.order}" if self.name == ClockName.ONSITE else self.name


def tighten(clock: Clock, level: Level, limits: ResponseLimits, now_ms: int) -> None:
    """Let a rise of the level shorten a running clock; a fall never lengthens it.

    The new limit counts from the rise, so nobody is late for a limit not known before. Clocks
    of an order keep the times written on the order.
    """
    if not level.is_worse_than(clock.level):
        return
    clock.level = level
    name = ClockName(clock.name)
    if name in (ClockName.ONSITE, ClockName.CONTAIN, ClockName.CLOSE):
        return
    limit = limits.limit_ms(name)
    if limit is not None:
        clock.due_ms = min(clock.due_ms, now_ms + limit)
