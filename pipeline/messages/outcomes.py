"""What evaluate and report say: verdicts, scores, bulletins, and what citizens told."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar

from pipeline.messages.handling import OfIncident


@dataclass(frozen=True, slots=True)
class CaseEvaluation(OfIncident):
    """How one incident was handled, and how it compares with the truth.

    `truth` is what it told of, though too late where the reason is `told_late`.
    """

    STAGE: ClassVar[str] = "evaluate"
    incident: str
    truth: str
    is_hit: bool
    detection_delay_min: float | None
    lead_time_min: float | None
    location_error_m: float | None
    location_error_pipes: int | None
    clocks_due: int
    clocks_in_time: int
    time_ms: int
    reason: str
    actor: str = "evaluate"


@dataclass(frozen=True, slots=True)
class RunEvaluation:
    """Scores of a whole run (domain/README §2.8); None where a denominator is zero.

    `late` are incidents that told of something real too late to count: it is missed, they are not
    false. `alarms_kpi` are the figures of alarm management (§2.9), as `AlarmBook.figures` names
    them.
    """

    STAGE: ClassVar[str] = "evaluate"
    true: int
    found: int
    missed: int
    false: int
    pod: float | None
    far_ratio: float | None
    csi: float | None
    bias: float | None
    lead_time_min: float | None
    lead_time_all_min: float | None
    detection_delay_min: float | None
    location_error_m: float | None
    timeliness: float | None
    alarms: int
    matches: dict[str, str]
    time_ms: int
    reason: str
    actor: str = "evaluate"
    location_error_pipes: float | None = None
    alarms_kpi: dict[str, float | int | dict[str, float | int]] = field(default_factory=dict)
    late: int = 0

    @property
    def subject(self) -> str:
        """The run."""
        return "run"


class BulletinKind(StrEnum):
    """Kinds of report (预警通报, 快报, 续报, 终报) and the run's own summary."""

    NOTICE = "notice"
    """A version of a warning that is out, with its CAP message."""
    FLASH = "flash"
    FOLLOW_UP = "follow_up"
    FINAL = "final"
    SUMMARY = "summary"


@dataclass(frozen=True, slots=True)
class Bulletin:
    """A report that goes out: its fields and its Markdown text.

    `cap` is the CAP 1.2 message (XML) of a notice, empty for every other kind.
    """

    STAGE: ClassVar[str] = "report"
    id: str
    kind: BulletinKind
    number: int
    incident: str
    title: str
    fields: dict[str, str]
    markdown: str
    time_ms: int
    reason: str
    actor: str = "report"
    sent_to: tuple[str, ...] = ()
    cap: str = ""

    @property
    def subject(self) -> str:
        """The incident's id, or the run."""
        return self.incident or "run"


@dataclass(frozen=True, slots=True)
class CitizenTold:
    """A citizen told the hotline something; `incident` is the open case it is near, if any.

    Attributes:
        call: Id of the call.
        told: What it was about, such as `gas_smell`.
        seen_ms: When the caller says to have noticed it.
        x_m: Easting of the place told.
        y_m: Northing of the same place.
    """

    STAGE: ClassVar[str] = "report"
    call: str
    incident: str
    told: str
    area: str
    x_m: float
    y_m: float
    seen_ms: int
    time_ms: int
    reason: str
    actor: str = "hotline"

    @property
    def subject(self) -> str:
        """The incident's id, or the call's."""
        return self.incident or self.call
