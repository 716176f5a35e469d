"""Each warning model finds what its signals say together, and not what it may not claim."""

import pytest

from pipeline.messages import AlarmState, DeviceHealth, FindingEffect, HealthKind
from pipeline.rules import default_rules
from pipeline.warn.coupling.registry import without
from sensors.levels import Level
from tests.unit.coupling_town import T0, Street, permit

YELLOW, ORANGE, RED, BLUE = Level.YELLOW, Level.ORANGE, Level.RED, Level.BLUE


def storm(**options: object) -> Street:
    street = Street(**options)  # type: ignore[arg-type]
    street.alarm("RG", YELLOW)
    street.alarm("DL", YELLOW)
    return street


def test_rain_and_full_drains_forecast_ponding_at_the_dip_they_drain() -> None:
    street = storm()
    [alarm] = street.ask()
    assert (alarm.device, alarm.rule, alarm.level) == ("UP", "flood.rain_level_pump", YELLOW)  # type: ignore[union-attr]
    assert alarm.confidence == 0.6
    assert street.ask(5) == []


def test_forecast_is_orange_once_the_pump_is_measured_standing_since_the_rain() -> None:
    street = storm()
    for _ in range(12):
        street.shows("PU", 0.0)
        street.ask()
    first, worse = street.alarms("flood.rain_level_pump")
    assert (first.level, worse.level, worse.id) == (YELLOW, ORANGE, first.id)
    assert worse.raised_ms == T0
    assert worse.time_ms >= T0 + 10 * 60_000


def test_forecast_stays_yellow_while_the_pump_runs() -> None:
    street = storm()
    for minute in range(20):
        street.shows("PU", float(minute % 5 == 0))
        street.ask()
    assert {one.level for one in street.alarms("flood.rain_level_pump")} == {YELLOW}


@pytest.mark.parametrize("alone", ["RG", "DL"])
def test_rain_or_drains_alone_forecast_nothing(alone: str) -> None:
    street = Street()
    street.alarm(alone, RED)
    assert street.ask() == []


def test_no_forecast_where_water_is_measured_already() -> None:
    street = storm()
    street.alarm("UP", BLUE)
    street.ask()
    assert street.alarms("flood.rain_level_pump") == []


def test_forecast_is_taken_back_some_minutes_after_the_rain() -> None:
    street = storm()
    street.ask()
    street.clear("RG")
    assert street.ask() == []
    street.minute = 12
    [over] = street.ask()
    assert over.state is AlarmState.CLEARED  # type: ignore[union-attr]


def test_forecast_says_when_the_drain_runs_over() -> None:
    street = Street()
    for minute in range(12):
        street.shows("DL", 1.6 - 0.05 * minute)
        street.ask()
    street.alarm("RG", YELLOW)
    street.alarm("DL", YELLOW)
    [alarm] = street.ask()
    assert alarm.value == pytest.approx(21.0, abs=2.0)


@pytest.mark.parametrize(
    ("device", "first", "later"), [("RG", 0.0, 1.0), ("DL", 0.6, 0.9)], ids=["rain", "drain"]
)
def test_no_forecast_once_the_rain_is_over_or_the_drain_empties(
    device: str, first: float, later: float
) -> None:
    street = Street()
    street.shows(device, first)
    street.ask(12)
    street.shows(device, later)
    street.alarm("RG", YELLOW)
    street.alarm("DL", YELLOW)
    assert street.ask() == []


def burst_day(rain: float) -> Street:
    street = Street()
    for minute in range(12):
        street.shows("RG", rain * minute / 60.0)
        street.ask()
    street.alarm("WP", YELLOW)
    street.ask(20)
    street.alarm("UP", BLUE)
    street.ask()
    return street


def test_water_without_rain_beside_lost_pressure_is_a_burst() -> None:
    [found] = burst_day(0.0).findings("flood.burst_ponding")
    assert (found.cause, found.effect, found.level) == ("burst", FindingEffect.RAISE, ORANGE)
    assert found.devices == ("UP", "WP")


def test_water_in_the_rain_is_no_burst() -> None:
    assert burst_day(20.0).findings("flood.burst_ponding") == []


def test_two_foul_spaces_are_a_leak_one_level_up() -> None:
    street = Street()
    street.alarm("M1", YELLOW)
    assert street.ask() == []
    street.alarm("M2", YELLOW)
    [found] = street.ask()
    assert (found.level, found.cause) == (ORANGE, "gas_leak")  # type: ignore[union-attr]
    street.clear("M2")
    street.ask(10)
    [over] = street.ask()
    assert not over.is_on  # type: ignore[union-attr]
    assert over.id == found.id


def test_one_foul_space_and_low_pressure_within_15_min_are_a_leak() -> None:
    street = Street()
    street.alarm("M1", YELLOW)
    street.ask(14)
    street.alarm("GP", BLUE)
    assert [one.model for one in street.ask()] == ["gas.leak_neighbours"]  # type: ignore[union-attr]


@pytest.mark.parametrize(("second", "level"), [("M3", YELLOW), ("M2", BLUE)])
def test_a_far_space_or_a_hardly_foul_one_is_no_neighbour(second: str, level: Level) -> None:
    street = Street()
    street.alarm("M1", YELLOW)
    street.alarm(second, level)
    street.ask()
    assert street.findings("gas.leak_neighbours") == []


def rise(device: str, hours: float, **others: float) -> Street:
    street = Street()
    street.shows(device, 0.05)
    street.ask(hours * 60)
    street.shows(device, 1.2)
    for name, value in others.items():
        street.shows(name, value)
    street.alarm(device, YELLOW)
    street.ask()
    return street


def test_slow_methane_of_one_sewer_space_is_held_at_blue() -> None:
    [found] = rise("M1", 6).findings("gas.biogas")
    assert (found.effect, found.level, found.cause) == (FindingEffect.HOLD, BLUE, "biogas")


@pytest.mark.parametrize(
    ("device", "hours", "others"),
    [("M1", 1.0, {}), ("W1", 6.0, {}), ("M1", 6.0, {"M2": 0.3})],
    ids=["fast", "valve well", "second space no longer clean"],
)
def test_biogas_is_not_claimed(device: str, hours: float, others: dict[str, float]) -> None:
    assert rise(device, hours, **others).findings("gas.biogas") == []


def strike(works: list[dict[str, object]], after: float) -> Street:
    street = Street(permits=works)
    street.shows("GP", 2.5)
    street.ask(10)
    street.shows("GP", after)
    street.alarm("GP", BLUE)
    street.ask()
    return street


def test_fast_drop_beside_works_is_orange_at_once() -> None:
    [found] = strike([permit("digging", 5320.0)], 2.0).findings("gas.digging")
    assert (found.level, found.cause) == (ORANGE, "gas_leak")
    assert "permits/P-digging" in found.evidence


@pytest.mark.parametrize(
    ("works", "after"),
    [([], 2.0), ([permit("digging", 5320.0)], 2.45), ([permit("digging", 5320.0, 60)], 2.0)],
    ids=["no permit", "slow", "permit not in force"],
)
def test_digging_is_not_claimed(works: list[dict[str, object]], after: float) -> None:
    assert strike(works, after).findings("gas.digging") == []


@pytest.mark.parametrize(
    ("x_m", "level", "count"), [(5200, YELLOW, 1), (5200, BLUE, 0), (6e3, RED, 0)]
)
def test_crowd_near_a_risk_from_yellow_on_adds_to_the_consequence(
    x_m: float, level: Level, count: int
) -> None:
    street = Street(permits=[permit("gathering", x_m)])
    street.alarm("M1", level)
    street.ask()
    found = street.findings("any.crowd")
    assert [one.effect for one in found] == [FindingEffect.CONSEQUENCE] * count


def calls(street: Street, count: int, x_m: float = 5050.0, every_min: float = 2.0) -> None:
    for number in range(count):
        street.call("gas_smell", x_m + 40.0 * number, f"c{number}")
        street.ask(every_min)


def test_three_calls_raise_the_alarm_they_are_about() -> None:
    street = Street()
    street.alarm("M1", YELLOW)
    calls(street, 3)
    [found] = street.findings("any.hotline")
    assert (found.effect, found.level) == (FindingEffect.RAISE, ORANGE)
    assert {"c0", "c1", "c2"} <= set(found.evidence)


def test_three_calls_without_an_alarm_open_a_blue_one_at_the_nearest_device() -> None:
    street = Street()
    calls(street, 3)
    [alarm] = street.alarms("any.hotline")
    assert (alarm.device, alarm.level, alarm.confidence) == ("M2", BLUE, 0.5)


@pytest.mark.parametrize(
    ("count", "x_m", "every"),
    [(2, 5050.0, 2.0), (5, 5050.0, 6.0), (3, 20_000.0, 2.0)],
    ids=["two calls", "too slow", "no device near"],
)
def test_fewer_slower_or_far_calls_open_nothing(count: int, x_m: float, every: float) -> None:
    street = Street()
    calls(street, count, x_m, every)
    assert street.said == []


def test_the_same_call_told_twice_counts_once() -> None:
    street = Street()
    for _ in range(3):
        street.call("gas_smell", 5050.0, "c0")
    assert street.ask() == []


def doubtful(level: Level, other: str = "") -> Street:
    street = Street()
    street.desk.take(DeviceHealth("M1", "A", HealthKind.BATTERY, True, T0, "low"))
    street.alarm("M1", level)
    if other:
        street.alarm(other, BLUE)
    street.ask()
    return street


def test_a_lone_doubtful_device_speaks_one_level_lower() -> None:
    [found] = doubtful(ORANGE).findings("any.no_corroboration")
    assert (found.effect, found.level, found.value) == (FindingEffect.LOWER, YELLOW, 2.0)


@pytest.mark.parametrize(("level", "other"), [(RED, ""), (ORANGE, "M2")], ids=["red", "company"])
def test_red_or_a_device_in_company_is_not_lowered(level: Level, other: str) -> None:
    assert doubtful(level, other).findings("any.no_corroboration") == []


@pytest.mark.parametrize("model", ["flood.rain_level_pump"])
def test_a_model_can_be_left_out(model: str) -> None:
    street = storm(rules=without(default_rules(), model))
    assert street.ask() == []
