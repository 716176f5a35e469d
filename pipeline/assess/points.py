"""Assessment of hazards at points, from the grouped alarms to the warning that goes out."""

from dataclasses import replace

import numpy as np

from pipeline.assess.cases import AssessState, Case
from pipeline.assess.causes import AlarmPicture, Verdict
from pipeline.assess.consequence import (
    Corroboration,
    Exposure,
    consequence_of,
    live_likelihood,
    risk_colour,
)
from pipeline.assess.findings import (
    confidence_with,
    consequence_with,
    is_held_as,
    is_supported,
    level_with,
)
from pipeline.assess.grouping import Grouped
from pipeline.assess.layout import Layout
from pipeline.assess.notices import cancel, issue
from pipeline.assess.point_causes import (
    GasPicture,
    decide_point,
    gas_picture,
    is_alone,
    is_contradicted,
    is_restless,
    stopped_pumps,
)
from pipeline.assess.point_grouping import Family, group_point
from pipeline.assess.point_places import place_point
from pipeline.assess.point_policy import PointPolicy
from pipeline.assess.point_told import is_borne_out
from pipeline.assess.policy import MINUTE_MS, AssessPolicy
from pipeline.assess.reasons import Adjustment, Reason
from pipeline.assess.surroundings import Surroundings
from pipeline.messages import (
    NOTICES,
    PATROLLED,
    Alarm,
    Cause,
    IncidentStatus,
    Mark,
    Message,
)
from sensors.levels import Level, worst
from sensors.quantities import GAS_PRESSURE, METHANE, METHANE_LEL

_NO_GAS = GasPicture((), False, False)
_MARK_REASONS = {
    (Mark.CLOSURE_DEPTH, True): Reason.CLOSURE_DEPTH_REACHED,
    (Mark.WATER_GONE, True): Reason.WATER_GONE,
    (Mark.WATER_GONE, False): Reason.WATER_BACK,
}


class PointDesk:
    """Looks after incidents at points; all it remembers is in the state it is given."""

    def __init__(
        self,
        layout: Layout,
        surroundings: Surroundings,
        exposure: Exposure,
        policy: AssessPolicy,
        points: PointPolicy,
    ) -> None:
        self._layout, self._surroundings, self._exposure = layout, surroundings, exposure
        self._policy, self._points = policy, points

    def group(self, state: AssessState, alarm: Alarm, now_ms: int) -> Grouped:
        """Take an alarm's newest state: it opens a case, joins one, or changes nothing."""
        limits = self._points.limits
        return group_point(
            state, alarm, now_ms, self._layout, self._surroundings, limits, self._policy
        )

    def attend(
        self, state: AssessState, case: Case, alarms: AlarmPicture, now_ms: int
    ) -> list[Message]:
        """Decide about a case, or keep a confirmed one up to date."""
        if case.status is IncidentStatus.ASSESSING:
            return self._assess(state, case, alarms, now_ms)
        if case.status is IncidentStatus.CONFIRMED:
            return self._follow(state, case, now_ms)
        return []

    def _assess(
        self, state: AssessState, case: Case, alarms: AlarmPicture, now_ms: int
    ) -> list[Message]:
        state.renew_evidence_level(case)
        returned: list[Message] = []
        if self._policy.issue_before_assess and case.warning is None and case.drafts:
            case.level = case.evidence_level
            returned += issue(case, now_ms, Reason.ALARM_OPENED)
        gas, stopped = self._look(state, case, now_ms)
        contradicted = self._is_contradicted(state, case, now_ms)
        told = _told(state.standing(case))
        case.is_forecast = told is not None
        is_believed = told is None or is_borne_out(
            state, case, self._layout, self._surroundings, self._points.limits
        )
        verdict = decide_point(
            case,
            alarms,
            gas,
            stopped,
            self._surroundings,
            self._points,
            contradicted=contradicted,
            told=told,
            is_believed=is_believed,
        )
        if verdict is not None:
            return returned + self._conclude(state, case, verdict, gas, stopped, now_ms)
        if case.is_stale and now_ms >= case.emitted_ms + self._policy.update_ms:
            returned.append(case.version_at(now_ms, Reason.ALARMS_JOINED, self._layout))
        return returned

    def _is_contradicted(self, state: AssessState, case: Case, now_ms: int) -> bool | None:
        """Return whether other devices speak against those with an alarm; None: they still may.

        Nothing does when another kind of signal speaks for it: pressure, works, or citizens.
        """
        if is_supported(state.findings_of(case)):
            return False
        standing = state.standing(case)
        layout, around, points = self._layout, self._surroundings, self._points
        alone = is_alone(state, case, standing, layout, around, points, now_ms)
        if alone is False and case.family == Family.GAS:
            return is_restless(state, case, standing, layout, around, points, now_ms)
        if alone is False and case.family == Family.FIRE:
            return is_contradicted(state, case, standing, layout, around, points, now_ms)
        return alone

    def _conclude(
        self,
        state: AssessState,
        case: Case,
        verdict: Verdict,
        gas: GasPicture,
        stopped: tuple[str, ...],
        now_ms: int,
    ) -> list[Message]:
        case.status, case.cause, case.confidence = verdict.status, verdict.cause, verdict.confidence
        case.level, case.decided_ms = case.evidence_level, now_ms
        if verdict.status is IncidentStatus.DISMISSED:
            case.ended_ms = now_ms
            incident = case.version_at(now_ms, verdict.reason, self._layout)
            return [incident, *cancel(case, now_ms, verdict.reason)]
        self._place(state, case, stopped)
        case.level = Level.BLUE
        case.marks = self._marks(state, case, now_ms)
        self._weigh(state, case)
        return self._publish(case, verdict.reason, now_ms)

    def _follow(self, state: AssessState, case: Case, now_ms: int) -> list[Message]:
        """Publish what changed: level, cause, place, or what stands at the place."""
        is_worse = self._renew(state, case) or state.renew_findings(case)
        gas, stopped = self._look(state, case, now_ms)
        before = case.level, case.cause, case.location.candidates[:1], case.marks
        has_measured = case.is_forecast and _is_measured(state.standing(case))
        reason = Reason.ALARM_WORSE if is_worse else Reason.EVIDENCE_STRONGER
        if has_measured:
            case.is_forecast, reason = False, self._measure(case)
        is_sure = is_supported(state.findings_of(case)) or _is_rising(state.standing(case))
        reason = self._renew_cause(case, gas, stopped, is_sure=is_sure) or reason
        has_joined = len(case.devices) > case.placed_devices
        if (has_joined and not case.has_arrived) or case.cause is not before[1]:
            self._place(state, case, stopped)
        case.marks = self._marks(state, case, now_ms)
        self._weigh(state, case)
        if (case.level, case.cause) == before[:2]:
            if has_measured:
                return self._publish(case, reason, now_ms)
            if case.location.candidates[:1] != before[2] and case.family == Family.GAS:
                return self._publish(case, Reason.RELOCATED, now_ms)
            if case.marks != before[3]:
                return self._publish(case, _mark_reason(before[3], case.marks), now_ms)
            if case.is_stale and now_ms >= case.emitted_ms + self._policy.update_ms:
                return [case.version_at(now_ms, Reason.ALARMS_JOINED, self._layout)]
            return []
        return self._publish(case, reason, now_ms)

    def _renew(self, state: AssessState, case: Case) -> bool:
        """Bring the evidence level up to date.

        Pressure that falls while a team is there falls because the team has closed a pipe.
        """
        standing = state.standing(case)
        if case.has_arrived:
            standing = [alarm for alarm in standing if alarm.quantity != GAS_PRESSURE.name]
        before = case.evidence_level
        now = worst(before, *(alarm.level for alarm in standing))
        case.evidence_level = now or before
        return case.evidence_level.is_worse_than(before)

    def _look(
        self, state: AssessState, case: Case, now_ms: int
    ) -> tuple[GasPicture, tuple[str, ...]]:
        """Return what speaks for one cause or another: other spaces, pressure, pumps."""
        if case.family == Family.GAS:
            standing, findings = state.standing(case), state.findings_of(case)
            gas = gas_picture(
                state, case, standing, self._layout, self._surroundings, self._points, now_ms
            )
            is_biogas = is_held_as(Cause.BIOGAS, findings)
            is_drift = is_held_as(Cause.DEVICE_FAULT, findings)
            steady = False if is_supported(findings) else gas.is_steady
            return replace(gas, is_biogas=is_biogas, is_drift=is_drift, is_steady=steady), ()
        if case.family == Family.PONDING and not case.is_forecast:
            return _NO_GAS, stopped_pumps(
                state, case, self._layout, self._surroundings, self._points, now_ms
            )
        return _NO_GAS, ()

    def _measure(self, case: Case) -> Reason:
        """Take over that what was forecast or told is measured now; return the reason."""
        sure = self._points.confidence
        if case.family == Family.GAS:
            case.confidence = max(case.confidence, sure.gas_one_space)
            return Reason.METHANE_HELD_ABOVE_LIMIT
        case.confidence = max(case.confidence, sure.ponding)
        return Reason.WATER_STANDS

    def _renew_cause(
        self, case: Case, gas: GasPicture, stopped: tuple[str, ...], *, is_sure: bool
    ) -> Reason | None:
        """Take over a worse cause; return why, None when it stays.

        Pressure that changes while a team is there says nothing: the team moves valves.
        """
        sure = self._points.confidence
        agrees = gas.has_second or (gas.has_pressure and not case.has_arrived)
        if case.cause in PATROLLED and gas.spaces and agrees:
            case.cause, case.confidence = Cause.GAS_LEAK, sure.gas_several_spaces
            second = Reason.METHANE_IN_SEVERAL_SPACES
            return second if gas.has_second else Reason.METHANE_AND_PRESSURE_AGREE
        if case.cause is Cause.STEADY_METHANE and is_sure:
            case.cause, case.confidence = Cause.GAS_LEAK, sure.gas_one_space
            return Reason.ALARM_WORSE
        is_wet = Mark.WATER_GONE not in case.marks
        if case.cause is Cause.PONDING and stopped and is_wet and not case.has_arrived:
            case.cause, case.confidence = Cause.PUMP_STOPPED, sure.pump_stopped
            return Reason.PUMP_MEASURED_STANDING
        return None

    def _place(self, state: AssessState, case: Case, stopped: tuple[str, ...]) -> None:
        case.placed_devices = len(case.devices)
        case.location = place_point(
            state,
            case,
            state.standing(case),
            stopped,
            self._layout,
            self._surroundings,
            self._points.limits,
        )
        place = case.location.x_m, case.location.y_m
        case.people = self._surroundings.people_near(place, self._points.limits.people_m)

    def _marks(self, state: AssessState, case: Case, now_ms: int) -> list[str]:
        """Return what the depth devices of a ponding case show; a closed road stays closed."""
        if case.family != Family.PONDING:
            return []
        limits = self._points.limits
        devices = np.array(sorted(case.devices))
        silent_ms = now_ms - round(limits.silent_min * MINUTE_MS)
        time_ms, value = state.history.recent(devices, 1, silent_ms)
        depth_cm = np.where(time_ms[:, 0] > 0, value[:, 0], 0.0)
        is_underpass = np.array(
            [self._surroundings.kind[n] == "underpass_ponding" for n in devices.tolist()]
        )
        closure_cm = np.where(is_underpass, limits.closure_underpass_cm, limits.closure_road_cm)
        marks: list[str] = []
        if Mark.CLOSURE_DEPTH in case.marks or (depth_cm >= closure_cm).any():
            marks.append(Mark.CLOSURE_DEPTH.value)
        if not state.standing(case) and (depth_cm <= limits.water_gone_cm).all():
            marks.append(Mark.WATER_GONE.value)
        return marks

    def _weigh(self, state: AssessState, case: Case) -> None:
        """Bring level, likelihood and consequence up to date; none of them is ever lowered."""
        policy, place = self._policy, (case.location.x_m, case.location.y_m)
        households = round(case.people / policy.people_per_household, 1)
        element = case.location.candidates[0] if case.location.candidates else ""
        findings = state.findings_of(case)
        consequence = consequence_of(households, element, place, self._exposure, policy)
        consequence = consequence_with(consequence, findings)
        lone = len(case.devices) == 1 and bool(state.doubts[case.devices[0]])
        support = Corroboration(kinds_agree=False, is_lone_and_doubtful=lone)
        level, adjustments = level_with(case.evidence_level, consequence, support, findings)
        case.confidence = confidence_with(case.confidence, findings)
        if case.cause is Cause.BIOGAS:
            level, adjustments = Level.BLUE, (Adjustment.HELD_AS_BIOGAS,)
        elif case.cause is Cause.STEADY_METHANE:
            level, adjustments = Level.BLUE, (Adjustment.HELD_FOR_PATROL,)
        elif case.cause is Cause.SURCHARGE:
            level, adjustments = Level.BLUE, (Adjustment.NOTICE_ONLY,)
        elif case.cause in NOTICES:
            level, adjustments = case.evidence_level, (Adjustment.NOTICE_ONLY,)
        if level <= case.level:  # else the older, worse level and its reasons stay
            case.level = level
            kept = [str(one) for one in adjustments]
        else:
            marks = {*Mark, Adjustment.FORECAST}
            kept = [one for one in case.adjustments if one not in marks]
        told = [Adjustment.FORECAST.value] if case.is_forecast else []
        case.adjustments = [*kept, *told, *case.marks]
        static = self._exposure.risk.get(element, (1, 1))[0]
        likelihood = live_likelihood(static, case.evidence_level)
        case.likelihood = max(case.likelihood, likelihood)
        case.consequence = max(case.consequence, consequence)
        risk = risk_colour(likelihood, consequence, policy)
        case.risk_level = worst(case.risk_level, risk) or risk
        is_claim = case.cause not in NOTICES
        case.households = max(case.households, households) if is_claim else 0.0

    def _publish(self, case: Case, reason: str, now_ms: int) -> list[Message]:
        incident = case.version_at(now_ms, reason, self._layout)
        return [incident, *issue(case, now_ms, reason)]


def _is_rising(standing: list[Alarm]) -> bool:
    """Return whether methane is above its lowest level somewhere."""
    return any(
        alarm.level.is_worse_than(Level.BLUE)
        for alarm in standing
        if alarm.quantity in (METHANE.name, METHANE_LEL.name)
    )


def _is_measured(standing: list[Alarm]) -> bool:
    return any(alarm.confidence is None for alarm in standing)


def _told(standing: list[Alarm]) -> Alarm | None:
    """Return the surest forecast a case rests on; None when something is measured."""
    if _is_measured(standing) or not standing:
        return None
    return max(standing, key=lambda alarm: (alarm.confidence or 0.0, alarm.id))


def _mark_reason(before: list[str], now: list[str]) -> Reason:
    for mark in Mark:
        if (mark in before) != (mark in now):
            return _MARK_REASONS.get((mark, mark in now), Reason.EVIDENCE_STRONGER)
    return Reason.EVIDENCE_STRONGER
