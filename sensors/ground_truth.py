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
    GAS_PINHOLE = "gas_pinhole"
    GAS_STRIKE = "gas_strike"
    GAS_WELL_LEAK = "gas_well_leak"
    BIOGAS = "biogas"
    DIGGING = "digging"
    STORM = "storm"
    PONDING = "ponding"
    DRAIN_PUMP_FAILURE = "drain_pump_failure"
    DRAIN_BLOCKAGE = "drain_blockage"
    GATE_CLOSURE = "gate_closure"
    RIVER_HIGH = "river_high"
    POWER_CUT = "power_cut"
    FIRE_TANK_EMPTY = "fire_tank_empty"


@dataclass(frozen=True, slots=True)
class TrueIncident:
    """One thing that really happened, in its newest version.

    Attributes:
        id: Stable id within the run.
        kind: What it was.
        is_hazard: Whether a platform ought to find it; False for decoys such as pump switches
            and device faults, which must not become incidents.
        domain: `water`, `gas`, `flood` or `fire`.
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
