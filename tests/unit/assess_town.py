"""A street of ten junctions with a linear leak model: small enough to reckon by hand."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.assess.policy import AssessPolicy
from pipeline.messages import Alarm, AlarmState, Samples, WarningNotice, WarningStatus
from pipeline.ports import Conditions
from sensors.city import City
from sensors.levels import Level
from sensors.quantities import FLOW, PRESSURE, PUMP_STATE
from sensors.readings import ReadingBatch
from sensors.registry import Device, Registry

MINUTE_MS = 60_000
START_MS = 1_000_000 * MINUTE_MS
FIRST_LEAK_M3_H = AssessPolicy().leak_m3_h
NODES = 10
SPACING_M = 200.0
NORMAL_MPA = 0.40
WITHOUT_PUMP_MPA = 0.30
PRESSURE_NODES = (0, 2, 4, 6, 8)
PUMP_NUMBER = len(PRESSURE_NODES)
FLOW_NUMBER = PUMP_NUMBER + 1
DEVICES = FLOW_NUMBER + 1


def at(minute: float) -> int:
    """Return the event time of a minute of the script."""
    return START_MS + int(minute * MINUTE_MS)


def device_id(number: int) -> str:
    """Return the id of a device by its number."""
    return f"D{number}"


def street(people: float = 262.0) -> City:
    """Return the street: J0 to J9 in a row, areas A (J0 to J4) and B, pump PU into J0."""
    nodes = [
        _node(f"J{n}", "junction", "A" if n < NODES // 2 else "B", n * SPACING_M, people)
        for n in range(NODES)
    ]
    nodes.append(_node("R", "reservoir", "A", -SPACING_M, 0.0))
    links = [_link(f"P{n}", "pipe", f"J{n}", f"J{n + 1}") for n in range(NODES - 1)]
    links.append(_link("PU", "pump", "R", "J0"))
    return City.of_rows("street", "Street", {"nodes": nodes, "links": links})


def registry() -> Registry:
    """Return pressure devices at every second junction, the pump's state and its flow."""
    devices = [
        _device(n, "network_pressure", PRESSURE.name, f"J{node}", node * SPACING_M, 0.002, 60)
        for n, node in enumerate(PRESSURE_NODES)
    ]
    devices.append(_device(PUMP_NUMBER, "pump_state", PUMP_STATE.name, "PU", 0.0, 0.0, 60))
    devices.append(_device(FLOW_NUMBER, "dma_flow", FLOW.name, "P0", 100.0, 0.5, 300))
    return Registry.of(devices)


class LinearModel:
    """A `NetworkModel` in which a leak of 100 m3/h takes 0.05 MPa, halved with each pipe away."""

    def __init__(self) -> None:
        self.pipes: tuple[str, ...] = tuple(f"P{n}" for n in range(NODES - 1))
        self.searches: list[int] = []

    def expect(self, at_ms: int, conditions: Conditions) -> NDArray[np.float64]:
        """Return normal pressures, lower when the pump stands."""
        runs = conditions.pump_on.get("PU", True)
        values = np.full(DEVICES, NORMAL_MPA if runs else WITHOUT_PUMP_MPA)
        values[PUMP_NUMBER], values[FLOW_NUMBER] = float(runs), 100.0 if runs else 0.0
        return values

    def leak_changes(
        self,
        at_ms: int,
        conditions: Conditions,
        pipes: Sequence[str],
        leak_m3_h: float,
        devices: NDArray[np.integer] | None = None,
    ) -> NDArray[np.float64]:
        """Return signatures in proportion to the leak."""
        if leak_m3_h == FIRST_LEAK_M3_H:
            self.searches.append(at_ms)
        changes = np.array([leak_signature(pipe) * leak_m3_h for pipe in pipes])
        return changes if devices is None else changes[:, devices]


def leak_signature(pipe: str) -> NDArray[np.float64]:
    """Return the change 1 m3/h leaking from a pipe makes at each device."""
    change = np.zeros(DEVICES)
    away = np.abs(np.array(PRESSURE_NODES) - (int(pipe[1:]) + 0.5)) - 0.5
    change[: len(PRESSURE_NODES)] = -0.0005 * 0.5**away
    change[FLOW_NUMBER] = 1.0 if pipe != "P0" else 0.5
    return change


def samples(values: NDArray[np.float64], minute: float) -> Samples:
    """Return one sample of every device; NaN for those that stay silent."""
    numbers = np.flatnonzero(np.isfinite(values))
    times = np.full(len(numbers), at(minute))
    return Samples(ReadingBatch.of(numbers, times, values[numbers]), at(minute))


def normal(pump: bool = True) -> NDArray[np.float64]:
    """Return what the devices show when nothing leaks."""
    return LinearModel().expect(0, Conditions({"PU": pump}, {}))


def alarm(
    number: int,
    minute: float,
    state: AlarmState = AlarmState.PROVISIONAL,
    level: Level = Level.YELLOW,
    rule: str = "water.pressure_drop",
    raised: float | None = None,
    area: str | None = None,
) -> Alarm:
    """Return an alarm of a device; `raised` is the minute of its first sample."""
    first = minute if raised is None else raised
    device = device_id(number)
    return Alarm(
        id=f"{device}/{rule}/{at(first)}",
        device=device,
        rule=rule,
        domain="water",
        area=area or ("A" if number < 3 else "B"),
        quantity="pressure",
        level=level,
        state=state,
        value=0.1,
        limit=0.05,
        before=NORMAL_MPA,
        raised_ms=at(first),
        sample_ms=at(minute),
        time_ms=at(minute),
        reason="test",
    )


def draft(minute: float, *alarms: Alarm, area: str = "A") -> WarningNotice:
    """Return a draft warning about some alarms."""
    return WarningNotice(
        id=f"W-{area}-water-{at(minute)}",
        version=1,
        status=WarningStatus.DRAFT,
        level=Level.YELLOW,
        domain="water",
        area=area,
        incident="",
        alarms=tuple(one.id for one in alarms),
        time_ms=at(minute),
        reason="test",
    )


def _node(name: str, kind: str, area: str, x_m: float, people: float) -> dict[str, object]:
    return {
        "id": name,
        "domain": "water",
        "kind": kind,
        "area": area,
        "x_m": x_m,
        "y_m": 0.0,
        "elevation_m": 0.0,
        "base_demand_m3_h": 1.0,
        "people": people,
    }


def _link(name: str, kind: str, first: str, second: str) -> dict[str, object]:
    return {
        "id": name,
        "domain": "water",
        "kind": kind,
        "area": "A" if first in ("R", "J0", "J1", "J2", "J3", "J4") else "B",
        "from_node": first,
        "to_node": second,
        "length_m": SPACING_M,
        "diameter_mm": 200.0,
    }


def _device(
    number: int, kind: str, quantity: str, element: str, x_m: float, accuracy: float, every_s: int
) -> Device:
    return Device(
        id=device_id(number),
        kind=kind,
        quantity=quantity,
        domain="water",
        area="A" if x_m < SPACING_M * NODES / 2 else "B",
        element=element,
        gateway="G1",
        x_m=x_m,
        y_m=0.0,
        interval_s=every_s,
        alarm_interval_s=60,
        upload_s=0,
        range_low=0.0,
        range_high=1000.0,
        accuracy=accuracy,
        resolution=0.0,
        alarm_low=float("nan"),
        alarm_high=float("nan"),
        max_step=1000.0,
    )
