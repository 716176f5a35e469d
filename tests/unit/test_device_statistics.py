"""Errors of whole populations of devices against their data sheets, and their independence."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensors.devices import DeviceKind, fire, flood, gas, water
from sensors.devices.faults import Fault, FaultKind
from sensors.devices.response import Spread
from sensors.readings import Floats, Int64s
from sensors.registry import Device, Registry, entity_id
from simulator.fleet import Fleet, FleetTick

START_MS = 1_750_000_000_000
MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
KINDS = {**water.KINDS, **gas.KINDS, **flood.KINDS, **fire.KINDS}
NOISY = [kind for kind in KINDS.values() if kind.accuracy > 0]
SPREAD = Spread()
DEVICES = 300


def device(kind: DeviceKind, serial: int = 1) -> Device:
    names = Device.__dataclass_fields__.keys() & DeviceKind.__dataclass_fields__.keys()
    sheet = {name: getattr(kind, name) for name in names}
    place = {"area": "D01", "element": "E1", "x_m": 0.0, "y_m": 0.0}
    return Device(
        id=entity_id(kind.kind, "D01", serial),
        gateway=f"G-{kind.domain}",
        **place,  # type: ignore[arg-type]
        **sheet,
    )


def columns(ticks: list[FleetTick]) -> tuple[Int64s, Floats]:
    """Device and value of every reading."""
    batches = [frame.batch for tick in ticks for frame in tick.frames]
    device = np.concatenate([batch.device for batch in batches]).astype(np.int64)
    return device, np.concatenate([batch.value for batch in batches])


def population(kind: DeviceKind, truth: float, hours: list[int]) -> list[tuple[Int64s, Floats]]:
    """What a population shows of a steady truth, one hour at each of the given hours."""
    sheet = replace(kind, alarm_low=math.nan, alarm_high=math.nan, upload_s=0)
    registry = Registry.of(device(sheet, number) for number in range(DEVICES))
    fleet = Fleet(registry, 3, calibrated_ms=START_MS, report_delta={})
    level = np.full(DEVICES, truth)
    ticks = (
        fleet.tick(START_MS + hour * HOUR_MS, START_MS + (hour + 1) * HOUR_MS, level, level)
        for hour in hours
    )
    return [columns([tick]) for tick in ticks]


@pytest.mark.parametrize("kind", NOISY, ids=[kind.kind for kind in NOISY])
def test_errors_have_the_spread_of_the_data_sheet(kind: DeviceKind) -> None:
    """Offset, gain and noise are independent, and a display adds a twelfth of its step squared.

    The squared error of a device is its mean's plus its noise's; with 300 devices the standard
    error of the variance is below sqrt(2 / 300) of it: four of those are 33 %.
    """
    truth = 0.3 * kind.range_high + 0.5 * kind.resolution
    parts = population(kind, truth, list(range(0, 48, 6)))
    numbers, values = (np.concatenate(column) for column in zip(*parts, strict=True))
    assert np.bincount(numbers).tolist() == [len(values) // DEVICES] * DEVICES
    expected = kind.accuracy**2 * (1 + SPREAD.offset**2 + (0.3 * SPREAD.gain) ** 2)
    expected += kind.resolution**2 / 12
    error = values - truth
    assert (error**2).mean() == pytest.approx(expected, rel=4 * math.sqrt(2 / DEVICES))
    assert abs(error.mean()) < 5 * math.sqrt(expected / DEVICES) + 1e-12


@pytest.mark.parametrize("name", ["network_pressure", "drain_level", "gas_pressure", "river_level"])
def test_instruments_drift_apart_as_stated(name: str) -> None:
    kind = KINDS[name]
    parts = population(kind, 0.3 * kind.range_high, [0, 365 * 24])
    means = [np.bincount(numbers, values) / np.bincount(numbers) for numbers, values in parts]
    samples = len(parts[0][0]) // DEVICES
    noise = 2 * kind.accuracy**2 / samples  # 5-minute samples hardly remember each other
    expected = math.sqrt((SPREAD.drift_per_year * kind.accuracy) ** 2 + noise)
    drift = means[1] - means[0]
    assert drift.std() == pytest.approx(expected, rel=5 / math.sqrt(2 * DEVICES))
    assert abs(drift.mean()) < 5 * expected / math.sqrt(DEVICES)


ONE_OF_EACH = tuple(device(kind) for kind in KINDS.values())
TRUTH = {
    one.id: 0.4 * one.range_high if one.quantity != "pump_state" else 1.0 for one in ONE_OF_EACH
}


def some_faults(one: Device) -> list[Fault]:
    """One fault of each kind on a device, all at once."""
    size = one.range_high / 10
    amounts = {
        FaultKind.BIAS: size,
        FaultKind.DRIFT: size,
        FaultKind.NOISE: size,
        FaultKind.SPIKE: size,
        FaultKind.DROPOUT: 0.4,
        FaultKind.SCALE: 1.1,
        FaultKind.CLOCK_SKEW: 90.0,
    }
    until_ms = START_MS + 2 * HOUR_MS
    return [Fault(one.id, kind, START_MS, until_ms, size) for kind, size in amounts.items()]


def heard(devices: list[Device], broken: set[str]) -> dict[str, list[tuple[int, float]]]:
    registry = Registry.of(devices)
    faults = [fault for one in devices if one.id in broken for fault in some_faults(one)]
    fleet = Fleet(registry, 3, faults=faults, calibrated_ms=START_MS)
    truth = np.array([TRUTH[one.id] for one in devices])
    found: dict[str, list[tuple[int, float]]] = {one.id: [] for one in devices}
    for at_ms in range(START_MS, START_MS + 3 * HOUR_MS, 10 * MINUTE_MS):
        for frame in fleet.tick(at_ms, at_ms + 10 * MINUTE_MS, truth, truth).frames:
            batch = frame.batch
            rows = (batch.device.tolist(), batch.time_ms.tolist(), batch.value.tolist())
            for number, time_ms, value in zip(*rows, strict=True):
                found[registry.ids[number]].append((time_ms, value))
    return found


@given(
    st.permutations(range(len(ONE_OF_EACH))),
    st.integers(1, len(ONE_OF_EACH)),
    st.sets(st.sampled_from([one.id for one in ONE_OF_EACH])),
)
@settings(max_examples=15)
def test_no_device_changes_anothers_numbers_also_with_faults(
    order: list[int], count: int, broken: set[str]
) -> None:
    few = [ONE_OF_EACH[place] for place in order[:count]]
    whole = heard(list(ONE_OF_EACH), broken)
    assert heard(few, broken) == {one.id: whole[one.id] for one in few}
