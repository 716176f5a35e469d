"""Slips that fall due as event time goes on."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from pipeline.messages import Slip
from pipeline.supervise.cases import Case, SuperviseState
from pipeline.supervise.deadlines import Clock
from pipeline.supervise.reasons import Reason
from pipeline.supervise.slips import (
    LISTED,
    OVERDUE,
    REPEAT_COUNT,
    REPEAT_MS,
    Rung,
    next_rung,
    tier,
)
from sensors.levels import Level

VERIFY = "verify"
"""Clock named on the slip of a case whose sensors contradict the crews."""


def due_slips(
    state: SuperviseState, ladders: Mapping[Level, Sequence[Rung]], now_ms: int
) -> list[Slip]:
    """Return every slip due up to `now_ms`, once each, in the order they fall due.

    The third overdue order at one asset within 30 days is listed at once.
    """
    slips: list[Slip] = []
    for case, clock in _clocks(state):
        rungs = ladders[clock.level]
        while (item := next_rung(clock, rungs)) is not None and item[1] <= now_ms:
            rung, due_ms = item
            slips.append(_slip(case, clock, rung, due_ms, now_ms))
            clock.step = rung.step
            is_repeated = rung.step >= OVERDUE and _count_overdue(state, clock, due_ms)
            if is_repeated and rung.step < LISTED:
                listed = next(step for step in rungs if step.step == LISTED)
                listed = replace(listed, reason=Reason.REPEATED_AT_ASSET)
                slips.append(_slip(case, clock, listed, due_ms, now_ms))
                clock.step = LISTED
    return sorted(slips, key=lambda slip: (slip.due_ms, slip.incident, slip.clock, slip.order))


def contradiction_slip(case: Case, due_ms: int, now_ms: int) -> Slip:
    """Return the slip of a case said to be done while its sensors still alarm."""
    return Slip(
        incident=case.id,
        order=list(case.orders)[-1] if case.orders else "",
        clock=VERIFY,
        step=OVERDUE,
        colour="yellow",
        tier="unit",
        due_ms=due_ms,
        time_ms=now_ms,
        reason=Reason.SENSORS_DISAGREE,
    )


def _clocks(state: SuperviseState) -> Iterator[tuple[str, Clock]]:
    for name in sorted(state.drafts):
        yield name, state.drafts[name].clock
    for name in sorted(state.cases):
        clocks = state.cases[name].clocks
        for key in sorted(clocks):
            yield name, clocks[key]


def _slip(case: str, clock: Clock, rung: Rung, due_ms: int, now_ms: int) -> Slip:
    return Slip(
        incident=case,
        order=clock.order,
        clock=clock.name,
        step=rung.step,
        colour=rung.colour,
        tier=tier(rung, clock.level),
        due_ms=due_ms,
        time_ms=now_ms,
        reason=rung.reason,
    )


def _count_overdue(state: SuperviseState, clock: Clock, due_ms: int) -> bool:
    """Note an overdue order at its asset; return whether the asset has had too many."""
    if not clock.asset:
        return False
    orders = state.overdue.setdefault(clock.asset, {})
    orders.setdefault(clock.order, due_ms)
    for order, overdue_ms in list(orders.items()):
        if due_ms - overdue_ms > REPEAT_MS:
            del orders[order]
    return len(orders) >= REPEAT_COUNT
