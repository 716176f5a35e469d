"""What dispatch and supervise say: decisions behind orders, clocks, slips and closures."""

from dataclasses import dataclass
from typing import ClassVar

from sensors.field import WorkOrder


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
