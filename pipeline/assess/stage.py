"""The assess stage: alarms in, incidents and the warnings that go with them out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pipeline.assess.cases import KINDS, AssessState, Case
from pipeline.assess.causes import AlarmPicture, Verdict, withdrawn
from pipeline.assess.consequence import Exposure
from pipeline.assess.grouping import Grouped, group_alarm
from pipeline.assess.history import History
from pipeline.assess.investigate import Finding, Investigator
from pipeline.assess.layout import Layout
from pipeline.assess.lifecycle import ON_WARNINGS, WarningDesk, WarningState
from pipeline.assess.notices import cancel, give_drafts, issue
from pipeline.assess.point_policy import PointPolicy, default_point_policy
from pipeline.assess.points import PointDesk
from pipeline.assess.policy import MINUTE_MS, AssessPolicy
from pipeline.assess.reasons import Reason
from pipeline.assess.surroundings import Surroundings
from pipeline.assess.wakes import SEARCHED, is_known_burst
from pipeline.messages import (
    KEPT_FROM_ASSESS,
    Alarm,
    Cause,
    Closure,
    DeviceHealth,
    IncidentStatus,
    Message,
    ModelFinding,
    OperatorAct,
    Samples,
    WarningNotice,
    WarningStatus,
)
from pipeline.ports import NetworkModel
from pipeline.rules import Approval, ResponseLimits
from pipeline.stage import pack, unpack
from sensors.city import City
from sensors.field import Feedback, FeedbackKind
from sensors.levels import Level, worst
from sensors.registry import Registry

_NAME, _VERSION = "assess", 5
_MAINS = "water"
"""Domain that is assessed by the network model; every other is one of points."""


@dataclass(slots=True)
class _Kept:
    """What a snapshot holds."""

    cases: AssessState
    warnings: WarningState


class AssessStage:
    """Groups alarms into incidents, finds cause and place, weighs the consequence.

    Messages are only taken in by `on_batch` (a closure takes effect at once); everything else
    is decided once a tick by `on_time`, so batching changes nothing.
    """

    def __init__(
        self,
        registry: Registry,
        city: City,
        model: NetworkModel | None,
        policy: AssessPolicy | None = None,
        points: PointPolicy | None = None,
        *,
        approval: Mapping[Level, Approval] | None = None,
        response: Mapping[Level, ResponseLimits] | None = None,
    ) -> None:
        """Build the stage.

        Args:
            registry: The devices.
            city: Its tables.
            model: The platform's model; without one the place of a burst is the largest drop.
            policy: Limits of the assessment.
            points: The same of hazards at points.
            approval: How warnings of a level are let out; a level left out is automatic.
            response: Names the authority of each level.
        """
        self._policy = policy or AssessPolicy()
        self._layout = Layout.of(registry, city, self._policy)
        exposure = Exposure.of(city)
        self._investigator = Investigator(self._layout, exposure, model, self._policy)
        self._points = PointDesk(
            self._layout,
            Surroundings.of(registry, city),
            exposure,
            self._policy,
            points or default_point_policy(),
        )
        devices = len(registry)
        operation = np.union1d(self._layout.pumps, self._layout.tanks)
        self._state = AssessState(History.of(devices, operation), np.zeros(devices, np.int64))
        self._warnings = WarningDesk(approval or {}, response or {}, self._policy.update_ms)

    @property
    def name(self) -> str:
        """The stage's name in the loop."""
        return _NAME

    def on_batch(self, batch: Sequence[Message], now_ms: int) -> Sequence[Message]:
        """Take in samples, health, alarms, drafts and feedback; close what supervision closed."""
        returned: list[Message] = []
        state = self._state
        for message in batch:
            match message:
                case Samples():
                    state.history.add(message.batch)
                case Alarm() if _is_evidence(message, state):
                    state.pending.append(message)
                case ModelFinding():
                    state.findings[message.id] = message
                case OperatorAct(kind=kind) if kind in ON_WARNINGS:
                    state.acts.append(message)
                case DeviceHealth():
                    self._note_health(message)
                case WarningNotice(status=WarningStatus.DRAFT):
                    state.drafts.append(message)
                case Closure():
                    returned += self._close(message, now_ms)
                case Feedback(kind=FeedbackKind.ARRIVED) if message.incident in state.cases:
                    state.cases[message.incident].has_arrived = True
                case _:
                    pass
        return returned

    def on_time(self, now_ms: int) -> Sequence[Message]:
        """Group the alarms of this moment, give drafts to their cases, look into what is due."""
        acts, self._state.acts = self._state.acts, []
        answered = self._warnings.answer(acts, now_ms)
        self._investigator.note(self._state, now_ms)
        returned: list[Message] = []
        returned += self._group(now_ms)
        returned += give_drafts(self._state, now_ms, self._policy.join_window_ms)
        turn = self._turn(now_ms)
        for case in list(self._state.cases.values()):
            if case.domain != _MAINS:
                returned += self._attend_point(case, now_ms)
            elif case.status is IncidentStatus.ASSESSING:
                returned += self._assess(case, now_ms, has_turn=turn is None or case.id in turn)
            elif case.status is IncidentStatus.CONFIRMED:
                returned += self._follow(case, now_ms)
        released = self._warnings.release(returned, self._state, now_ms)
        moved = self._warnings.on_time(self._state, now_ms)
        keep_ms = max(self._policy.quiet_ms, self._policy.join_window_ms)
        self._state.forget(now_ms, keep_ms, self._policy.slow_after_ms)
        return [*answered, *released, *moved]

    def next_due(self) -> int | None:
        """Return when the next decision, search or version falls due."""
        due = [alarm.time_ms for alarm in self._state.pending]
        due += [act.time_ms for act in self._state.acts]
        warning_ms = self._warnings.next_due(self._state)
        due += [] if warning_ms is None else [warning_ms]
        for case in self._state.cases.values():
            if case.status is IncidentStatus.ASSESSING:
                due.append(self._investigator.due_ms(case))
            elif case.status is IncidentStatus.CONFIRMED:
                if case.is_stale:
                    due.append(case.emitted_ms + self._policy.update_ms)
                if self._is_searching(case, case.located_ms + self._rest_ms(case)):
                    due.append(case.located_ms + self._rest_ms(case))
        return min(due, default=None)

    def snapshot(self) -> bytes:
        """Return the whole state."""
        return pack(_NAME, _VERSION, _Kept(self._state, self._warnings.state))

    def restore(self, snapshot: bytes) -> None:
        """Replace the state by a snapshot."""
        kept = unpack(snapshot, _NAME, _VERSION, _Kept)
        self._state, self._warnings.state = kept.cases, kept.warnings

    # --- taking in ---

    def _note_health(self, health: DeviceHealth) -> None:
        number = self._layout.number.get(health.device)
        if number is None:
            return
        bit = 1 << KINDS.index(health.kind)
        doubts = int(self._state.doubts[number])
        self._state.doubts[number] = doubts | bit if health.is_on else doubts & ~bit

    def _close(self, closure: Closure, now_ms: int) -> list[Message]:
        case = self._state.cases.get(closure.incident)
        if case is None or not case.is_open:
            return []
        case.status, case.ended_ms = IncidentStatus.CLOSED, now_ms
        reason = Reason.CLOSED_BY_SUPERVISION.value
        incident = case.version_at(now_ms, reason, self._layout)
        ended: list[Message] = [incident, *cancel(case, now_ms, reason)]
        return self._warnings.release(ended, self._state, now_ms)

    def _group(self, now_ms: int) -> list[Message]:
        state = self._state
        pending, state.pending = state.pending, []
        opened = [
            state.owner[alarm.id]
            for alarm in sorted(pending, key=lambda a: (a.raised_ms, a.device, a.rule))
            if self._group_one(alarm, now_ms) is Grouped.OPENED
        ]
        returned: list[Message] = []
        for case in (state.cases[case_id] for case_id in opened):
            state.renew_evidence_level(case)
            case.level = case.evidence_level
            returned.append(case.version_at(now_ms, Reason.ALARM_OPENED, self._layout))
        return returned

    def _group_one(self, alarm: Alarm, now_ms: int) -> Grouped:
        if alarm.domain == _MAINS:
            return group_alarm(self._state, alarm, now_ms, self._layout, self._policy)
        return self._points.group(self._state, alarm, now_ms)

    # --- deciding ---

    def _attend_point(self, case: Case, now_ms: int) -> list[Message]:
        if not case.is_open:
            return []
        alarms = self._investigator.picture(self._state, case, now_ms)
        return self._points.attend(self._state, case, alarms, now_ms)

    def _assess(self, case: Case, now_ms: int, *, has_turn: bool) -> list[Message]:
        """Decide about a case, or list the alarms that joined it."""
        returned: list[Message] = []
        self._state.renew_evidence_level(case)
        if self._policy.issue_before_assess and case.warning is None and case.drafts:
            case.level = case.evidence_level
            returned += issue(case, now_ms, Reason.ALARM_OPENED)
        alarms = self._investigator.picture(self._state, case, now_ms)
        if alarms.is_over:
            return returned + self._dismiss(case, withdrawn(), now_ms)
        finding = self._find(case, alarms, now_ms) if has_turn else None
        if finding is not None and finding.verdict is not None:
            return returned + self._conclude(case, finding, finding.verdict, now_ms)
        if case.is_stale and now_ms >= case.emitted_ms + self._policy.update_ms:
            case.level = case.evidence_level
            returned.append(case.version_at(now_ms, Reason.ALARMS_JOINED, self._layout))
        return returned

    def _turn(self, now_ms: int) -> frozenset[str] | None:
        """Return the cases that may be looked into at this moment; None: all of them.

        In a large network a look costs tens of milliseconds, and a pump that switches opens
        dozens of cases at once, whose time is up at once too: they take turns, minute by minute.
        """
        if not self._investigator.is_large:
            return None
        waiting = [
            case.id
            for case in self._state.cases.values()
            if case.domain == _MAINS and case.status is IncidentStatus.ASSESSING
        ]
        most = self._policy.looks_at_once
        if len(waiting) <= most:
            return None
        first = now_ms // MINUTE_MS * most % len(waiting)
        return frozenset((waiting + waiting)[first : first + most])

    def _has_time(self, now_ms: int) -> bool:
        """Return whether another search fits into this moment: in a large network one does."""
        if not self._investigator.is_large:
            return True
        return all(case.located_ms != now_ms for case in self._state.cases.values())

    def _find(self, case: Case, alarms: AlarmPicture, now_ms: int) -> Finding | None:
        """Look into a case when that can decide it; one search in `relocate_ms` at most."""
        is_rested = not case.located_ms or now_ms >= case.located_ms + self._rest_ms(case)
        is_rested &= self._has_time(now_ms) or not alarms.is_raised
        is_ready = alarms.is_due or self._investigator.is_ready(self._state, case, now_ms)
        if is_ready and is_rested:
            return self._investigator.look_into(self._state, case, alarms, now_ms)
        return None

    def _conclude(
        self, case: Case, finding: Finding, verdict: Verdict, now_ms: int
    ) -> list[Message]:
        """Confirm or dismiss a case, with the warnings that follow."""
        if verdict.status is IncidentStatus.CONFIRMED and is_known_burst(
            self._state, case, finding, verdict, self._layout, self._policy
        ):
            verdict = replace(
                verdict,
                status=IncidentStatus.DISMISSED,
                reason=Reason.PART_OF_OPEN_INCIDENT,
            )
        if verdict.status is IncidentStatus.DISMISSED:
            return self._dismiss(case, verdict, now_ms)
        _decide(case, verdict, now_ms)
        case.location = self._investigator.place(case, finding)
        case.placed_devices = len(finding.evidence.device)
        case.area, case.level = self._investigator.area_of(case), Level.BLUE
        self._weigh(case, finding)
        return self._publish(case, verdict.reason, now_ms)

    def _dismiss(self, case: Case, verdict: Verdict, now_ms: int) -> list[Message]:
        _decide(case, verdict, now_ms)
        case.ended_ms = now_ms
        incident = case.version_at(now_ms, verdict.reason, self._layout)
        return [incident, *cancel(case, now_ms, verdict.reason)]

    def _follow(self, case: Case, now_ms: int) -> list[Message]:
        """Keep a confirmed case up to date until a team is there: worse, elsewhere, more alarms."""
        is_worse = self._state.renew_evidence_level(case)
        is_search_due = (
            self._is_searching(case, now_ms)
            and now_ms >= case.located_ms + self._rest_ms(case)
            and self._has_time(now_ms)
        )
        if is_worse or is_search_due:
            before = case.level
            finding = self._look_again(case, now_ms, search=is_search_due)
            if not is_search_due and self._hears_more(case, finding):
                finding = self._look_again(case, now_ms, search=True)
            has_moved = self._move(case, finding)
            self._weigh(case, finding)
            if has_moved or case.level is not before:
                reason = Reason.ALARM_WORSE if is_worse else Reason.EVIDENCE_STRONGER
                return self._publish(case, Reason.RELOCATED if has_moved else reason, now_ms)
        if case.is_stale and now_ms >= case.emitted_ms + self._policy.update_ms:
            return [case.version_at(now_ms, Reason.ALARMS_JOINED, self._layout)]
        return []

    def _hears_more(self, case: Case, finding: Finding) -> bool:
        """Return whether far more devices tell of a burst than when its place was worked out.

        After an outage those near it may speak for the first time, and a team that was sent
        before may be looking for it at the wrong end.
        """
        if case.domain != _MAINS or case.cause is not Cause.BURST or case.is_slow:
            return False
        return len(finding.evidence.device) >= self._policy.relocate_heard * case.placed_devices

    def _is_searching(self, case: Case, at_ms: int) -> bool:
        """Return whether the place of a confirmed case is still searched for at `at_ms`."""
        policy = self._policy
        until_ms = policy.slow_until_ms if case.is_slow else policy.relocate_until_ms
        is_young = at_ms <= case.opened_ms + until_ms
        is_searched = case.domain == _MAINS and case.cause in SEARCHED
        return is_searched and is_young and not case.has_arrived

    def _rest_ms(self, case: Case) -> int:
        """Return the shortest time between two searches for a case's place."""
        return self._policy.slow_relocate_ms if case.is_slow else self._policy.relocate_ms

    def _look_again(self, case: Case, now_ms: int, *, search: bool) -> Finding:
        alarms = self._investigator.picture(self._state, case, now_ms)
        if search:
            case.located_ms = now_ms
        return self._investigator.look_into(self._state, case, alarms, now_ms, search=search)

    def _move(self, case: Case, finding: Finding) -> bool:
        """Take over a new place when it is clearly likelier than the old one."""
        verdict, fit = finding.verdict, finding.fit
        if verdict is None or fit is None or verdict.cause is not Cause.BURST:
            return False
        old = case.location.candidates[0] if case.location.candidates else ""
        score = dict(zip(fit.pipes, fit.scores, strict=True)).get(old, 0.0)
        if fit.pipes[0] == old or fit.scores[0] < self._policy.relocate_ratio * score:
            return False
        case.cause, case.confidence = verdict.cause, verdict.confidence
        case.location = self._investigator.place(case, finding)
        case.placed_devices = len(finding.evidence.device)
        case.area = self._investigator.area_of(case)
        return True

    def _weigh(self, case: Case, finding: Finding) -> None:
        """Bring level, likelihood and consequence up to date; none of them is ever lowered."""
        now = self._investigator.assess(self._state, case, finding)
        if now.level <= case.level:  # else the older, worse level and its reasons stay
            case.level, case.adjustments = now.level, [str(one) for one in now.adjustments]
        case.likelihood = max(case.likelihood, now.likelihood)
        case.consequence = max(case.consequence, now.consequence)
        case.risk_level = worst(case.risk_level, now.risk_level) or now.risk_level
        case.households = max(case.households, now.households)

    def _publish(self, case: Case, reason: str, now_ms: int) -> list[Message]:
        incident = case.version_at(now_ms, reason, self._layout)
        return [incident, *issue(case, now_ms, reason)]


def _is_evidence(alarm: Alarm, state: AssessState) -> bool:
    """Return whether an alarm counts: one held back opens nothing, a known one is followed on."""
    return alarm.held not in KEPT_FROM_ASSESS or alarm.id in state.owner


def _decide(case: Case, verdict: Verdict, now_ms: int) -> None:
    case.status, case.cause, case.confidence = verdict.status, verdict.cause, verdict.confidence
    case.level, case.decided_ms = case.evidence_level, now_ms
