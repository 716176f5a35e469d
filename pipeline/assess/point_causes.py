"""Decides what alarms at a point mean: a leak or biogas, standing water, dry fire water, rain."""

from dataclasses import dataclass, replace

import numpy as np

from pipeline.assess.cases import KINDS, UNUSABLE, AssessState, Case
from pipeline.assess.causes import AlarmPicture, Verdict
from pipeline.assess.layout import Layout
from pipeline.assess.point_grouping import Family
from pipeline.assess.point_policy import PointPolicy
from pipeline.assess.point_steady import has_risen, is_steady, jumps_about
from pipeline.assess.policy import MINUTE_MS
from pipeline.assess.reasons import Reason
from pipeline.assess.same_factor import of_one_factor
from pipeline.assess.surroundings import Surroundings
from pipeline.messages import Alarm, Cause, HealthKind, IncidentStatus
from sensors.levels import Level
from sensors.quantities import GAS_PRESSURE, PRESSURE
from sensors.readings import Floats, Int64s

_COLLEAGUES = 2
"""Fit devices beside one that outvote it."""
_SPEECHLESS = UNUSABLE | 1 << KINDS.index(HealthKind.OFFLINE)
"""Doubts about a device whose silence says nothing, as bits."""
_SINCE = 12
"""Samples looked back on for the steps of a device of pressure."""
_HOTLINE = "any.hotline"
"""Warning model that raises an alarm from calls alone."""


@dataclass(frozen=True, slots=True)
class GasPicture:
    """What the gas alarms of a case say.

    Attributes:
        spaces: Devices whose methane alarm stands.
        has_pressure: Whether a pressure alarm stands too.
        has_second: Whether a second space nearby is no longer clean.
        is_biogas: Whether the model of the biogas decoy holds the case for one.
        is_drift: Whether the model of the device that drifts does.
        is_steady: Whether it is little methane of one space that does not rise; None while that
            is open.
    """

    spaces: tuple[int, ...]
    has_pressure: bool
    has_second: bool
    is_biogas: bool = False
    is_drift: bool = False
    is_steady: bool | None = False


def decide_point(
    case: Case,
    alarms: AlarmPicture,
    gas: GasPicture,
    stopped: tuple[str, ...],
    surroundings: Surroundings,
    policy: PointPolicy,
    *,
    contradicted: bool | None = False,
    told: Alarm | None = None,
    is_believed: bool = True,
) -> Verdict | None:
    """Return what a case is held to be, or None while waiting can still help.

    `told` is the forecast or the calls a case rests on while nothing is measured; what device
    that was raised at, and whether it is doubtful, says nothing then. Unless `is_believed` it
    waits for what bears it out, and ends without a trace when nothing does.
    A doubtful device gets the time to come good again; then it is a device fault. So does one
    that another device at the same element contradicts; None: the other one may still tell.
    """
    if alarms.is_over:
        return _verdict(IncidentStatus.DISMISSED, Cause.UNKNOWN, Reason.ALARMS_WITHDRAWN, 0.9)
    if not alarms.is_raised:
        return None
    if told is not None and not is_believed:
        return None
    if told is not None:
        cause, reason = _told_to_be(case, told)
        return _verdict(IncidentStatus.CONFIRMED, cause, reason, told.confidence or 0.0)
    if alarms.is_doubtful:
        fault = _verdict(IncidentStatus.DISMISSED, Cause.DEVICE_FAULT, Reason.DEVICE_DOUBTFUL, 0.7)
        return fault if alarms.is_due else None
    if gas.is_drift and not gas.has_pressure and not gas.has_second:
        reason = Reason.SLOW_RISE_OF_ONE_DEVICE
        return _verdict(IncidentStatus.DISMISSED, Cause.DEVICE_FAULT, reason, 0.7)
    if contradicted:
        reason = Reason.NEIGHBOURS_CONTRADICT_DEVICE
        fault = _verdict(IncidentStatus.DISMISSED, Cause.DEVICE_FAULT, reason, 0.7)
        return fault if alarms.is_due else None
    if contradicted is None or (gas.is_steady is None and not gas.is_biogas):
        return None
    if case.family == Family.OTHER:  # flow alone: what nobody can explain stays in the log
        sure = policy.confidence.other
        unexplained = _verdict(
            IncidentStatus.DISMISSED, Cause.UNKNOWN, Reason.UNEXPLAINED_CHANGE, sure
        )
        return unexplained if alarms.is_due else None
    cause, reason, sure = _held_to_be(case, gas, stopped, surroundings, policy)
    return _verdict(IncidentStatus.CONFIRMED, cause, reason, sure)


def gas_picture(
    state: AssessState,
    case: Case,
    standing: list[Alarm],
    layout: Layout,
    surroundings: Surroundings,
    policy: PointPolicy,
    now_ms: int,
) -> GasPicture:
    """Return what the gas alarms that stand say, with the newest values around them."""
    numbers = {layout.number[alarm.device] for alarm in standing}
    spaces = tuple(n for n in sorted(numbers) if np.isfinite(surroundings.to_vol[n]))
    has_pressure = any(
        not _is_noise(state, case, number, layout, surroundings, policy)
        for number in numbers.difference(spaces, _torn(standing, layout))
    )
    has_second = len({layout.element[number] for number in spaces}) > 1
    if spaces and not has_second:
        near = _methane_within(spaces[0], policy.limits.gas_join_m, layout, surroundings)
        is_fit = (state.doubts[near] & UNUSABLE) == 0
        near = near[is_fit & (near != spaces[0])]
        near = near[[layout.element[n] != layout.element[spaces[0]] for n in near.tolist()]]
        has_second = has_risen(state, near, surroundings, policy.limits, now_ms)
    picture = GasPicture(spaces, has_pressure, has_second)
    if not spaces or has_pressure or has_second or case.evidence_level is not Level.BLUE:
        return picture
    steady = is_steady(state, case, spaces, surroundings, policy.limits, now_ms)
    return replace(picture, is_steady=steady)


def stopped_pumps(
    state: AssessState,
    case: Case,
    layout: Layout,
    surroundings: Surroundings,
    policy: PointPolicy,
    now_ms: int,
) -> tuple[str, ...]:
    """Return the pumps of a ponding case's spots that are measured standing when they should run.

    A pump starts when its well has filled: what it showed just after the water came says
    nothing. Then every measured pump must stand; after a while, from yellow on, one that stands
    is one too many.
    """
    limits = policy.limits
    since_ms = now_ms - round(limits.pump_silence_min * MINUTE_MS)
    since_ms = max(since_ms, case.onset_ms + round(limits.pump_start_min * MINUTE_MS))
    seen: dict[str, bool] = {}
    for element in sorted({layout.element[number] for number in case.devices}):
        for pump in surroundings.pumps_of(element, limits.pump_reach_m):
            device = surroundings.pump_device.get(pump)
            if device is None or state.doubts[device] & UNUSABLE:
                continue
            time_ms, value = state.history.recent(np.array([device]), 1, since_ms)
            if time_ms[0, 0] > 0:
                seen[pump] = bool(value[0, 0] > 0.5)
    standing = tuple(sorted(pump for pump, runs in seen.items() if not runs))
    is_late = now_ms >= case.onset_ms + round(limits.pump_second_min * MINUTE_MS)
    is_one_too_many = is_late and case.evidence_level is not Level.BLUE
    return standing if is_one_too_many or len(standing) == len(seen) else ()


def is_contradicted(
    state: AssessState,
    case: Case,
    standing: list[Alarm],
    layout: Layout,
    surroundings: Surroundings,
    policy: PointPolicy,
    now_ms: int,
) -> bool | None:
    """Return whether each device with an alarm is contradicted by another one at its element.

    Hydrants hang under a roof tank: with water in it they cannot be without pressure, unless a
    valve between is shut, which their monthly test shows. None while a tank that was never heard
    may still tell its level.
    """
    for alarm in standing:
        tank = surroundings.roof_tank.get(layout.element[layout.number[alarm.device]])
        if alarm.quantity != PRESSURE.name or tank is None or state.doubts[tank] & UNUSABLE:
            return False
        level_m = newest(state, np.array([tank]))[0]
        if np.isnan(level_m):
            wait_ms = round(policy.limits.fire_tank_wait_min * MINUTE_MS)
            return None if now_ms < case.onset_ms + wait_ms else False
        if level_m < policy.limits.fire_tank_m:
            return False
    return bool(standing)


def is_alone(
    state: AssessState,
    case: Case,
    standing: list[Alarm],
    layout: Layout,
    surroundings: Surroundings,
    policy: PointPolicy,
    now_ms: int,
) -> bool | None:
    """Return whether every device with an alarm is one of several in its place and alone with it.

    Devices report at once what crosses their own limits, so silence of two fit ones beside it
    speaks against it. Beside a device of gas pressure are all within `gas_pressure_join_m`: pipes
    that are joined fall together. None while they may still join; False where there are no such
    two.
    Too much pressure does not agree with too little, and a device that shows both at once, or
    noise, agrees with nobody.
    """
    measured = [alarm for alarm in standing if alarm.confidence is None]
    if not measured:
        return False
    limits, odd = policy.limits, _torn(measured, layout)
    if case.family == Family.GAS:
        odd |= {
            number
            for number in {layout.number[alarm.device] for alarm in measured}
            if _is_noise(state, case, number, layout, surroundings, policy)
        }
        odd |= _batch_of_one_factor(state, case, measured, layout, surroundings, policy)
    for alarm in measured:
        number = layout.number[alarm.device]
        if number in odd:
            continue
        beside = surroundings.beside(number, limits.gas_pressure_join_m)
        fit = beside[(state.doubts[beside] & _SPEECHLESS) == 0]
        agreeing = {layout.number[one.device] for one in measured if _agrees(one, alarm)} - odd
        if len(fit) < _COLLEAGUES or not agreeing.isdisjoint(beside.tolist()):
            return False
        share = newest(state, fit) * surroundings.to_vol[fit]
        elevated = int((share >= limits.gas_elevated_vol).sum())  # though without an alarm
        if elevated > limits.gas_elevated_ratio * len(fit):
            return False
    is_severe = any(alarm.level <= Level.ORANGE for alarm in standing)
    wait_min = limits.severe_wait_min if is_severe else limits.colleague_wait_min
    has_waited = now_ms >= case.onset_ms + round(wait_min * MINUTE_MS)
    return True if has_waited else None


def is_restless(
    state: AssessState,
    case: Case,
    standing: list[Alarm],
    layout: Layout,
    surroundings: Surroundings,
    policy: PointPolicy,
    now_ms: int,
) -> bool | None:
    """Return whether every device with a gas alarm shows noise.

    None while that may still show: at blue there is time to wait for it.
    """
    measured = [alarm for alarm in standing if alarm.confidence is None]
    numbers = sorted({layout.number[alarm.device] for alarm in measured})
    for number in numbers:
        if not _is_noise(state, case, number, layout, surroundings, policy):
            is_mild = all(alarm.level is Level.BLUE for alarm in measured)
            wait_ms = round(policy.limits.restless_wait_min * MINUTE_MS)
            return None if is_mild and now_ms < case.onset_ms + wait_ms else False
    return bool(numbers)


def newest(state: AssessState, devices: Int64s) -> Floats:
    """Return the newest value of each of some devices, NaN where there is none."""
    if not len(devices):
        return np.zeros(0)
    return state.history.recent(devices, 1, 0)[1][:, 0]


def _held_to_be(
    case: Case,
    gas: GasPicture,
    stopped: tuple[str, ...],
    surroundings: Surroundings,
    policy: PointPolicy,
) -> tuple[Cause, Reason, float]:
    sure = policy.confidence
    match case.family:
        case Family.GAS:
            return _gas(gas, policy)
        case Family.PONDING if stopped:
            return Cause.PUMP_STOPPED, Reason.PUMP_MEASURED_STANDING, sure.pump_stopped
        case Family.PONDING:
            return Cause.PONDING, Reason.WATER_STANDS, sure.ponding
        case Family.DRAIN:
            return Cause.SURCHARGE, Reason.DRAINS_FULL, sure.surcharge
        case Family.FIRE:
            return Cause.FIRE_WATER, Reason.HYDRANT_PRESSURE_LOW, sure.fire_water
        case Family.RAIN:
            return Cause.STORM, Reason.HEAVY_RAIN, sure.storm
        case _:
            raise AssertionError(case.family)


def _told_to_be(case: Case, told: Alarm) -> tuple[Cause, Reason]:
    reason = Reason.CITIZENS_TELL if told.rule == _HOTLINE else Reason.PONDING_FORECAST
    return (Cause.GAS_LEAK if case.family == Family.GAS else Cause.PONDING), reason


def _gas(gas: GasPicture, policy: PointPolicy) -> tuple[Cause, Reason, float]:
    sure = policy.confidence
    if not gas.spaces:
        return Cause.GAS_LEAK, Reason.GAS_PRESSURE_LOW, sure.gas_pressure_only
    if gas.has_pressure:
        return Cause.GAS_LEAK, Reason.METHANE_AND_PRESSURE_AGREE, sure.gas_with_pressure
    if gas.has_second:
        return Cause.GAS_LEAK, Reason.METHANE_IN_SEVERAL_SPACES, sure.gas_several_spaces
    if gas.is_biogas:
        return Cause.BIOGAS, Reason.SLOW_RISE_IN_ONE_SPACE, sure.biogas
    if gas.is_steady:
        return Cause.STEADY_METHANE, Reason.METHANE_DOES_NOT_RISE, sure.steady_methane
    return Cause.GAS_LEAK, Reason.METHANE_HELD_ABOVE_LIMIT, sure.gas_one_space


def _is_noise(
    state: AssessState,
    case: Case,
    number: int,
    layout: Layout,
    surroundings: Surroundings,
    policy: PointPolicy,
) -> bool:
    """Return whether what a device of gas shows is noise.

    Gas fills a space and leaves it within minutes at best: a device of methane that shows it, then
    clean air, then gas again is noise. So is one of pressure that differs from sample to sample by
    far more than its accuracy.
    """
    if np.isfinite(surroundings.to_vol[number]):
        return jumps_about(state, case, number, surroundings, policy.limits)
    value = state.history.recent(np.array([number]), _SINCE, 0)[1]
    steps = np.abs(np.diff(value[0][np.isfinite(value[0])]))
    least = policy.limits.restless_ratio * layout.accuracy[number]
    if least <= 0.0 or len(steps) < _SINCE // 2:
        return False
    return bool(np.median(steps) > least)


def _batch_of_one_factor(
    state: AssessState,
    case: Case,
    measured: list[Alarm],
    layout: Layout,
    surroundings: Surroundings,
    policy: PointPolicy,
) -> set[int]:
    """Return the devices of gas pressure that went up or down by one factor, others beside quiet.

    Two are enough, for there are few of them; as many others must show nothing.
    """
    pressure = [layout.number[one.device] for one in measured if one.quantity == GAS_PRESSURE.name]
    numbers = np.array(sorted(set(pressure)), np.int64)
    if len(numbers) < _COLLEAGUES:
        return set()
    before = state.history.last_before(numbers, case.onset_ms - 1)
    least, tolerance = policy.limits.factor_least_ratio, policy.limits.factor_tolerance_ratio
    after = newest(state, numbers)
    alike = of_one_factor(before, after, least=least, tolerance=tolerance, fewest=_COLLEAGUES)
    batch = set(numbers[alike].tolist())
    beside = {
        other
        for number in batch
        for other in surroundings.beside(number, policy.limits.gas_pressure_join_m).tolist()
        if not state.doubts[other] & _SPEECHLESS
    }
    return batch if len(beside.difference(numbers.tolist())) >= max(len(batch), 1) else set()


def _torn(standing: list[Alarm], layout: Layout) -> set[int]:
    """Return the devices that alarm for too much and too little pressure at once."""
    pairs = {(a.device, a.rule) for a in standing if a.quantity == GAS_PRESSURE.name}
    devices = [device for device, _ in pairs]
    return {layout.number[device] for device in devices if devices.count(device) > 1}


def _agrees(one: Alarm, other: Alarm) -> bool:
    """Return whether two alarms may be about the same gas."""
    is_pressure = GAS_PRESSURE.name in (one.quantity, other.quantity)
    return one.rule == other.rule or not is_pressure


def _methane_within(
    number: int, reach_m: float, layout: Layout, surroundings: Surroundings
) -> Int64s:
    away = layout.place_m[surroundings.methane] - layout.place_m[number]
    found: Int64s = surroundings.methane[np.hypot(away[:, 0], away[:, 1]) <= reach_m]
    return found


def _verdict(status: IncidentStatus, cause: Cause, reason: Reason, sure: float) -> Verdict:
    return Verdict(status, cause, reason, sure)
