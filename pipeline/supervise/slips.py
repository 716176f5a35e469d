"""Escalation: which slip a late clock gets next, at what moment, in which colour, to whom."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.rules import EscalationStep
from pipeline.supervise.deadlines import Clock
from pipeline.supervise.reasons import Reason
from sensors.levels import Level

TIERS: tuple[str, ...] = ("street", "district", "city_centre", "city_committee")
"""Command tiers upward; a blue case starts at the street, a red one at the city committee."""

REMINDER, OVERDUE, EXTENDED, LISTED, NAMED = 1, 2, 3, 4, 5
"""The five steps: reminder, limit passed, extension passed, listed (挂牌督办), in the circular."""

DELIST_SHARE = 1.0
"""A listed case has as long again as its limit before it is named (proposed)."""
REPEAT_COUNT = 3
"""Overdue orders at one asset that list a case at once (proposed)."""
REPEAT_MS = 30 * 24 * 3_600_000
"""Window of that count, 30 days (proposed)."""

_REASONS = {
    REMINDER: Reason.NEAR_LIMIT,
    OVERDUE: Reason.LIMIT_PASSED,
    EXTENDED: Reason.EXTENSION_PASSED,
    LISTED: Reason.DOUBLE_LIMIT,
    NAMED: Reason.NOT_DELISTED,
}


@dataclass(frozen=True, slots=True)
class Rung:
    """One step of the ladder a level climbs.

    Attributes:
        step: 1 reminder … 5 circular.
        share: Share of the limit that is used up when it falls due.
        colour: Colour of the slip; a scale of its own, not the warning level.
        climbs: Command tiers above the level's own.
        reason: Why it is given.
    """

    step: int
    share: float
    colour: str
    climbs: int
    reason: Reason


def ladder(steps: Sequence[EscalationStep], level: Level) -> tuple[Rung, ...]:
    """Return the rungs of a level, in order.

    Orange and red skip the extension: the limit passed is the orange slip at once. A step
    without a share of its own falls due `DELIST_SHARE` after the one before.
    """
    is_urgent = level.value <= Level.ORANGE
    rungs: list[Rung] = []
    climbs, share, limit_share = 0, 0.0, 1.0
    for step in sorted(steps, key=lambda item: item.step):
        climbs += step.tiers_up
        share = step.at_fraction if step.at_fraction is not None else share + DELIST_SHARE
        reason = _REASONS[step.step]
        if is_urgent and step.step == OVERDUE:
            limit_share = share
            continue
        if is_urgent and step.step == EXTENDED:
            share, reason = limit_share, Reason.LIMIT_PASSED
        rungs.append(Rung(step.step, share, step.slip, climbs, reason))
    return tuple(rungs)


def next_rung(clock: Clock, rungs: Sequence[Rung]) -> tuple[Rung, int] | None:
    """Return the next slip of a clock and the event time it falls due, None after the last."""
    limit_ms = clock.due_ms - clock.start_ms
    for rung in rungs:
        if rung.step > clock.step:
            return rung, clock.start_ms + round(rung.share * limit_ms)
    return None


def tier(rung: Rung, level: Level) -> str:
    """Return who gets the slip: the unit, or a command tier counted up from the level's own."""
    if rung.step == REMINDER:
        return "unit"
    own = len(TIERS) - level.value
    return TIERS[min(own + rung.climbs, len(TIERS) - 1)]
