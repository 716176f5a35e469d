"""What monitor and warn say: samples, device health and alarms."""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from sensors.levels import Level
from sensors.readings import ReadingBatch


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
        confidence: How sure a forecast is, 0 to 1; None for what was measured.
        held: Why operators are not told (`Held`), empty when they are.
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
    confidence: float | None = None
    held: str = ""

    @property
    def subject(self) -> str:
        """The alarm's id."""
        return self.id
