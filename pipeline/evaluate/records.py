"""What evaluation remembers of the run: truths, incidents in all versions, clocks, closures."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from pipeline.evaluate.kpis import AlarmBook
from pipeline.evaluate.matching import FoundCase
from pipeline.messages import (
    OUTSIDE,
    UNCLAIMED,
    CaseEvaluation,
    Cause,
    Incident,
    IncidentStatus,
    Milestone,
    Slip,
    WarningNotice,
)
from sensors.ground_truth import TrueIncident
from sensors.levels import Level

FORECAST = "ponding_forecast"
"""Reason of an incident that is told before anything is measured."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Where a version of an incident held it to be, and why it was told."""

    time_ms: int
    x_m: float
    y_m: float
    element: str
    candidates: tuple[str, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Issue:
    """Something left the platform at a level."""

    time_ms: int
    level: Level


@dataclass(slots=True)
class CaseRecord:
    """One incident: its confirmed estimates by version, what was issued, when teams arrived."""

    id: str
    domain: str = ""
    area: str = ""
    cause: Cause = Cause.UNKNOWN
    estimates: dict[int, Estimate] = field(default_factory=dict)
    issues: list[Issue] = field(default_factory=list)
    onsite_ms: int | None = None

    @property
    def is_confirmed(self) -> bool:
        """Whether it left the platform as an incident."""
        return bool(self.estimates)

    @property
    def is_claim(self) -> bool:
        """Whether it says that a hazard is there; a notice or biogas under patrol does not."""
        return self.is_confirmed and self.cause not in UNCLAIMED

    def issued_ms(self, level: Level | None = None) -> int | None:
        """Return when it was first issued, at `level` or worse when one is given."""
        times = [
            issue.time_ms
            for issue in self.issues
            if level is None or not level.is_worse_than(issue.level)
        ]
        return min(times, default=None)

    def estimate(self) -> Estimate:
        """Return the last estimate before a team arrived: what sent it there.

        Later ones may say what the team found, which is no merit of the assessment.
        """
        versions = sorted(self.estimates)
        before = [
            version
            for version in versions
            if self.onsite_ms is None or self.estimates[version].time_ms <= self.onsite_ms
        ]
        return self.estimates[before[-1] if before else versions[0]]

    def as_found(self) -> FoundCase:
        """Return it as the matching sees it."""
        estimate = self.estimate()
        return FoundCase(
            id=self.id,
            domain=self.domain,
            area=self.area,
            x_m=estimate.x_m,
            y_m=estimate.y_m,
            issued_ms=self.issued_ms() or 0,
            elements=estimate.candidates,
            is_forecast=self.estimates[min(self.estimates)].reason == FORECAST,
        )


@dataclass(slots=True)
class EvaluateState:
    """Everything the scores are made of.

    Attributes:
        harm_levels: True incident → its level when harm began: the mildest of its versions that
            know of harm, since levels only ever rise.
        clocks: Incident → clock (with the order for arrivals) → whether it was met in time;
            an overdue one counts as due and not in time until its milestone comes.
        given: Incident → evaluation emitted last.
        book: What operators were told of alarms, and what they did.
    """

    truths: dict[str, TrueIncident] = field(default_factory=dict)
    harm_levels: dict[str, Level] = field(default_factory=dict)
    cases: dict[str, CaseRecord] = field(default_factory=dict)
    clocks: dict[str, dict[str, bool]] = field(default_factory=dict)
    given: dict[str, CaseEvaluation] = field(default_factory=dict)
    book: AlarmBook = field(default_factory=AlarmBook)

    def case(self, incident: str) -> CaseRecord:
        """Return the record of an incident, a new one when it is not known yet."""
        return self.cases.setdefault(incident, CaseRecord(incident))

    def note_truth(self, truth: TrueIncident) -> None:
        """Keep the version of a true incident that knows most; versions only ever learn."""
        if truth.harm_ms is not None:
            level = self.harm_levels.get(truth.id, truth.level)
            self.harm_levels[truth.id] = max(level, truth.level)
        known = self.truths.get(truth.id)
        if known is None or _knowledge(truth) >= _knowledge(known):
            self.truths[truth.id] = truth

    def level_at_harm(self, event: TrueIncident) -> Level:
        """Return the level an event had when it first did harm; its own when that is not known.

        The harm of an event of several parts is that of the part which did harm first.
        """
        parts = [
            name
            for name, truth in self.truths.items()
            if truth.kind is event.kind and truth.harm_ms == event.harm_ms
        ]
        part = event.id if event.id in parts or not parts else min(parts)
        return self.harm_levels.get(part, event.level)

    def note_incident(self, incident: Incident) -> None:
        """Note a version; only confirmed ones count as having left the platform."""
        if incident.status != IncidentStatus.CONFIRMED:
            return
        case = self.case(incident.id)
        case.domain, case.area, case.cause = incident.domain, incident.area, incident.cause
        location = incident.location
        element = location.candidates[0] if location.candidates else ""
        case.estimates[incident.version] = Estimate(
            incident.time_ms,
            location.x_m,
            location.y_m,
            element,
            location.candidates,
            incident.reason,
        )
        case.issues.append(Issue(incident.time_ms, incident.level))

    def note_warning(self, warning: WarningNotice) -> None:
        """Note a warning that went out for an incident."""
        if warning.status in OUTSIDE and warning.incident:
            self.case(warning.incident).issues.append(Issue(warning.time_ms, warning.level))

    def note_milestone(self, milestone: Milestone) -> None:
        """Note a clock that ended."""
        clocks = self.clocks.setdefault(milestone.incident, {})
        clocks[_clock_key(milestone)] = milestone.is_in_time
        if milestone.clock == "onsite":
            case = self.case(milestone.incident)
            times = [milestone.done_ms, case.onsite_ms]
            case.onsite_ms = min(time for time in times if time is not None)

    def note_slip(self, slip: Slip) -> None:
        """Note a clock that passed its limit: due, and not in time unless a milestone says so."""
        if slip.step > 1 and slip.clock != "verify":
            self.clocks.setdefault(slip.incident, {}).setdefault(_clock_key(slip), False)

    def confirmed(self) -> list[CaseRecord]:
        """Return the incidents that left the platform, by id."""
        return [self.cases[name] for name in sorted(self.cases) if self.cases[name].is_confirmed]

    def claims(self) -> list[CaseRecord]:
        """Return the incidents that claimed a hazard, by id."""
        return [case for case in self.confirmed() if case.is_claim]

    def clock_counts(self, incidents: Iterable[str]) -> tuple[int, int]:
        """Return how many clocks of `incidents` were due, and how many of them met in time."""
        marks = [mark for name in incidents for mark in self.clocks.get(name, {}).values()]
        return len(marks), sum(marks)


def _clock_key(message: Milestone | Slip) -> str:
    return f"{message.clock}/{message.order}" if message.clock == "onsite" else message.clock


def _knowledge(truth: TrueIncident) -> tuple[int, int, int]:
    later = (truth.harm_ms, truth.end_ms, truth.repaired_ms)
    known = [moment for moment in later if moment is not None]
    return len(known), len(truth.detectable_ms), max(known, default=0)
