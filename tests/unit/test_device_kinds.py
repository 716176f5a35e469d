"""Data sheets of the device kinds: consistent, and what instruments made of them show."""

import math
from collections.abc import Mapping
from itertools import pairwise

import numpy as np
import pytest

from sensors.devices import DeviceKind, device_kinds, fire, flood, gas, water
from sensors.devices.response import Spread
from sensors.quantities import QUANTITIES
from sensors.readings import Floats
from sensors.registry import Device, Registry, entity_id
from simulator.fleet import REPORT_DELTA, Fleet

START_MS = 1_750_000_000_000
MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
BY_MODULE: dict[str, Mapping[str, DeviceKind]] = {
    module.__name__: module.KINDS for module in (water, gas, flood, fire)
}
KINDS = {name: kind for kinds in BY_MODULE.values() for name, kind in kinds.items()}
CONTACTS = {"pump_state", "drain_pump_state"}


def devices(kind: DeviceKind, count: int) -> list[Device]:
    """Return devices exactly as their data sheet has them."""
    names = Device.__dataclass_fields__.keys() & DeviceKind.__dataclass_fields__.keys()
    sheet = {name: getattr(kind, name) for name in names}
    place = {"area": "D01", "element": "E1", "gateway": "G1", "x_m": 0.0, "y_m": 0.0}
    return [
        Device(id=entity_id(kind.kind, "D01", n), **place, **sheet)  # type: ignore[arg-type]
        for n in range(count)
    ]


def readings(kind: DeviceKind, truth: Floats, step_ms: int, count: int = 30) -> list[Floats]:
    """Return what each of some devices shows while the truth runs through `truth`."""
    fleet = Fleet(Registry.of(devices(kind, count)), 5, calibrated_ms=START_MS)
    shown: dict[int, list[tuple[int, float]]] = {number: [] for number in range(count)}
    at_ms = START_MS
    for before, after in pairwise(truth):
        tick = fleet.tick(at_ms, at_ms + step_ms, np.full(count, before), np.full(count, after))
        at_ms += step_ms
        for frame in tick.frames:
            batch = frame.batch
            columns = (batch.device.tolist(), batch.time_ms.tolist(), batch.value.tolist())
            for number, time_ms, value in zip(*columns, strict=True):
                shown[number].append((time_ms, value))
    return [np.array([value for _, value in sorted(rows)]) for rows in shown.values()]


def test_every_kind_is_announced_once_and_has_a_class_code_of_its_own() -> None:
    assert sum(map(len, BY_MODULE.values())) == len(KINDS)
    codes = {entity_id(kind, "D01", 1).split("-")[0] for kind in KINDS}
    assert "XX" not in codes
    assert len(codes) == len(KINDS) == 18
    assert set(device_kinds()) <= set(KINDS)


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
def test_a_data_sheet_is_consistent(kind: DeviceKind) -> None:
    quantity = QUANTITIES[kind.quantity]
    wire_step = 10.0**-quantity.wire_decimals / quantity.wire_scale
    width = kind.range_high - kind.range_low
    assert kind.domain in {"water", "gas", "flood", "rain", "fire"}
    assert width > 0
    assert (kind.accuracy > 0) == (kind.kind not in {*CONTACTS, "rain_gauge"})
    assert kind.accuracy < 0.05 * width
    assert wire_step <= kind.resolution * (1 + 1e-9), "the wire is coarser than the display"
    assert 0 < kind.alarm_interval_s <= kind.interval_s
    assert kind.upload_s == 0 or kind.upload_s % kind.interval_s == 0
    assert 5 * kind.accuracy < kind.max_step <= width
    limits = [limit for limit in (kind.alarm_low, kind.alarm_high) if not math.isnan(limit)]
    assert all(kind.range_low < limit < kind.range_high for limit in limits)
    assert kind.battery_years >= 0
    assert "reference" in kind.source or "proposed" in kind.source


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
def test_a_kind_that_looks_faster_in_alarm_has_a_reason_to(kind: DeviceKind) -> None:
    """Its own limits, a change limit, or limits that depend on where it is put up."""
    of_the_place = {"tank_level", "gas_flow"}
    has_limits = not (math.isnan(kind.alarm_low) and math.isnan(kind.alarm_high))
    has_reason = has_limits or kind.quantity in REPORT_DELTA or kind.kind in of_the_place
    assert has_reason or kind.alarm_interval_s == kind.interval_s or kind.upload_s > 0


@pytest.mark.parametrize("name", ["road_ponding", "underpass_ponding"])
def test_a_dry_ponding_sensor_shows_a_centimetre_at_most(name: str) -> None:
    shown = np.concatenate(readings(KINDS[name], np.zeros(25), HOUR_MS))
    assert shown.min() == 0.0
    assert shown.max() <= 1.0
    assert (shown == 0.0).mean() > 0.5


def test_a_methane_sensor_in_clean_air_shows_a_tenth_of_a_percent_at_most() -> None:
    shown = np.concatenate(readings(KINDS["manhole_methane"], np.full(49, 0.0002), HOUR_MS))
    assert shown.min() == 0.0
    assert 0.0 < shown.max() <= 0.13  # 3 sigma of noise and offset together, 30 x 96 samples


def test_a_rain_gauge_counts_whole_tips_and_never_back() -> None:
    rain = np.concatenate([np.linspace(0.0, 61.3, 61), np.full(60, 61.3)])
    every = readings(KINDS["rain_gauge"], rain, MINUTE_MS)
    for shown in every:
        assert np.all(np.diff(shown) >= 0)
        assert np.allclose(shown / 0.2, np.rint(shown / 0.2))
    last = np.array([shown[-1] for shown in every])
    error = Spread().counter_gain * 61.3
    assert np.all(np.abs(last - 61.3) < 4 * error)
    assert 0.5 * error < last.std() < 2 * error


def test_a_rain_gauge_reports_each_minute_in_heavy_rain_and_every_five_else() -> None:
    kind = KINDS["rain_gauge"]
    heavy = readings(kind, np.linspace(0.0, 60.0, 61), MINUTE_MS)
    light = readings(kind, np.linspace(0.0, 6.0, 61), MINUTE_MS)
    assert np.median([len(shown) for shown in heavy]) >= 55
    assert {len(shown) for shown in light} == {12}


def test_a_river_gauge_sends_twelve_values_once_an_hour() -> None:
    fleet = Fleet(Registry.of(devices(KINDS["river_level"], 1)), 5, calibrated_ms=START_MS)
    level = np.full(1, 3.0)
    sent = [
        fleet.tick(START_MS + n * MINUTE_MS, START_MS + (n + 1) * MINUTE_MS, level, level).readings
        for n in range(180)
    ]
    assert [count for count in sent if count][1:] == [12, 12]


@pytest.mark.parametrize(
    ("name", "normal", "alarming"),
    [
        ("manhole_methane", 0.0, 1.0),
        ("station_methane", 0.0, 20.0),
        ("road_ponding", 0.0, 20.0),
        ("drain_level", 2.0, 0.5),
        ("hydrant_pressure", 0.3, 0.05),
    ],
)
def test_an_alarm_and_its_recovery_are_told_within_the_alarm_interval(
    name: str, normal: float, alarming: float
) -> None:
    kind = KINDS[name]
    fleet = Fleet(Registry.of(devices(kind, 1)), 5, calibrated_ms=START_MS)
    step_ms = kind.alarm_interval_s * 1000
    times: list[int] = []
    for n in range(12):
        truth = np.full(1, alarming if 4 <= n < 8 else normal)
        tick = fleet.tick(START_MS + n * step_ms, START_MS + (n + 1) * step_ms, truth, truth)
        times += [n] * tick.readings
    assert set(times) >= {4, 5, 6, 7, 8}


def test_mains_powered_devices_are_always_full_and_batteries_last_as_long_as_stated() -> None:
    registry = Registry.of(
        [*devices(KINDS["road_ponding"], 1), *devices(KINDS["drain_pump_state"], 1)]
    )
    fleet = Fleet(registry, 5, calibrated_ms=START_MS)
    truth, later_ms = np.zeros(2), START_MS + 2 * 365 * DAY_MS
    early, late = (
        {status.device[:2]: status.battery for status in tick.statuses}
        for tick in (
            fleet.tick(START_MS, START_MS + 13 * HOUR_MS, truth, truth),
            fleet.tick(later_ms, later_ms + 13 * HOUR_MS, truth, truth),
        )
    )
    assert early["FP"] == late["FP"] == 1.0
    assert early["FR"] - late["FR"] == pytest.approx(2 / 5, abs=0.003)
