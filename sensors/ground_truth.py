"""What really happened: known to the world and to `evaluate`, and to nobody between them."""

from dataclasses import dataclass
from enum import StrEnum

from sensors.levels import Level


class TrueKind(StrEnum):
    """What kind of thing really happened."""

    BURST = "burst"
    SLOW_LEAK = "slow_leak"
    VALVE_CLOSURE = "valve_closure"
    PUMP_TRIP = "pump_trip"
    DEMAND_SURGE = "demand_surge"
    PUMP_SWITCH = "pump_switch"
    DEVICE_FAULT = "device_fault"


@dataclass(frozen=True, slots=True)
class TrueIncident:
    """One thing that really happened, in its newest version.

    Attributes:
        id: Stable id within the run.
        kind: What it was.
        is_hazard: Whether a platform ought to find it; False for decoys such as pump switches
            and device faults, which must not become incidents.
        domain: `water`, `gas` or `flood`.
        area: Area (DMA) it lies in.
        element: Network element or device it happened to.
        x_m: Easting in the city's plane, metres.
        y_m: Northing in the city's plane, metres.
        level: How severe it was in truth.
        onset_ms: When it began.
        detectable_ms: Device id → first moment its true value left the undisturbed one by more
            than twice the device's noise; devices it never touches are absent.
        harm_ms: When harm began, None while there is none.
        end_ms: When it stopped acting (isolated or over), None while it lasts.
        repaired_ms: When all was as before, None until then.
    """

    id: str
    kind: TrueKind
    is_hazard: bool
    domain: str
    area: str
    element: str
    x_m: float
    y_m: float
    level: Level
    onset_ms: int
    detectable_ms: dict[str, int]
    harm_ms: int | None = None
    end_ms: int | None = None
    repaired_ms: int | None = None
    detail: str = ""
