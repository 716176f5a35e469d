"""Random faults: as many, as long and as large as their rates say, and nobody else's business."""

import math
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensors.devices.faults import Fault, FaultKind
from sensors.registry import Device, Registry, entity_id
from simulator.errors import ScenarioError
from simulator.fleet import Fleet
from simulator.incidents.fault_draws import draw_faults, events
from simulator.incidents.fault_rates import FaultRates, Hours, load_rates, parse_rates
from simulator.randomness import keys

START_MS = 1_750_000_000_000
HOUR_MS, DAY_MS = 3_600_000, 86_400_000
PRESSURE = Device(
    id="",
    kind="network_pressure",
    quantity="pressure",
    domain="water",
    area="D001",
    element="J1",
    gateway="",
    x_m=0.0,
    y_m=0.0,
    interval_s=300,
    alarm_interval_s=60,
    upload_s=0,
    range_low=0.0,
    range_high=1.6,
    accuracy=0.002,
    resolution=0.0001,
    alarm_low=0.14,
    alarm_high=math.nan,
    max_step=0.6,
)


def town(
    count: int, per_gateway: int = 20, kinds: tuple[str, ...] = ("network_pressure",)
) -> Registry:
    """Return devices whose gateways stand 500 m apart in a row."""
    return Registry.of(
        replace(
            PRESSURE,
            id=entity_id("network_pressure", "D001", number),
            kind=kinds[number % len(kinds)],
            gateway=f"gw-{number // per_gateway:04d}",
            x_m=500.0 * (number // per_gateway),
        )
        for number in range(count)
    )


TOWN = town(4000)
DEFAULT = load_rates()


def rates(**parts: object) -> FaultRates:
    return FaultRates.model_validate(parts)


def rate(kind: str, per_year: float, longest: float = 24.0, **more: object) -> dict[str, object]:
    hours = {"median": 1.0, "spread": 0.5, "longest": longest}
    return {"kind": kind, "per_year": per_year, "hours": hours, "source": "test", **more}


def drawn(
    chosen: FaultRates, days: int = 30, seed: int = 1, registry: Registry = TOWN
) -> tuple[Fault, ...]:
    return draw_faults(registry, chosen, seed, START_MS, START_MS + days * DAY_MS)


def test_nothing_fails_without_rates() -> None:
    assert drawn(load_rates("none")) == ()


def test_the_same_seed_draws_the_same_faults_and_another_others() -> None:
    assert drawn(DEFAULT) == drawn(DEFAULT)
    assert not set(drawn(DEFAULT)) & set(drawn(DEFAULT, seed=2))


def test_every_kind_comes_as_often_as_its_rate_within_poisson_bounds() -> None:
    begun = Counter(
        fault.kind for fault in drawn(DEFAULT) if fault.start_ms >= START_MS and not fault.cause
    )
    gateways = len(set(TOWN.texts("gateway")))
    for one, sources in [(item, len(TOWN)) for item in DEFAULT.device] + [
        (item, gateways) for item in DEFAULT.gateway
    ]:
        mean = one.per_year * sources * 30 / 365
        assert abs(begun[one.kind] - mean) < 5 * math.sqrt(mean) + 1, one.kind


def test_the_fleet_is_in_its_steady_state_from_the_first_moment() -> None:
    """At any moment rate x mean duration devices are at fault (Little's law)."""
    chosen = rates(device=[rate("stuck", 50.0, longest=1000.0)])
    mean_h = math.exp(0.5**2 / 2)
    expected = 4000 * 50 / 8760 * mean_h
    faults = drawn(chosen, days=4)
    for at_ms in (START_MS, START_MS + 2 * DAY_MS):
        acting = sum(fault.start_ms <= at_ms < fault.end_ms for fault in faults)
        assert abs(acting - expected) < 5 * math.sqrt(expected)


def test_a_set_like_another_one_strikes_as_often_as_it_says() -> None:
    often, usual = len(drawn(load_rates("bad_day"), 5)), len(drawn(DEFAULT, 5))
    assert often == pytest.approx(30 * usual, rel=5 / math.sqrt(usual))
    assert load_rates("bad_day").firmware[0].per_year == 30 * DEFAULT.firmware[0].per_year


def test_gaps_and_durations_follow_their_distributions() -> None:
    hours = Hours(median=2.0, spread=0.8, longest=1000.0)
    window = START_MS, START_MS + 365 * DAY_MS
    found = events(keys(1, "test", [str(n) for n in range(500)]), 7, 40.0, hours, window)
    inside = found.start_ms >= START_MS
    logs = np.log((found.end_ms - found.start_ms)[inside] / HOUR_MS / 2.0)
    assert abs(logs.mean()) < 5 * 0.8 / math.sqrt(len(logs))
    assert logs.std() == pytest.approx(0.8, rel=0.05)
    counts = np.bincount(found.source[inside], minlength=500)
    assert abs(counts.mean() - 40) < 5 * math.sqrt(40 / 500)
    assert counts.var() == pytest.approx(40, rel=5 * math.sqrt(2 / 500))


def test_no_fault_outlasts_its_cap_nor_lies_outside_the_window() -> None:
    chosen = rates(device=[rate("outage", 100.0, longest=2.0)])
    faults = drawn(chosen, days=2)
    assert max(fault.end_ms - fault.start_ms for fault in faults) <= 2 * HOUR_MS
    assert min(fault.end_ms for fault in faults) > START_MS
    assert max(fault.start_ms for fault in faults) < START_MS + 2 * DAY_MS


@pytest.mark.parametrize(
    ("amount", "low", "high", "negative"),
    [
        ({"in": "own", "low": 0.1, "high": 0.4}, 0.1, 0.4, 0.0),
        ({"in": "accuracies", "low": 5.0, "high": 10.0, "sign": "both"}, 0.01, 0.02, 0.5),
        ({"in": "ranges", "low": 0.0, "high": 0.5, "sign": "both"}, 0.0, 0.8, 0.5),
    ],
)
def test_amounts_are_in_the_unit_asked_for(
    amount: dict[str, object], low: float, high: float, negative: float
) -> None:
    faults = drawn(rates(device=[rate("bias", 5.0, amount=amount)]))
    sizes = np.array([fault.amount for fault in faults])
    assert low <= np.abs(sizes).min() < low + 0.1 * (high - low)
    assert high - 0.1 * (high - low) < np.abs(sizes).max() <= high * (1 + 1e-12)
    spread = math.sqrt(negative * (1 - negative) / len(sizes))
    assert abs((sizes < 0).mean() - negative) <= 5 * spread


@given(st.sets(st.integers(0, 199), min_size=1), st.integers(0, 50))
@settings(max_examples=20)
def test_other_devices_change_none_of_a_devices_faults(few: set[int], seed: int) -> None:
    chosen = DEFAULT.model_copy(update={"gateway": (), "base_station": None})
    every = town(200, kinds=("network_pressure", "hydrant_pressure"))
    some = Registry(every.table.take(sorted(few)))
    ids = set(some.ids)
    alone = drawn(chosen, 365, seed, some)
    assert alone == tuple(item for item in drawn(chosen, 365, seed, every) if item.target in ids)


def test_a_kind_of_fault_more_changes_none_of_the_others() -> None:
    one = rates(device=[rate("stuck", 5.0)])
    two = rates(device=[rate("outage", 5.0), rate("stuck", 5.0)])
    assert drawn(one) == tuple(fault for fault in drawn(two) if fault.kind is FaultKind.STUCK)


def test_a_later_end_adds_faults_and_changes_none() -> None:
    end_ms = START_MS + 10 * DAY_MS
    assert drawn(DEFAULT, 10) == tuple(f for f in drawn(DEFAULT, 30) if f.start_ms < end_ms)


def test_a_base_station_takes_all_gateways_of_its_cell_at_once_and_no_other() -> None:
    hours = {"median": 2, "spread": 0, "longest": 4}
    amount = {"in": "own", "low": 0.2, "high": 0.2}
    station = {"cell_m": 2000, "per_year": 20, "hours": hours, "amount": amount, "source": "test"}
    faults = drawn(rates(base_station=station))
    causes = sorted({fault.cause for fault in faults})
    assert abs(len(causes) - 50 * 20 * 30 / 365) < 5 * math.sqrt(50 * 20 * 30 / 365)
    for cause in causes:
        struck = [fault for fault in faults if fault.cause == cause]
        east = int(cause.split("-")[2].split("/")[0])
        assert [fault.target for fault in struck] == [f"gw-{4 * east + n:04d}" for n in range(4)]
        assert len({(fault.start_ms, fault.end_ms, fault.amount) for fault in struck}) == 1
        assert struck[0].kind is FaultKind.LINK_OUTAGE


def test_a_firmware_strikes_a_share_of_one_kind_at_once() -> None:
    registry = town(4000, kinds=("network_pressure", "hydrant_pressure"))
    bug = rate(
        "scale",
        50.0,
        amount={"in": "own", "low": 0.1, "high": 0.1},
        share={"low": 0.2, "high": 0.3},
    )
    faults = drawn(rates(firmware=[bug]), registry=registry)
    causes = sorted({fault.cause for fault in faults})
    assert len(causes) > 3
    for cause in causes:
        struck = [fault for fault in faults if fault.cause == cause]
        kinds = {registry.device(registry.number[fault.target]).kind for fault in struck}
        assert len(kinds) == 1
        assert cause.startswith(f"firmware-{kinds.pop()}-scale-")
        assert len({(fault.start_ms, fault.end_ms) for fault in struck}) == 1
        assert 0.2 - 5 * 0.01 < len(struck) / 2000 < 0.3 + 5 * 0.011


def test_a_fleet_takes_the_faults_that_are_drawn() -> None:
    registry = town(100)
    faults = drawn(DEFAULT, 365, registry=registry)
    fleet = Fleet(registry, 1, faults=faults)
    assert len(fleet.fault_truth()) == len(faults) > 50


def test_every_sample_of_a_failing_fleet_is_sent_lost_dropped_or_waiting() -> None:
    """Devices without limits report each sample, so the books can be closed."""
    without = replace(PRESSURE, alarm_low=math.nan, quantity="flow", range_high=100.0)
    registry = Registry.of(
        replace(without, id=f"F{n}", gateway=f"gw-{n % 15}", upload_s=3600 * (n % 2))
        for n in range(300)
    )
    much = {
        "device": [item.model_copy(update={"per_year": 100.0}) for item in DEFAULT.device],
        "gateway": [item.model_copy(update={"per_year": 400.0}) for item in DEFAULT.gateway],
    }
    faults = drawn(DEFAULT.model_copy(update=much), 1, registry=registry)
    assert {fault.kind for fault in faults} >= set(FaultKind) - {FaultKind.SCALE}
    fleet, truth = Fleet(registry, 1, faults=faults), np.full(300, 50.0)
    sums: Counter[str] = Counter()
    for at_ms in range(START_MS, START_MS + DAY_MS, 10 * 60_000):
        tick = fleet.tick(at_ms, at_ms + 10 * 60_000, truth, truth)
        for name in ("sampled", "readings", "lost_readings", "dropped_readings", "duplicates"):
            sums[name] += getattr(tick, name)
    gone = sums["lost_readings"] + sums["dropped_readings"] + fleet.waiting
    assert sums["sampled"] == sums["readings"] + gone
    assert min(sums.values()) > 0


HEAD = "format: 1\nsets:\n  own:\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("sets: {}", r"rates.yaml: format: missing; add it"),
        ("format: 1\nsets: {a: {devices: []}}", r"sets.a.devices: unknown key; remove it"),
        (
            HEAD + "    device: [{kind: stuck, per_year: -1, source: s,"
            " hours: {median: 1, spread: 0, longest: 1}}]",
            r"sets.own.device.0.per_year: .*greater than or equal to 0 \(got -1\)",
        ),
        (
            HEAD + "    device: [{kind: frame_loss, per_year: 1, source: s,"
            " amount: {in: own, low: 0, high: 1}, hours: {median: 1, spread: 0, longest: 1}}]",
            r"device: frame_loss does not belong here; move or remove it",
        ),
        (
            HEAD + "    device: [{kind: dropout, per_year: 1, source: s,"
            " amount: {in: own, low: 0, high: 5}, hours: {median: 1, spread: 0, longest: 1}}]",
            r"dropout takes a probability; use 0 to 1",
        ),
        (
            HEAD + "    device: [{kind: bias, per_year: 1, source: s,"
            " hours: {median: 1, spread: 0, longest: 1}}]",
            r"amount: add it for bias",
        ),
        (
            HEAD + "    device: [{kind: clock_reset, per_year: 1, source: s,"
            " amount: {in: own, low: 0, high: 0}, hours: {median: 1, spread: 0, longest: 1}}]",
            r"clock_reset takes Unix seconds; use 268435456 or more",
        ),
        ("format: 1\nsets: {a: {like: b}}", r"sets.a.like: no set with rates 'b'; use one of"),
        ("format: [", r"rates.yaml: not valid YAML"),
    ],
)
def test_a_wrong_file_is_refused_with_key_and_fix(text: str, says: str) -> None:
    with pytest.raises(ScenarioError, match=says):
        parse_rates(text, "rates.yaml")


def test_a_file_of_ones_own_holds_one_set(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(HEAD + "    title: mine\n", encoding="utf-8")
    assert load_rates("own.yaml", tmp_path).title == "mine"
    file.write_text("format: 1\nsets: {a: {}, b: {}}", encoding="utf-8")
    with pytest.raises(ScenarioError, match="has 2 sets; keep one"):
        load_rates(str(file))
    with pytest.raises(
        ScenarioError, match=r"neither one of none, default, bad_day nor a \.yaml file"
    ):
        load_rates("defualt")
