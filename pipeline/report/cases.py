"""What report remembers of a case: its newest version, its course, and what went out."""

from dataclasses import dataclass, field

from pipeline.messages import CaseEvaluation, Closure, Incident, ModelFinding, WarningNotice
from pipeline.report.cap import CapThread
from pipeline.report.grounds import Ground
from sensors.field import HotlineReport
from sensors.levels import Level


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a case's course.

    Attributes:
        time_ms: When it happened.
        text: One sentence without its full stop.
        is_measure: Whether something was done, not only noticed.
    """

    time_ms: int
    text: str
    is_measure: bool = False


@dataclass(slots=True)
class UnitTrack:
    """Where a team stands with the incident, in the words of its last feedback."""

    team: str
    state: str


@dataclass(slots=True)
class Case:
    """One incident as it is reported.

    Attributes:
        first_level: Level it was confirmed at.
        reported: How many entries of the course the bulletins so far have covered.
        numbered: Bulletins so far.
        last_ms: When the last one went out.
        found: Element the field found damaged, empty until then.
        lacks: Why a plan step has no team at the moment, empty when none is missing.
        late: Clocks that were met late or are overdue, in words.
        calls: Ids of what citizens told near its place.
        warnings: Versions of its warning, in words.
        known_warnings: Warnings that were issued or asked for in its name.
        issued_ms: When its warning first left the platform, None before.
        grounds: Numbers behind its alarms, by alarm.
        findings: What warning models found, in words, by finding.
    """

    incident: Incident
    first_level: Level
    course: list[Entry] = field(default_factory=list)
    reported: int = 0
    numbered: int = 0
    last_ms: int = 0
    flash_ms: int | None = None
    has_risen: bool = False
    units: dict[str, UnitTrack] = field(default_factory=dict)
    found: str = ""
    contained_ms: int | None = None
    restored_ms: int | None = None
    lacks: str = ""
    late: dict[str, str] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    closure: Closure | None = None
    evaluation: CaseEvaluation | None = None
    warnings: list[Entry] = field(default_factory=list)
    known_warnings: list[str] = field(default_factory=list)
    issued_ms: int | None = None
    grounds: dict[str, Ground] = field(default_factory=dict)
    findings: dict[str, str] = field(default_factory=dict)

    def note(self, time_ms: int, text: str, *, is_measure: bool = False) -> None:
        """Add a line to the course."""
        self.course.append(Entry(time_ms, text, is_measure))

    def news(self) -> list[Entry]:
        """Return the lines no bulletin has covered yet, by time."""
        return sorted(self.course[self.reported :], key=lambda entry: entry.time_ms)


@dataclass(slots=True)
class ReportState:
    """What the stage remembers.

    Attributes:
        cases: Confirmed cases by incident.
        summaries: How many summaries went out.
        calls: What citizens told of late.
        threads: CAP messages of the warnings that are out, by warning.
        early: Versions of warnings whose incident is not confirmed yet, by incident.
        standing: Numbers of the alarms that stand, by alarm.
        found: Findings of warning models that stand, by finding.
    """

    cases: dict[str, Case] = field(default_factory=dict)
    summaries: int = 0
    calls: list[HotlineReport] = field(default_factory=list)
    threads: dict[str, CapThread] = field(default_factory=dict)
    early: dict[str, list[WarningNotice]] = field(default_factory=dict)
    standing: dict[str, Ground] = field(default_factory=dict)
    found: dict[str, ModelFinding] = field(default_factory=dict)
