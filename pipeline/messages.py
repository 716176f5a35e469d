"""What the stages pass to each other; frozen, changed only by making a new one.

Every message but the bulk ones (`Samples`, frames) is a *transition*: it says who (`actor`)
decided what about whom (`subject`), when and why, and is appended to the event log.

The chain: frame → samples → alarm → draft warning → incident → warning → order → slip →
closure → case evaluation → bulletin.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from sensors.field import DeviceStatus, Feedback, WorkOrder
from sensors.ground_truth import TrueIncident
from sensors.levels import Level
from sensors.readings import Frame, ReadingBatch


@dataclass(frozen=True, slots=True)
class Samples:
    """Checked readings, sorted by device and sample time, with quality flags set.

    `received_ms` is the event time at which the platform had them: a late batch has old
    `batch.time_ms`, and no lead time is credited before it was received.
    """

    batch: ReadingBatch
    received_ms: int


class HealthKind(StrEnum):
    """What is wrong with a device; never colours anything (domain/README §3.1.1)."""

    OFFLINE = "offline"
    STUCK = "stuck"
    SPIKE = "spike"
    RANGE = "range"
    SKEW = "skew"
    LATE = "late"
    BATTERY = "battery"


@dataclass(frozen=True, slots=True)
class DeviceHealth:
    """A device became doubtful (`is_on`) or good again."""

    STAGE: ClassVar[str] = "monitor"
    device: str
    area: str
    kind: HealthKind
    is_on: bool
    time_ms: int
    reason: str
    actor: str = "monitor"

    @property
    def subject(self) -> str:
        """The device."""
        return self.device


class AlarmState(StrEnum):
    """Where an alarm stands."""

    PROVISIONAL = "provisional"
    RAISED = "raised"
    CHANGED = "changed"
    CLEARED = "cleared"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Alarm:
    """A rule's verdict on one device, in its newest state.

    Attributes:
        id: `device/rule/raised_ms`, the same in every run and partitioning.
        raised_ms: Sample time of the first sample that violated the limit.
        time_ms: Event time of this transition (`now` of the stage).
        sample_ms: Sample time of the sample that decided it.
        before: Value before the change, for rules that compare (NaN otherwise).
        unit: Unit of `value`, `limit` and `before`; `sigma` for scores.
    """

    STAGE: ClassVar[str] = "warn"
    id: str
    device: str
    rule: str
    domain: str
    area: str
    quantity: str
    level: Level
    state: AlarmState
    value: float
    limit: float
    before: float
    raised_ms: int
    sample_ms: int
    time_ms: int
    reason: str
    actor: str = "warn"
    unit: str = ""

    @property
    def subject(self) -> str:
        """The alarm's id."""
        return self.id


class WarningStatus(StrEnum):
    """Life of a warning."""

    DRAFT = "draft"
    ISSUED = "issued"
    UPDATED = "updated"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class WarningNotice:
    """A warning in one of its versions: drafted by `warn`, issued or cancelled by `assess`."""

    STAGE: ClassVar[str] = "warn"
    id: str
    version: int
    status: WarningStatus
    level: Level
    domain: str
    area: str
    incident: str
    alarms: tuple[str, ...]
    time_ms: int
    reason: str
    actor: str = "warn"

    @property
    def subject(self) -> str:
        """The warning's id."""
        return self.id


class Cause(StrEnum):
    """What `assess` holds for the cause of an incident."""

    BURST = "burst"
    PUMP_OUTAGE = "pump_outage"
    PUMP_SWITCH = "pump_switch"
    DEVICE_FAULT = "device_fault"
    LOW_SUPPLY = "low_supply"
    UNKNOWN = "unknown"


class IncidentStatus(StrEnum):
    """Life of an incident. `dismissed` ones never leave the platform."""

    ASSESSING = "assessing"
    CONFIRMED = "confirmed"
    DISMISSED = "dismissed"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Location:
    """Where an incident is held to be: candidates with the most likely first.

    Attributes:
        candidates: Network elements, most likely first.
        scores: Likelihood score of each candidate, 0 to 1, same order.
        x_m: Easting of the first candidate's middle.
        y_m: Northing of it.
        method: Named method, such as `leak_signature` or `largest_drop`.
    """

    candidates: tuple[str, ...]
    scores: tuple[float, ...]
    x_m: float
    y_m: float
    method: str


@dataclass(frozen=True, slots=True)
class Incident:
    """An incident in one of its versions: alarms grouped into one thing that happened.

    Attributes:
        level: Warning level: evidence level with the adjustments of domain/README §3.3.5.
        likelihood: Live L, 1 to 5.
        consequence: C, 1 to 5.
        risk_level: Colour of R = L·C in the configured bands; another scale than `level`.
        confidence: How sure the cause is, 0 to 1.
        adjustments: Named reasons why `level` differs from the evidence level.
    """

    STAGE: ClassVar[str] = "assess"
    id: str
    version: int
    status: IncidentStatus
    domain: str
    cause: Cause
    level: Level
    area: str
    alarms: tuple[str, ...]
    devices: tuple[str, ...]
    location: Location
    likelihood: int
    consequence: int
    risk_level: Level
    confidence: float
    households: float
    opened_ms: int
    time_ms: int
    reason: str
    actor: str = "assess"
    adjustments: tuple[str, ...] = ()

    @property
    def subject(self) -> str:
        """The incident's id."""
        return self.id


class OfIncident:
    """A message whose subject is an incident it names."""

    __slots__ = ()
    incident: str

    @property
    def subject(self) -> str:
        """The incident's id."""
        return self.incident


@dataclass(frozen=True, slots=True)
class Dispatch(OfIncident):
    """The decision behind an order: who was chosen, who was not free, or why nobody was."""

    STAGE: ClassVar[str] = "dispatch"
    incident: str
    order: WorkOrder | None
    travel_min: float
    considered: dict[str, str]
    time_ms: int
    reason: str
    actor: str = "dispatch"


@dataclass(frozen=True, slots=True)
class Slip(OfIncident):
    """A supervision slip: a stage of an incident or order is late (colour of *supervision*)."""

    STAGE: ClassVar[str] = "supervise"
    incident: str
    order: str
    clock: str
    step: int
    colour: str
    tier: str
    due_ms: int
    time_ms: int
    reason: str
    actor: str = "supervise"


@dataclass(frozen=True, slots=True)
class Milestone(OfIncident):
    """A clock of an incident ended in time or late (`ack`, `assess`, `onsite`, …)."""

    STAGE: ClassVar[str] = "supervise"
    incident: str
    order: str
    clock: str
    due_ms: int
    done_ms: int
    is_in_time: bool
    time_ms: int
    reason: str
    actor: str = "supervise"


@dataclass(frozen=True, slots=True)
class Closure(OfIncident):
    """Supervision closed an incident after the sensors agreed."""

    STAGE: ClassVar[str] = "supervise"
    incident: str
    is_verified: bool
    time_ms: int
    reason: str
    actor: str = "supervise"


@dataclass(frozen=True, slots=True)
class CaseEvaluation(OfIncident):
    """How one incident was handled, and how it compares with the truth."""

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
    """Scores of a whole run (domain/README §2.8); None where a denominator is zero."""

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

    @property
    def subject(self) -> str:
        """The run."""
        return "run"


class BulletinKind(StrEnum):
    """Kinds of report (快报, 续报, 终报) and the run's own summary."""

    FLASH = "flash"
    FOLLOW_UP = "follow_up"
    FINAL = "final"
    SUMMARY = "summary"


@dataclass(frozen=True, slots=True)
class Bulletin:
    """A report that goes out: its fields and its Markdown text."""

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

    @property
    def subject(self) -> str:
        """The incident's id, or the run."""
        return self.incident or "run"


Transition = (
    DeviceHealth
    | Alarm
    | WarningNotice
    | Incident
    | Dispatch
    | Slip
    | Milestone
    | Closure
    | CaseEvaluation
    | RunEvaluation
    | Bulletin
)
"""Messages that are appended to the event log."""

Message = Frame | DeviceStatus | Samples | Transition | WorkOrder | Feedback | TrueIncident
"""Everything a stage may be given or may return."""
