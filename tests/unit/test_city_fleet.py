"""The devices of a whole city: who else is there changes nothing of what a device reads."""

import numpy as np
import pyarrow as pa
import pytest

from sensors.devices.faults import Fault
from sensors.registry import Registry
from simulator.city.profiles import place_fleet
from simulator.city.whole import generate_city
from simulator.fleet import Fleet
from simulator.incidents.fault_draws import draw_faults
from simulator.incidents.fault_rates import load_rates

START_MS, MINUTE_MS, TICKS = 1_780_243_200_000, 60_000, 90

Reading = tuple[str, int, float]


@pytest.fixture(scope="module")
def registry() -> Registry:
    return place_fleet(generate_city(7, 80), "default", 1)


def faults_of(registry: Registry) -> list[Fault]:
    """Return what is wrong with devices; gateways lose whole frames and are left out."""
    end_ms = START_MS + TICKS * MINUTE_MS
    drawn = draw_faults(registry, load_rates("bad_day"), 1, START_MS, end_ms)
    return [fault for fault in drawn if fault.target in registry.number]


def readings(registry: Registry) -> list[Reading]:
    """Return what a fleet with faults sends in an hour and a half, device by device."""
    fleet = Fleet(registry, 1, faults=faults_of(registry), calibrated_ms=START_MS)
    low, high = (registry.numbers(name) for name in ("range_low", "range_high"))
    truth = low + (high - low) / 7
    found = set()
    for minute in range(TICKS):
        at_ms = START_MS + minute * MINUTE_MS
        before, after = (truth * (1 + (minute + step) / 500) for step in (0, 1))
        for frame in fleet.tick(at_ms, at_ms + MINUTE_MS, before, after).frames:
            columns = frame.batch.device, frame.batch.time_ms, frame.batch.value
            found |= {
                (registry.ids[device], time_ms, value)
                for device, time_ms, value in zip(*(c.tolist() for c in columns), strict=True)
            }
    return sorted(found)


def test_fewer_devices_change_nothing_of_the_others(registry: Registry) -> None:
    kept = np.flatnonzero(np.random.Generator(np.random.PCG64(5)).random(len(registry)) < 0.6)
    fewer = Registry(registry.table.take(pa.array(kept)))
    assert 0 < len(fewer) < len(registry)
    assert faults_of(fewer)
    assert set(faults_of(fewer)) == {
        fault for fault in faults_of(registry) if fault.target in fewer.number
    }
    everybody = readings(registry)
    assert len({device for device, _, _ in everybody}) > 0.8 * len(registry)
    assert readings(fewer) == [row for row in everybody if row[0] in fewer.number]
