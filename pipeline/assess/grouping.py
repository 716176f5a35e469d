"""Groups alarms into incidents: by area, network distance and time."""

from enum import StrEnum

import numpy as np

from pipeline.assess.cases import OVER, AssessState, Case
from pipeline.assess.layout import Layout
from pipeline.assess.policy import AssessPolicy
from pipeline.assess.reasons import Reason
from pipeline.messages import Alarm, AlarmState, IncidentStatus, Location

_ABSORBING = frozenset({Reason.EXPLAINED_BY_OPERATION.value, Reason.EXPLAINED_BY_MODEL.value})


class Grouped(StrEnum):
    """What became of an alarm."""

    OPENED = "opened"
    JOINED = "joined"
    KNOWN = "known"
    OVER = "over"
    ABSORBED = "absorbed"
    QUIET_AFTER_CLOSURE = "quiet_after_closure"
    NOT_YET = "not_yet"
    UNKNOWN_DEVICE = "unknown_device"


def group_alarm(
    state: AssessState, alarm: Alarm, now_ms: int, layout: Layout, policy: AssessPolicy
) -> Grouped:
    """Take an alarm's newest state: it opens a case, joins one, or changes nothing.

    An alarm that got worse after its case was dismissed opens a new one from that sample on:
    what was explained then does not explain the rest. One on a fall does so only while the value
    before the fall is not of another hour of the day (`reopen_ms`).
    """
    previous = state.alarms.get(alarm.id)
    state.alarms[alarm.id] = alarm
    if alarm.state in OVER:
        return Grouped.OVER
    if alarm.id in state.owner:
        owner = state.cases.get(state.owner[alarm.id])
        if owner is not None and (owner.is_open or _is_just_closed(owner, now_ms, policy)):
            return Grouped.KNOWN
        if previous is None or not alarm.level.is_worse_than(previous.level):
            return Grouped.KNOWN
        is_old = alarm.sample_ms - alarm.raised_ms > policy.reopen_ms
        if is_old and alarm.rule in policy.early_rules:
            return Grouped.KNOWN
        return _place(state, alarm, alarm.sample_ms, now_ms, layout, policy)
    if alarm.device not in layout.number:
        return Grouped.UNKNOWN_DEVICE
    if alarm.state is AlarmState.PROVISIONAL and alarm.rule not in policy.early_rules:
        return Grouped.NOT_YET
    return _place(state, alarm, alarm.raised_ms, now_ms, layout, policy)


def _place(
    state: AssessState,
    alarm: Alarm,
    onset_ms: int,
    now_ms: int,
    layout: Layout,
    policy: AssessPolicy,
) -> Grouped:
    """Find the case an alarm that began at `onset_ms` belongs to, or open one."""
    if alarm.rule in policy.slow_rules:
        known = _known_change(state, alarm, now_ms, layout, policy)
        if known is not None and known.is_open:
            join_case(state, known, alarm, onset_ms, layout)
            return Grouped.JOINED
        if known is not None:
            state.owner[alarm.id] = known.id
            return Grouped.ABSORBED
        case = open_case(state, alarm, onset_ms, now_ms, layout)
        case.is_slow = True
        return Grouped.OPENED
    near = [case for case in state.cases.values() if _is_near(case, alarm, layout, policy)]
    for case in near:
        if case.is_open and not case.is_slow and _is_timely(case, alarm, onset_ms, layout, policy):
            join_case(state, case, alarm, onset_ms, layout)
            return Grouped.JOINED
    for case in near:
        if case.status is IncidentStatus.DISMISSED and _absorbs(case, alarm, onset_ms, policy):
            state.owner[alarm.id] = case.id
            return Grouped.ABSORBED
        if _is_just_closed(case, now_ms, policy):
            again = alarm.state is not AlarmState.PROVISIONAL and onset_ms > case.ended_ms
            if not again or _has_other(state, alarm):
                return Grouped.QUIET_AFTER_CLOSURE
    open_case(state, alarm, onset_ms, now_ms, layout)
    return Grouped.OPENED


def _known_change(
    state: AssessState, alarm: Alarm, now_ms: int, layout: Layout, policy: AssessPolicy
) -> Case | None:
    """Return the incident of the mains near by that a slow change is part of, the open ones first.

    Whatever moves flows at once moves them for hours, and the blocks of that time come late.
    """
    place_m = layout.place_m[layout.number[alarm.device]]

    def is_known(case: Case) -> bool:
        if case.domain != alarm.domain or case.status is IncidentStatus.DISMISSED:
            return False
        if not case.is_open and now_ms >= case.ended_ms + policy.slow_after_ms:
            return False
        away_m = np.hypot(*(layout.place_m[case.devices] - place_m).T)
        return bool(away_m.min() <= policy.slow_distance_m)

    known = [case for case in state.cases.values() if is_known(case)]
    known.sort(key=lambda case: (not case.is_open, case.opened_ms, case.id))
    return known[0] if known else None


def _is_just_closed(case: Case, now_ms: int, policy: AssessPolicy) -> bool:
    is_recent = now_ms <= case.ended_ms + max(policy.quiet_ms, policy.join_window_ms)
    return case.status is IncidentStatus.CLOSED and is_recent


def _is_near(case: Case, alarm: Alarm, layout: Layout, policy: AssessPolicy) -> bool:
    if case.domain != alarm.domain:
        return False
    number = layout.number[alarm.device]
    return any(layout.are_near(number, d, policy.join_distance_m) for d in case.devices)


def _is_timely(
    case: Case, alarm: Alarm, onset_ms: int, layout: Layout, policy: AssessPolicy
) -> bool:
    if layout.number[alarm.device] in case.devices:
        return True
    first_ms = case.onset_ms - policy.join_window_ms
    return first_ms <= onset_ms <= case.newest_raised_ms + policy.join_window_ms


def _absorbs(case: Case, alarm: Alarm, onset_ms: int, policy: AssessPolicy) -> bool:
    """Return whether what explained a dismissed case explains this alarm of the same moment.

    Low service pressure is never absorbed: a pump that was switched off and stays off matters.
    """
    is_same_moment = case.onset_ms <= onset_ms <= case.decided_ms
    return case.reason in _ABSORBING and alarm.rule in policy.early_rules and is_same_moment


def _has_other(state: AssessState, alarm: Alarm) -> bool:
    """Return whether another alarm of the same device still stands."""
    return any(
        other.device == alarm.device and other.id != alarm.id and other.state not in OVER
        for other in state.alarms.values()
    )


def join_case(state: AssessState, case: Case, alarm: Alarm, onset_ms: int, layout: Layout) -> None:
    """Add an alarm; one that began earlier moves the onset, and with it the reference."""
    state.owner[alarm.id] = case.id
    case.alarms.append(alarm.id)
    number = layout.number[alarm.device]
    if number not in case.devices:
        case.devices.append(number)
    case.newest_raised_ms = max(case.newest_raised_ms, onset_ms)
    if case.status is IncidentStatus.ASSESSING and onset_ms < case.onset_ms:
        case.onset_ms = onset_ms
        case.reference_ms, case.reference = np.zeros((0, 0), np.int64), np.zeros((0, 0))
    case.is_stale = True


def open_case(state: AssessState, alarm: Alarm, onset_ms: int, now_ms: int, layout: Layout) -> Case:
    """Open a case with its first alarm and return it."""
    case_id = f"I-{alarm.area}-{now_ms}"
    copy = 2
    while case_id in state.cases:  # a second event of the same area, known at the same moment
        case_id, copy = f"I-{alarm.area}-{now_ms}-{copy}", copy + 1
    x_m, y_m = layout.place_m[layout.number[alarm.device]].tolist()
    case = Case(
        id=case_id,
        area=alarm.area,
        domain=alarm.domain,
        opened_ms=now_ms,
        onset_ms=onset_ms,
        newest_raised_ms=onset_ms,
        evidence_level=alarm.level,
        level=alarm.level,
        location=Location((), (), x_m, y_m, "first_alarm"),
    )
    state.cases[case_id] = case
    join_case(state, case, alarm, onset_ms, layout)
    return case
