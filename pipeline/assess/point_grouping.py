"""Groups alarms at points into incidents: gas by distance, ponding by spot, rain by storm."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

import numpy as np

from pipeline.assess.cases import OVER, UNUSABLE, AssessState, Case
from pipeline.assess.grouping import Grouped, join_case, open_case
from pipeline.assess.layout import Layout
from pipeline.assess.point_policy import PointLimits
from pipeline.assess.policy import MINUTE_MS, AssessPolicy
from pipeline.assess.surroundings import Surroundings
from pipeline.messages import Alarm, AlarmState, IncidentStatus
from sensors.quantities import (
    FREEBOARD,
    GAS_PRESSURE,
    METHANE,
    METHANE_LEL,
    PONDING_DEPTH,
    PRESSURE,
    RAINFALL,
)


class Family(StrEnum):
    """What an incident's alarms are about; families do not mix in one incident."""

    GAS = "gas"
    PONDING = "ponding"
    DRAIN = "drain"
    FIRE = "fire"
    RAIN = "rain"
    OTHER = "other"


_FAMILIES: Mapping[str, Family] = MappingProxyType(
    {
        METHANE.name: Family.GAS,
        METHANE_LEL.name: Family.GAS,
        GAS_PRESSURE.name: Family.GAS,
        PONDING_DEPTH.name: Family.PONDING,
        FREEBOARD.name: Family.DRAIN,
        PRESSURE.name: Family.FIRE,
        RAINFALL.name: Family.RAIN,
    }
)


def family_of(alarm: Alarm) -> Family:
    """Return the family of an alarm that is not of the water mains."""
    return _FAMILIES.get(alarm.quantity, Family.OTHER)


def group_point(
    state: AssessState,
    alarm: Alarm,
    now_ms: int,
    layout: Layout,
    surroundings: Surroundings,
    limits: PointLimits,
    policy: AssessPolicy,
) -> Grouped:
    """Take an alarm's newest state: it opens a case, joins one, or changes nothing.

    A provisional alarm opens nothing: the next sample is a minute away. One that got worse after
    its case was dismissed opens a new case.
    """
    previous = state.alarms.get(alarm.id)
    state.alarms[alarm.id] = alarm
    if alarm.state in OVER:
        return Grouped.OVER
    if alarm.device not in layout.number:
        return Grouped.UNKNOWN_DEVICE
    onset_ms = alarm.raised_ms
    if alarm.id in state.owner:
        owner = state.cases.get(state.owner[alarm.id])
        if owner is not None and owner.status is not IncidentStatus.DISMISSED:
            return Grouped.KNOWN
        if previous is None or not alarm.level.is_worse_than(previous.level):
            return Grouped.KNOWN
        onset_ms = alarm.sample_ms
    elif alarm.state is AlarmState.PROVISIONAL:
        return Grouped.NOT_YET
    family = family_of(alarm)
    near = [
        case
        for case in state.cases.values()
        if case.family == family
        and _belongs(state, case, alarm, onset_ms, layout, surroundings, limits)
    ]
    for case in near:
        if case.is_open:
            join_case(state, case, alarm, onset_ms, layout)
            return Grouped.JOINED
    for case in near:
        is_recent = now_ms < case.ended_ms + policy.quiet_ms
        if case.status is IncidentStatus.CLOSED and is_recent and onset_ms <= case.ended_ms:
            return Grouped.QUIET_AFTER_CLOSURE
    open_case(state, alarm, onset_ms, now_ms, layout).family = family
    return Grouped.OPENED


def _belongs(
    state: AssessState,
    case: Case,
    alarm: Alarm,
    onset_ms: int,
    layout: Layout,
    surroundings: Surroundings,
    limits: PointLimits,
) -> bool:
    number = layout.number[alarm.device]
    if number in case.devices:
        return True
    match case.family:
        case Family.GAS:
            return _is_same_gas(state, case, alarm, onset_ms, number, layout, surroundings, limits)
        case Family.PONDING:
            same = any(layout.element[n] == layout.element[number] for n in case.devices)
            return same or _within(case, number, limits.spot_join_m, layout)
        case Family.DRAIN:
            return case.area == alarm.area
        case Family.RAIN:
            return _in_time(case, onset_ms, limits.notice_join_min)
        case _:
            is_here = case.area == alarm.area
            return is_here and _in_time(case, onset_ms, limits.fire_join_min)


def _is_same_gas(
    state: AssessState,
    case: Case,
    alarm: Alarm,
    onset_ms: int,
    number: int,
    layout: Layout,
    surroundings: Surroundings,
    limits: PointLimits,
) -> bool:
    """Return whether a gas alarm is about a case: methane near by, or pressure at its moment.

    Methane is near when the spaces are, or when one pipe between them may foul both.

    Pressure that falls while a team is at work falls because the team has closed a pipe.
    """
    is_pressure = alarm.quantity == GAS_PRESSURE.name
    if not (is_pressure or _quantity_of(case) == GAS_PRESSURE.name):
        is_timely = _in_time(case, onset_ms, limits.gas_join_min)
        if not is_timely or _within(case, number, limits.gas_join_m, layout):
            return is_timely
        return any(
            _share_a_pipe(state, case, other, number, layout, surroundings, limits)
            for other in case.devices
        )
    is_timely = _in_time(case, onset_ms, limits.gas_pressure_join_min)
    is_timely |= is_pressure and case.has_arrived
    return is_timely and _within(case, number, limits.gas_pressure_join_m, layout)


def _share_a_pipe(
    state: AssessState,
    case: Case,
    first: int,
    second: int,
    layout: Layout,
    surroundings: Surroundings,
    limits: PointLimits,
) -> bool:
    """Return whether a leak of one pipe between two spaces may foul both.

    The spaces at the two ends of a street lie further apart than gas travels, but a leak between
    them reaches both. A space that is nearer to that pipe and was clean since speaks against it:
    then there are two leaks.
    """
    one, other = layout.place_m[first], layout.place_m[second]
    if np.hypot(*(one - other)) > 2.0 * limits.gas_travel_m:
        return False
    x_m, y_m = ((one + other) / 2.0).tolist()
    rows = surroundings.pipes_near((x_m, y_m), limits.gas_travel_m)
    if not len(rows):
        return False
    feet = surroundings.feet_m(rows, (x_m, y_m))
    reach = np.maximum(*(np.hypot(*(feet - place).T) for place in (one, other)))
    nearest = int(np.argmin(reach))
    if reach[nearest] > limits.gas_travel_m:
        return False
    spaces = surroundings.methane
    away = np.hypot(*(layout.place_m[spaces] - feet[nearest]).T)
    own = [*case.devices, second]
    between = spaces[(away < limits.gas_nearer_ratio * reach[nearest]) & ~np.isin(spaces, own)]
    between = between[(state.doubts[between] & UNUSABLE) == 0]
    time_ms, value = state.history.recent(between, 1, case.onset_ms)
    is_clean = value[:, 0] * surroundings.to_vol[between] <= limits.gas_clean_vol
    return not bool((is_clean & (time_ms[:, 0] > case.onset_ms)).any())


def _quantity_of(case: Case) -> str:
    """Return the quantity of the case's first alarm, by the rule in its id."""
    return GAS_PRESSURE.name if ".pressure_" in case.alarms[0].split("/")[1] else METHANE.name


def _in_time(case: Case, onset_ms: int, window_min: float) -> bool:
    window_ms = round(window_min * MINUTE_MS)
    return case.onset_ms - window_ms <= onset_ms <= case.newest_raised_ms + window_ms


def _within(case: Case, number: int, reach_m: float, layout: Layout) -> bool:
    away = layout.place_m[case.devices] - layout.place_m[number]
    return bool((np.hypot(away[:, 0], away[:, 1]) <= reach_m).any())
