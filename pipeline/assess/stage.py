"""The assess stage: alarms in, incidents and the warnings that go with them out."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pipeline.assess.cases import KINDS, AssessState, Case
from pipeline.assess.causes import AlarmPicture, Verdict, withdrawn
from pipeline.assess.consequence import Exposure
from pipeline.assess.grouping import Grouped, group_alarm
from pipeline.assess.history import History
from pipeline.assess.investigate import Finding, Investigator
from pipeline.assess.layout import Layout
from pipeline.assess.notices import cancel, cancelled, issue
from pipeline.assess.point_policy import PointPolicy, default_point_policy
from pipeline.assess.points import PointDesk
from pipeline.assess.policy import MINUTE_MS, AssessPolicy
from pipeline.assess.reasons import Reason
from pipeline.assess.surroundings import Surroundings
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
from pipeline.stage import pack, unpack
from sensors.city import City
from sensors.field import Feedback, FeedbackKind
from sensors.levels import Level, worst
from sensors.registry import Registry

_NAME, _VERSION = "assess", 2
_MAINS = "water"
"""Domain that is assessed by the network model; every other is one of points."""
_SEARCHED = frozenset({Cause.BURST, Cause.UNKNOWN, Cause.LOW_SUPPLY})


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
    ) -> None:
        """Build the stage; without a `model` the place of a burst is the largest drop."""
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
        self._state = AssessState(History.of(devices), np.zeros(devices, np.int64))

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
                case Alarm() if message.held not in KEPT_FROM_ASSESS:
                    state.pending.append(message)
                case ModelFinding():
                    state.findings[message.id] = message
                case OperatorAct():
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
        returned: list[Message] = []
        returned += self._group(now_ms)
        returned += self._give_drafts(now_ms)
        turn = self._turn(now_ms)
        for case in list(self._state.cases.values()):
            if case.domain != _MAINS:
                returned += self._attend_point(case, now_ms)
            elif case.status is IncidentStatus.ASSESSING:
                returned += self._assess(case, now_ms, has_turn=turn is None or case.id in turn)
            elif case.status is IncidentStatus.CONFIRMED:
                returned += self._follow(case, now_ms)
        self._state.forget(now_ms, max(self._policy.quiet_ms, self._policy.join_window_ms))
        return returned

    def next_due(self) -> int | None:
        """Return when the next decision, search or version falls due."""
        due = [alarm.time_ms for alarm in self._state.pending]
        for case in self._state.cases.values():
            if case.status is IncidentStatus.ASSESSING:
                due.append(case.opened_ms + self._policy.limit_ms(case.evidence_level))
            elif case.status is IncidentStatus.CONFIRMED:
                if case.is_stale:
                    due.append(case.emitted_ms + self._policy.update_ms)
                if self._is_searching(case, case.located_ms + self._policy.relocate_ms):
                    due.append(case.located_ms + self._policy.relocate_ms)
        return min(due, default=None)

    def snapshot(self) -> bytes:
        """Return the whole state."""
        return pack(_NAME, _VERSION, self._state)

    def restore(self, snapshot: bytes) -> None:
        """Replace the state by a snapshot."""
        self._state = unpack(snapshot, _NAME, _VERSION, AssessState)

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
        return [case.version_at(now_ms, reason, self._layout), *cancel(case, now_ms, reason)]

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

    def _give_drafts(self, now_ms: int) -> list[Message]:
        """Attach new drafts to the cases of their alarms; drafts of ended cases are cancelled."""
        state = self._state
        returned: list[Message] = []
        waiting: list[WarningNotice] = []
        for draft in state.drafts:
            owners = [state.owner[alarm] for alarm in draft.alarms if alarm in state.owner]
            case = state.cases.get(owners[0]) if owners else None
            if case is not None and case.is_open and case.warning is None:
                case.drafts.append(draft)
            elif case is not None:
                reason = Reason.MERGED_INTO_INCIDENT.value if case.is_open else case.reason
                returned.append(cancelled(draft, now_ms, reason, case.id))
            elif now_ms < draft.time_ms + self._policy.join_window_ms:
                waiting.append(draft)
            else:
                returned.append(cancelled(draft, now_ms, Reason.ALARMS_WITHDRAWN, ""))
        state.drafts = waiting
        return returned

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
        is_rested = not case.located_ms or now_ms >= case.located_ms + self._policy.relocate_ms
        is_rested &= self._has_time(now_ms) or not alarms.is_raised
        is_ready = alarms.is_due or self._investigator.is_ready(self._state, case, now_ms)
        if is_ready and is_rested:
            return self._investigator.look_into(self._state, case, alarms, now_ms)
        return None

    def _conclude(
        self, case: Case, finding: Finding, verdict: Verdict, now_ms: int
    ) -> list[Message]:
        """Confirm or dismiss a case, with the warnings that follow."""
        if verdict.status is IncidentStatus.CONFIRMED and self._is_known_burst(
            case, finding, verdict
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
        case.area, case.level = self._investigator.area_of(case), Level.BLUE
        self._weigh(case, finding)
        return self._publish(case, verdict.reason, now_ms)

    def _dismiss(self, case: Case, verdict: Verdict, now_ms: int) -> list[Message]:
        _decide(case, verdict, now_ms)
        case.ended_ms = now_ms
        incident = case.version_at(now_ms, verdict.reason, self._layout)
        return [incident, *cancel(case, now_ms, verdict.reason)]

    def _is_known_burst(self, case: Case, finding: Finding, verdict: Verdict) -> bool:
        """Return whether what was found is a burst that another incident already is about.

        So it is when the leak is at a pipe that one names, or when it came in that one's wake
        (shut valves and falling tanks move pressures too) and may be at one of its pipes or is
        not surer than `second_confidence`.
        """
        if verdict.cause not in _SEARCHED:
            return False
        pipes: tuple[str, ...] = ()
        if verdict.cause is Cause.BURST and finding.fit is not None:
            pipes = finding.fit.pipes[: self._policy.candidates]
        is_sure = verdict.confidence >= self._policy.second_confidence
        for other in self._state.cases.values():
            if other.id == case.id or other.status is not IncidentStatus.CONFIRMED:
                continue
            if other.cause is not Cause.BURST:
                continue
            shared = set(pipes) & set(other.location.candidates)
            if pipes[:1] and pipes[0] in shared:
                return True
            if (shared or not is_sure) and self._is_in_wake(case, other):
                return True
        return False

    def _is_in_wake(self, case: Case, burst: Case) -> bool:
        """Return whether a case opened while or soon after a burst near by raised its alarms.

        Once a team is there and shuts valves, until the burst is closed, it moves pressures in
        its whole zone.
        """
        layout, reach_m = self._layout, self._policy.join_distance_m
        away = layout.place_m[case.devices] - (burst.location.x_m, burst.location.y_m)
        is_in_zone = np.hypot(away[:, 0], away[:, 1]).min() <= self._policy.works_distance_m
        if burst.has_arrived and is_in_zone:
            return True
        if case.opened_ms > burst.newest_raised_ms + self._policy.join_window_ms:
            return False
        around = layout.neighbours.get(burst.area, frozenset()) | {burst.area}
        if any(layout.area[number] in around for number in case.devices):
            return True
        return any(layout.are_near(case.devices[0], number, reach_m) for number in burst.devices)

    def _follow(self, case: Case, now_ms: int) -> list[Message]:
        """Keep a confirmed case up to date until a team is there: worse, elsewhere, more alarms."""
        is_worse = self._state.renew_evidence_level(case)
        is_search_due = (
            self._is_searching(case, now_ms)
            and now_ms >= case.located_ms + self._policy.relocate_ms
            and self._has_time(now_ms)
        )
        if is_worse or is_search_due:
            before = case.level
            finding = self._look_again(case, now_ms, search=is_search_due)
            has_moved = self._move(case, finding)
            self._weigh(case, finding)
            if has_moved or case.level is not before:
                reason = Reason.ALARM_WORSE if is_worse else Reason.EVIDENCE_STRONGER
                return self._publish(case, Reason.RELOCATED if has_moved else reason, now_ms)
        if case.is_stale and now_ms >= case.emitted_ms + self._policy.update_ms:
            return [case.version_at(now_ms, Reason.ALARMS_JOINED, self._layout)]
        return []

    def _is_searching(self, case: Case, at_ms: int) -> bool:
        """Return whether the place of a confirmed case is still searched for at `at_ms`."""
        is_young = at_ms <= case.opened_ms + self._policy.relocate_until_ms
        is_searched = case.domain == _MAINS and case.cause in _SEARCHED
        return is_searched and is_young and not case.has_arrived

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


def _decide(case: Case, verdict: Verdict, now_ms: int) -> None:
    case.status, case.cause, case.confidence = verdict.status, verdict.cause, verdict.confidence
    case.level, case.decided_ms = case.evidence_level, now_ms
