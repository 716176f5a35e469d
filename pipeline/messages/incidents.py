"""What assess says: warnings in their versions and incidents with cause and place."""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from sensors.levels import Level


class WarningStatus(StrEnum):
    """Life of a warning."""

    DRAFT = "draft"
    AWAITING_APPROVAL = "awaiting_approval"
    """Decided, and before the authority of its level."""
    ISSUED = "issued"
    UPDATED = "updated"
    UPGRADED = "upgraded"
    DOWNGRADED = "downgraded"
    CANCELLED = "cancelled"


OUTSIDE = frozenset(
    {
        WarningStatus.ISSUED,
        WarningStatus.UPDATED,
        WarningStatus.UPGRADED,
        WarningStatus.DOWNGRADED,
    }
)
"""Statuses of a warning that has left the platform and stands."""


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
    GAS_LEAK = "gas_leak"
    BIOGAS = "biogas"
    STEADY_METHANE = "steady_methane"
    """Little methane of one space that does not rise: biogas, a device with an offset, or an old
    and small leak; a patrol measures it."""
    PONDING = "ponding"
    PUMP_STOPPED = "pump_stopped"
    """Ponding at a spot whose own drainage pump is measured standing."""
    SURCHARGE = "surcharge"
    """Drains of an area run full and no ponding is measured."""
    FIRE_WATER = "fire_water"
    STORM = "storm"


NOTICES = frozenset({Cause.SURCHARGE, Cause.STORM})
"""Causes that are told and watched and send nobody: no order is due, none is scored."""
PATROLLED = frozenset({Cause.BIOGAS, Cause.STEADY_METHANE})
"""Causes that send a patrol to measure, and nobody to mend."""
UNCLAIMED = NOTICES | PATROLLED
"""Causes that claim no hazard: neither a hit nor a false one."""


class Mark(StrEnum):
    """What sensors show at the place of an incident besides its level (`Incident.adjustments`)."""

    CLOSURE_DEPTH = "closure_depth_reached"
    """Water stands so deep that the road is closed at once, whatever the colour."""
    WATER_GONE = "water_gone"
    """No alarm stands and every depth is back to a wet road."""


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
