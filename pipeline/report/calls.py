"""What citizens tell the hotline, and which case it is about."""

from collections.abc import Iterable
from math import hypot

from pipeline.messages import CitizenTold
from pipeline.report.bulletins import began_ms
from pipeline.report.cases import Case
from pipeline.report.course import note_call
from pipeline.report.reasons import Reason
from sensors.field import HotlineReport

NEAR_M = 300.0
"""A call this near to a case is about it (proposed: coupling rule hotline)."""
RECENT_MS = 30 * 60_000
"""A call so long before a case began may be about it, too (proposed)."""


def take_call(call: HotlineReport, cases: Iterable[Case]) -> CitizenTold:
    """Note a call at the nearest open case it can be about, and return what is to be logged."""
    case = min(
        (case for case in cases if is_about(call, case)),
        key=lambda case: (_away_m(call, case), case.incident.id),
        default=None,
    )
    if case is not None:
        add_call(call, case)
    return CitizenTold(
        call=call.id,
        incident=case.incident.id if case is not None else "",
        told=call.subject,
        area=call.area,
        x_m=call.x_m,
        y_m=call.y_m,
        seen_ms=call.seen_ms,
        time_ms=call.time_ms,
        reason=Reason.CALL_NEAR_CASE if case is not None else Reason.CALL_WITHOUT_CASE,
    )


def add_call(call: HotlineReport, case: Case) -> None:
    """Note a call at a case, once."""
    if call.id not in case.calls:
        case.calls.append(call.id)
        note_call(case, call)


def is_about(call: HotlineReport, case: Case) -> bool:
    """Return whether a call can be about a case: near, not long before it, not after its end."""
    is_open = case.closure is None or call.time_ms <= case.closure.time_ms
    is_timely = call.time_ms >= began_ms(case.incident) - RECENT_MS
    return is_open and is_timely and _away_m(call, case) <= NEAR_M


def recent(calls: list[HotlineReport], now_ms: int) -> list[HotlineReport]:
    """Return the calls a case that begins now may still be about."""
    return [call for call in calls if call.time_ms >= now_ms - 2 * RECENT_MS]


def _away_m(call: HotlineReport, case: Case) -> float:
    place = case.incident.location
    return hypot(call.x_m - place.x_m, call.y_m - place.y_m)
