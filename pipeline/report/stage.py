"""The report stage: bulletins of every confirmed case, and the summary of the run."""

from collections.abc import Mapping, Sequence

from pipeline.messages import (
    Alarm,
    Bulletin,
    CaseEvaluation,
    Closure,
    Dispatch,
    Incident,
    IncidentStatus,
    Message,
    Milestone,
    ModelFinding,
    RunEvaluation,
    Slip,
    WarningNotice,
    WarningStatus,
)
from pipeline.report import calls, course
from pipeline.report.bulletins import BulletinWriter
from pipeline.report.cap import CapWriter
from pipeline.report.cap_area import CapPlaces, Origin
from pipeline.report.cap_words import cap_words
from pipeline.report.cases import Case, ReportState
from pipeline.report.gazetteer import Gazetteer
from pipeline.report.grounds import gather, is_of, note_alarm
from pipeline.report.intervals import FOLLOW_UPS
from pipeline.report.notices import NoticeWriter
from pipeline.report.reasons import Reason
from pipeline.report.summary import run_summary
from pipeline.report.words import CityTime
from pipeline.rules import ResponseLimits, Rule
from pipeline.stage import pack, unpack
from sensors.city import City
from sensors.field import Feedback, HotlineReport
from sensors.levels import Level

_VERSION = 3
_CITY_ORIGIN = Origin()


class ReportStage:
    """Writes a flash at confirmation, follow-ups at the level's interval, a final when closed.

    A flash goes out at the end of the tick that confirmed the incident, so it names the teams
    sent in the same tick.
    """

    name = "report"

    def __init__(
        self,
        city: City,
        limits: Mapping[Level, ResponseLimits],
        *,
        utc_offset_min: int = 480,
        rules: Mapping[str, Rule] | None = None,
        origin: Origin = _CITY_ORIGIN,
        cap_status: str = "exercise",
    ) -> None:
        """Build the stage.

        Args:
            city: Names, risk points and outlines of areas.
            limits: Response limits by level.
            utc_offset_min: The city's UTC offset.
            rules: Rules by id, for the sources of their figures.
            origin: Where the point 0, 0 of the city's plane lies, for CAP.
            cap_status: `exercise` or `test`.
        """
        self._places = Gazetteer(city)
        self._times = CityTime(utc_offset_min)
        self._writer = BulletinWriter(self._places, limits, self._times, rules or {})
        cap = CapWriter(
            CapPlaces(city, origin),
            self._places,
            cap_words(),
            city=city.id,
            utc_offset_min=utc_offset_min,
            status=cap_status,
        )
        self._notices = NoticeWriter(self._places, cap, limits, rules or {}, self._times)
        self._state = ReportState()

    def on_batch(self, batch: Sequence[Message], now_ms: int) -> Sequence[Message]:
        """Note messages; return finals of evaluated cases and the summary of an ended run."""
        out: list[Message] = []
        for message in batch:
            match message:
                case Incident():
                    self._on_incident(message)
                case Alarm():
                    note_alarm(self._state.standing, message)
                case ModelFinding():
                    self._on_finding(message)
                case WarningNotice():
                    out += self._on_warning(message)
                case HotlineReport():
                    state = self._state
                    state.calls = [*calls.recent(state.calls, now_ms), message]
                    out.append(calls.take_call(message, state.cases.values()))
                case CaseEvaluation():
                    out += self._on_evaluation(message, now_ms)
                case RunEvaluation():
                    state = self._state
                    out.append(run_summary(message, state, self._places, self._times, now_ms))
                    state.summaries += 1
                case Dispatch() | Feedback() | Slip() | Milestone() | Closure():
                    case = self._state.cases.get(message.incident)
                    if case is not None:
                        self._note(case, message)
                case _:
                    pass
        return out

    def on_time(self, now_ms: int) -> Sequence[Message]:
        """Return flashes of new cases and the follow-ups that are due, by incident."""
        out: list[Message] = []
        for name in sorted(self._state.cases):
            case = self._state.cases[name]
            if _is_ended(case):
                continue
            if case.flash_ms is None:
                self._gather(case)
                case.flash_ms = now_ms
                out.append(self._give(case, self._writer.flash(case, now_ms, Reason.CONFIRMED)))
            elif (reason := _follow_up_reason(case, now_ms)) is not None:
                out.append(self._give(case, self._writer.follow_up(case, now_ms, reason)))
        return out

    def next_due(self) -> int | None:
        """Return when the next follow-up is due."""
        open_cases = [case for case in self._state.cases.values() if not _is_ended(case)]
        moments = [_due_ms(case) for case in open_cases]
        return min((moment for moment in moments if moment is not None), default=None)

    def snapshot(self) -> bytes:
        """Return all cases with their course."""
        return pack(self.name, _VERSION, self._state)

    def restore(self, snapshot: bytes) -> None:
        """Replace the state by a snapshot of `snapshot`."""
        self._state = unpack(snapshot, self.name, _VERSION, ReportState)

    def _on_incident(self, incident: Incident) -> None:
        case = self._state.cases.get(incident.id)
        if case is not None:
            if incident.version > case.incident.version:
                course.note_version(case, incident)
        elif incident.status == IncidentStatus.CONFIRMED:
            others = [self._state.cases[name] for name in sorted(self._state.cases)]
            case = self._state.cases[incident.id] = course.open_case(incident)
            for notice in self._state.early.pop(incident.id, []):
                course.note_warning(case, notice)
            for finding in self._state.found.values():
                if is_of(finding, incident):
                    course.note_finding(case, finding)
            course.relate(case, others)
            for call in self._state.calls:
                if calls.is_about(call, case):
                    calls.add_call(call, case)

        if case is not None:
            self._gather(case)

    def _gather(self, case: Case) -> None:
        """Keep the numbers behind a case's alarms before they are cleared."""
        case.grounds = gather(case.grounds, case.incident.alarms, self._state.standing)

    def _on_warning(self, notice: WarningNotice) -> list[Message]:
        """Note a version of a warning; return its notice when it leaves the platform."""
        state = self._state
        case = state.cases.get(notice.incident)
        grounds = gather({}, notice.alarms, state.standing)
        if case is not None:
            self._gather(case)
            grounds = case.grounds or grounds
            course.note_warning(case, notice)
        elif notice.status is WarningStatus.CANCELLED:
            state.early.pop(notice.incident, None)
        elif notice.incident and notice.status is not WarningStatus.DRAFT:
            state.early.setdefault(notice.incident, []).append(notice)
        told = self._notices.write(notice, state.threads, case, grounds)
        return [] if told is None else [told]

    def _on_finding(self, finding: ModelFinding) -> None:
        state = self._state
        if finding.is_on:
            state.found[finding.id] = finding
        else:
            state.found.pop(finding.id, None)
        for case in state.cases.values():
            if not _is_ended(case) and is_of(finding, case.incident):
                course.note_finding(case, finding)

    def _note(
        self,
        case: Case,
        message: Dispatch | Feedback | Slip | Milestone | Closure,
    ) -> None:
        match message:
            case Dispatch():
                course.note_dispatch(case, message, self._places)
            case Feedback():
                course.note_feedback(case, message, self._places)
            case Slip():
                course.note_slip(case, message)
            case Milestone():
                course.note_milestone(case, message)
            case Closure():
                course.note_closure(case, message)

    def _on_evaluation(self, evaluation: CaseEvaluation, now_ms: int) -> list[Message]:
        case = self._state.cases.get(evaluation.incident)
        if case is None:
            return []
        is_first = case.evaluation is None
        case.evaluation = evaluation
        if case.closure is None:
            return []
        reason = Reason.CASE_CLOSED if is_first else Reason.EVALUATION_REVISED
        return [self._give(case, self._writer.final(case, now_ms, reason))]

    def _give(self, case: Case, bulletin: Bulletin) -> Bulletin:
        """Count a bulletin that goes out; what it covered is no news any more."""
        case.numbered = bulletin.number
        case.reported = len(case.course)
        case.last_ms = bulletin.time_ms
        case.has_risen = False
        return bulletin


def _is_ended(case: Case) -> bool:
    """Return whether nothing but a final is still to come."""
    if case.incident.status == IncidentStatus.DISMISSED:
        return case.flash_ms is None or not case.news()
    return case.closure is not None or case.incident.status == IncidentStatus.CLOSED


def _due_ms(case: Case) -> int | None:
    is_withdrawn = case.incident.status == IncidentStatus.DISMISSED
    if case.flash_ms is None or case.has_risen or is_withdrawn:
        return case.last_ms
    follow_up = FOLLOW_UPS[case.incident.level]
    return follow_up.due_ms(case.last_ms, has_news=bool(case.news()))


def _follow_up_reason(case: Case, now_ms: int) -> Reason | None:
    due_ms = _due_ms(case)
    if due_ms is None or due_ms > now_ms:
        return None
    if case.incident.status == IncidentStatus.DISMISSED:
        return Reason.WITHDRAWN
    if case.has_risen:
        return Reason.LEVEL_RAISED
    return Reason.INTERVAL if FOLLOW_UPS[case.incident.level].is_regular else Reason.NEWS
