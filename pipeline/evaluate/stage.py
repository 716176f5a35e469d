"""The evaluate stage: a verdict on each closed case, and the scores of the run."""

from collections.abc import Sequence
from dataclasses import replace

from pipeline.evaluate.matching import MatchLimits, distance_m, events, match, match_late
from pipeline.evaluate.pipes import PipeSteps
from pipeline.evaluate.reasons import Reason
from pipeline.evaluate.records import CaseRecord, EvaluateState
from pipeline.evaluate.scores import Contingency, mean, ratio
from pipeline.messages import (
    Alarm,
    AlarmFlood,
    AlarmHandling,
    CaseEvaluation,
    Closure,
    Incident,
    Message,
    Milestone,
    RunEvaluation,
    Slip,
    WarningNotice,
)
from pipeline.rules import AlarmPolicy
from pipeline.stage import pack, unpack
from sensors.city import City
from sensors.ground_truth import TrueIncident

_VERSION = 4
_MINUTE_MS = 60_000.0


class EvaluateStage:
    """Judges cases when they are closed and the whole run when it ends.

    The scores follow from what was said, not from the order in which it arrived.
    """

    name = "evaluate"

    def __init__(
        self,
        city: City,
        limits: MatchLimits | None = None,
        *,
        alarm_policy: AlarmPolicy | None = None,
    ) -> None:
        """Take the city (its links give distances in pipes) and what is measured against.

        Args:
            city: The platform's tables of the city.
            limits: Matching tolerances.
            alarm_policy: Operators on shift and what a flood is to them.
        """
        self._alarm_policy = alarm_policy or AlarmPolicy()
        self._pipes = PipeSteps(city)
        self._limits = limits or MatchLimits()
        self._state = EvaluateState()

    def on_batch(self, batch: Sequence[Message], now_ms: int) -> Sequence[Message]:
        """Note messages; return the evaluation of each case that was closed."""
        state = self._state
        out: list[Message] = []
        for message in batch:
            match message:
                case Alarm() | AlarmHandling() | AlarmFlood():
                    state.book.note(message)
                case Incident():
                    state.book.note(message)
                    state.note_incident(message)
                case WarningNotice():
                    state.note_warning(message)
                case Slip():
                    state.note_slip(message)
                case Milestone():
                    state.note_milestone(message)
                case TrueIncident():
                    state.note_truth(message)
                case Closure():
                    out += self._on_closure(message, now_ms)
                case _:
                    pass
        return out

    def on_time(self, now_ms: int) -> Sequence[Message]:
        """Return nothing: evaluation waits for closures and for `finish`."""
        self._state.book.begin(now_ms)
        return ()

    def next_due(self) -> int | None:
        """Return None: no timers."""
        return None

    def finish(self, now_ms: int) -> Sequence[Message]:
        """End the run: return verdicts that are new or changed, then the run's scores."""
        state = self._state
        matches = self._matches(now_ms)
        late = self._late(matches, now_ms)
        out: list[Message] = []
        for case in state.confirmed():
            verdict = self._verdict(case, matches, late, now_ms)
            given = state.given.get(case.id)
            if given is None:
                verdict = _with_reason(verdict, Reason.OPEN_AT_END)
            elif replace(verdict, time_ms=given.time_ms, reason=given.reason) == given:
                continue
            else:
                verdict = _with_reason(verdict, Reason.REVISED)
            state.given[case.id] = verdict
            out.append(verdict)
        out.append(self._scores(matches, late, now_ms))
        return out

    def snapshot(self) -> bytes:
        """Return everything the scores are made of."""
        return pack(self.name, _VERSION, self._state)

    def restore(self, snapshot: bytes) -> None:
        """Replace the state by a snapshot of `snapshot`."""
        self._state = unpack(snapshot, self.name, _VERSION, EvaluateState)

    def _events(self) -> dict[str, TrueIncident]:
        return events(self._state.truths.values(), self._limits)

    def _matches(self, end_ms: int) -> dict[str, str]:
        found = [case.as_found() for case in self._state.claims()]
        return match(self._events().values(), found, end_ms, self._limits)

    def _late(self, matches: dict[str, str], end_ms: int) -> dict[str, str]:
        found = [case.as_found() for case in self._state.claims()]
        return match_late(self._events().values(), found, matches, end_ms, self._limits)

    def _on_closure(self, closure: Closure, now_ms: int) -> list[Message]:
        case = self._state.cases.get(closure.incident)
        if case is None or not case.is_confirmed or case.id in self._state.given:
            return []
        matches = self._matches(now_ms)
        verdict = self._verdict(case, matches, self._late(matches, now_ms), now_ms)
        self._state.given[case.id] = verdict
        return [verdict]

    def _verdict(
        self, case: CaseRecord, matches: dict[str, str], late: dict[str, str], now_ms: int
    ) -> CaseEvaluation:
        truth = self._events().get(matches.get(case.id, ""))
        too_late = late.get(case.id, "")
        due, in_time = self._state.clock_counts([case.id])
        return CaseEvaluation(
            incident=case.id,
            truth=truth.id if truth else too_late,
            is_hit=truth is not None,
            detection_delay_min=_detection_delay_min(case, truth) if truth else None,
            lead_time_min=self._lead_time_min(case, truth) if truth else None,
            location_error_m=distance_m(case.as_found(), truth) if truth else None,
            location_error_pipes=self._pipes_off(case, truth) if truth else None,
            clocks_due=due,
            clocks_in_time=in_time,
            time_ms=now_ms,
            reason=Reason.TOLD_LATE if too_late else _reason(case, truth),
        )

    def _scores(self, matches: dict[str, str], late: dict[str, str], now_ms: int) -> RunEvaluation:
        state = self._state
        known = self._events()
        hazards = [known[name] for name in sorted(known)]
        by_truth = {truth: incident for incident, truth in matches.items()}
        counts = Contingency(
            hits=len(matches),
            misses=len(hazards) - len(matches),
            false=len(state.claims()) - len(matches) - len(late),
        )
        hits = [
            (state.cases[by_truth[truth.id]], truth) for truth in hazards if truth.id in by_truth
        ]
        leads = {truth.id: self._lead_time_min(case, truth) for case, truth in hits}
        harmful = [truth for truth in hazards if truth.harm_ms is not None]
        due, in_time = state.clock_counts(sorted(state.clocks))
        return RunEvaluation(
            true=len(hazards),
            found=counts.hits,
            missed=counts.misses,
            false=counts.false,
            late=len(late),
            pod=counts.pod,
            far_ratio=counts.far_ratio,
            csi=counts.csi,
            bias=counts.bias,
            lead_time_min=mean(leads.values()),
            lead_time_all_min=mean(leads.get(truth.id) or 0.0 for truth in harmful),
            detection_delay_min=mean(_detection_delay_min(case, truth) for case, truth in hits),
            location_error_m=mean(distance_m(case.as_found(), truth) for case, truth in hits),
            timeliness=ratio(in_time, due),
            alarms=state.book.activations,
            matches={truth: by_truth[truth] for truth in sorted(by_truth)},
            time_ms=now_ms,
            reason=Reason.RUN_ENDED,
            location_error_pipes=mean(self._pipes_off(case, truth) for case, truth in hits),
            alarms_kpi=state.book.figures(now_ms, self._alarm_policy),
        )

    def _lead_time_min(self, case: CaseRecord, truth: TrueIncident) -> float | None:
        """Return minutes from the first issue at or above the true level to the harm.

        The true level is the one it had when harm began: how much worse it became afterwards
        could not be told before the harm. None when there was no harm, or the level was never
        reached.
        """
        issued_ms = case.issued_ms(self._state.level_at_harm(truth))
        if truth.harm_ms is None or issued_ms is None:
            return None
        return (truth.harm_ms - issued_ms) / _MINUTE_MS

    def _pipes_off(self, case: CaseRecord, truth: TrueIncident) -> int | None:
        return self._pipes.between(case.estimate().element, truth.element)


def _with_reason(verdict: CaseEvaluation, reason: Reason) -> CaseEvaluation:
    """Return a verdict with another reason; that it is neither hit nor false stays said."""
    is_kept = verdict.reason in (Reason.NO_HAZARD_CLAIMED, Reason.TOLD_LATE)
    return verdict if is_kept else replace(verdict, reason=reason)


def _reason(case: CaseRecord, truth: TrueIncident | None) -> Reason:
    if not case.is_claim:
        return Reason.NO_HAZARD_CLAIMED
    return Reason.MATCHED if truth else Reason.NO_TRUTH_MATCHES


def _detection_delay_min(case: CaseRecord, truth: TrueIncident) -> float | None:
    """Return minutes from the first moment any device could show it to the first issue."""
    issued_ms = case.issued_ms()
    if issued_ms is None:
        return None
    detectable_ms = min(truth.detectable_ms.values(), default=truth.onset_ms)
    return (issued_ms - detectable_ms) / _MINUTE_MS
