"""The course of a case: what each message adds to it, in words."""

from collections.abc import Iterable
from math import hypot

from pipeline.messages import (
    OUTSIDE,
    Cause,
    Closure,
    Dispatch,
    Incident,
    IncidentStatus,
    Mark,
    Milestone,
    ModelFinding,
    Slip,
    WarningNotice,
    WarningStatus,
)
from pipeline.report.cases import Case, Entry, UnitTrack
from pipeline.report.gazetteer import Gazetteer
from pipeline.report.grounds import finding_line
from pipeline.report.words import (
    CALLS,
    CAUSES,
    CLOCKS,
    FEEDBACK,
    MARKS,
    level_text,
    minutes_text,
    reason_text,
)
from sensors.field import Feedback, FeedbackKind, HotlineReport, WorkOrder

_QUIET_STEPS = (FeedbackKind.ACCEPTED, FeedbackKind.DEPARTED, FeedbackKind.REPLACED)
"""Steps of a crew that change its state and are no news by themselves."""
_CONTAINED = (
    FeedbackKind.ISOLATED,
    FeedbackKind.VENTILATED,
    FeedbackKind.PUMPING,
    FeedbackKind.ROAD_CLOSED,
    FeedbackKind.BARRIER_PLACED,
)
_MINUTE_MS = 60_000
_UNASKED = "assess"
"""Actor of a version of a warning that nobody had to approve."""
NEAR_M = 1000.0
"""Incidents of two domains so near to each other may have to do with one another (proposed)."""


def open_case(incident: Incident) -> Case:
    """Return the case of an incident that was just confirmed."""
    case = Case(incident, incident.level)
    what = CAUSES[incident.cause]
    case.note(incident.time_ms, f"Confirmed as {what}, level {level_text(incident.level)}")
    for mark in Mark:
        if mark in incident.adjustments:
            case.note(incident.time_ms, MARKS[mark])
    return case


def relate(case: Case, others: Iterable[Case]) -> None:
    """Note at a new case and at open ones of other domains near by that both happen at once."""
    for other in others:
        metres = _apart_m(case, other)
        if metres is not None:
            _note_other(case, other, metres, case.incident.time_ms)
            _note_other(other, case, metres, case.incident.time_ms)


def _apart_m(case: Case, other: Case) -> float | None:
    """Return how far two cases lie apart, None when one has nothing to do with the other.

    A storm concerns the whole city; full drains concern nobody.
    """
    one, two = case.incident, other.incident
    is_over = other.closure is not None or two.status != IncidentStatus.CONFIRMED
    if is_over or one.domain == two.domain or Cause.SURCHARGE in (one.cause, two.cause):
        return None
    here, there = one.location, two.location
    metres = hypot(here.x_m - there.x_m, here.y_m - there.y_m)
    return metres if metres <= NEAR_M or Cause.STORM in (one.cause, two.cause) else None


def _note_other(case: Case, other: Case, metres: float, time_ms: int) -> None:
    incident = other.incident
    where = next(iter(incident.location.candidates), incident.area)
    what = f"{CAUSES[incident.cause]} at {where}, {metres:.0f} m away ({incident.id})"
    case.note(time_ms, f"At the same time: {what}")


def note_version(case: Case, incident: Incident) -> None:
    """Note what a newer version of the incident changed."""
    old, case.incident = case.incident, incident
    if incident.status == IncidentStatus.DISMISSED:
        case.note(incident.time_ms, f"Withdrawn: {reason_text(incident.reason)}")
    if incident.status != IncidentStatus.CONFIRMED:
        return
    if incident.level != old.level:
        has_risen = incident.level.is_worse_than(old.level)
        case.has_risen = case.has_risen or has_risen
        verb = "raised" if has_risen else "lowered"
        was, is_now = level_text(old.level), level_text(incident.level)
        case.note(incident.time_ms, f"Level {verb} from {was} to {is_now}")
    if incident.cause != old.cause:
        case.note(incident.time_ms, f"Now held to be {CAUSES[incident.cause]}")
    first, before = incident.location.candidates[:1], old.location.candidates[:1]
    if first and first != before:
        case.note(incident.time_ms, f"Most likely place is now {first[0]}")
    for mark in Mark:
        if mark in incident.adjustments and mark not in old.adjustments:
            case.note(incident.time_ms, MARKS[mark])


def note_warning(case: Case, warning: WarningNotice) -> None:
    """Note a version of a warning: asked for, out, changed or taken back.

    A draft taken back that never became this case's warning is no news, nor is an update that
    leaves the level as it is; the list of versions has it all the same.
    """
    is_over = warning.status is WarningStatus.CANCELLED
    if warning.status is WarningStatus.DRAFT:
        return
    if is_over and warning.id not in case.known_warnings:
        return
    if warning.id not in case.known_warnings:
        case.known_warnings.append(warning.id)
    if warning.status in OUTSIDE and case.issued_ms is None:
        case.issued_ms = warning.time_ms
    level, status = level_text(warning.level), reason_text(warning.status.value)
    by = "" if warning.actor == _UNASKED else f" by {warning.actor}"
    text = f"Warning {warning.id} {status}{by} at level {level}"
    told = f"Version {warning.version}: {status}{by}, level {level} ({reason_text(warning.reason)})"
    case.warnings.append(Entry(warning.time_ms, told))
    if warning.status is not WarningStatus.UPDATED:
        case.note(warning.time_ms, text)


def note_finding(case: Case, finding: ModelFinding) -> None:
    """Note what a warning model found about the case, or that it no longer does."""
    if not finding.is_on and finding.id not in case.findings:
        return
    text = finding_line(finding)
    if finding.is_on:
        case.findings[finding.id] = text
    case.note(finding.time_ms, text)


def note_dispatch(case: Case, dispatch: Dispatch, places: Gazetteer) -> None:
    """Note an order that was given, or that nobody could be sent."""
    order = dispatch.order
    reason = reason_text(dispatch.reason)
    if order is None:
        case.lacks = reason
        case.note(dispatch.time_ms, f"No further team was sent: {reason}")
        return
    case.lacks = ""
    amended = _amended(case, order)
    if amended is not None:
        del case.units[amended]
    case.units[order.id] = UnitTrack(order.team, "sent")
    acts = ", ".join(reason_text(act) for act in order.acts)
    goal = order.targets[0] if order.targets else "the area"
    text = (
        f"{places.team(order.team)} sent to {goal} with order {order.id} to {acts}; "
        f"about {minutes_text(dispatch.travel_min)} away ({reason})"
    )
    case.note(dispatch.time_ms, text, is_measure=True)


def note_feedback(case: Case, feedback: Feedback, places: Gazetteer) -> None:
    """Note what a team did."""
    unit = case.units.get(feedback.order)
    if unit is not None:
        is_after_end = unit.state == FEEDBACK[FeedbackKind.NOT_FOUND]
        if not (feedback.kind == FeedbackKind.DONE and is_after_end):
            unit.state = FEEDBACK[feedback.kind]
    if feedback.kind in _QUIET_STEPS or feedback.kind == FeedbackKind.DONE:
        return
    if feedback.kind == FeedbackKind.FOUND:
        case.found = feedback.element
    if feedback.kind in _CONTAINED and case.contained_ms is None:
        case.contained_ms = feedback.time_ms
    if feedback.kind == FeedbackKind.RESTORED and case.restored_ms is None:
        case.restored_ms = feedback.time_ms
    element = f" at {feedback.element}" if feedback.element else ""
    note = f" ({feedback.note})" if feedback.note else ""
    text = f"{places.team(feedback.team)} {FEEDBACK[feedback.kind]}{element}{note}"
    case.note(feedback.time_ms, text, is_measure=True)


def note_call(case: Case, call: HotlineReport) -> None:
    """Note what a citizen told about the place."""
    told = CALLS.get(call.subject, reason_text(call.subject))
    case.note(call.time_ms, f"A citizen told the hotline of {told} near by")


def note_slip(case: Case, slip: Slip) -> None:
    """Note a supervision slip; from the second step on the clock is late."""
    clock = CLOCKS.get(slip.clock, slip.clock)
    if slip.step > 1:
        case.late[f"{slip.clock}/{slip.order}"] = f"{clock} overdue"
    tier = reason_text(slip.tier)
    reason = reason_text(slip.reason)
    colour = slip.colour if slip.colour != "none" else "circular"
    case.note(slip.time_ms, f"Supervision: {colour} slip for {clock} to the {tier} ({reason})")


def note_milestone(case: Case, milestone: Milestone) -> None:
    """Note a clock that was met late; one met in time clears what was said before."""
    key = f"{milestone.clock}/{milestone.order}"
    if milestone.is_in_time:
        case.late.pop(key, None)
        return
    clock = CLOCKS.get(milestone.clock, milestone.clock)
    late_min = (milestone.done_ms - milestone.due_ms) / _MINUTE_MS
    case.late[key] = f"{clock} {minutes_text(late_min)} late"
    case.note(milestone.time_ms, f"Supervision: {case.late[key]}")


def note_closure(case: Case, closure: Closure) -> None:
    """Note that supervision closed the case."""
    if case.closure is not None:
        return
    case.closure = closure
    proof = "verified by the sensors" if closure.is_verified else "not verified by the sensors"
    case.note(closure.time_ms, f"Closed, {proof} ({reason_text(closure.reason)})")


def _amended(case: Case, order: WorkOrder) -> str | None:
    """Return the order of the same team that this one takes the place of."""
    ended = {
        FEEDBACK[kind] for kind in (FeedbackKind.DONE, FeedbackKind.NOT_FOUND, FeedbackKind.REFUSED)
    }
    for name, unit in case.units.items():
        if unit.team == order.team and unit.state not in ended:
            return name
    return None
