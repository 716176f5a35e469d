"""Citizens' calls: late, misplaced, repeated, sometimes about nothing, the same for any tick."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from sensors.city import City, Row
from sensors.field import HotlineReport
from simulator.errors import InjectionError, ScenarioError
from simulator.hotline import Hotline, HotlineRates, Scene, hotline_rates, parse_rates

START_MS = 1_750_000_000_000
MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
SMELL = Scene("L1", "gas_smell", 500.0, 500.0, 20_000.0, 1.0, START_MS + 30_000)


def node(name: str, domain: str, x_m: float, people: float | None, area: str) -> Row:
    place = {"x_m": x_m, "y_m": 0.0, "elevation_m": 0.0, "base_demand_m3_h": 0.0}
    return {
        "id": name,
        "domain": domain,
        "kind": "junction",
        "area": area,
        "people": people,
    } | place


TOWN = City.of_rows(
    "town",
    "Town",
    {
        "nodes": [
            node("W1", "water", 0.0, 30_000.0, "D001"),
            node("W2", "water", 5000.0, 70_000.0, "D002"),
            node("G1", "gas", 0.0, 30_000.0, "D001"),
            node("F1", "flood", 2500.0, None, "D003"),
        ]
    },
)
NO_FALSE = hotline_rates().model_copy(
    update={
        "subjects": {
            name: one.model_copy(update={"false_per_100k_day": 0.0})
            for name, one in hotline_rates().subjects.items()
        }
    }
)


def calls(
    *scenes: Scene,
    hours: float = 12,
    tick_ms: int = MINUTE_MS,
    seed: int = 1,
    rates: HotlineRates | None = NO_FALSE,
) -> list[HotlineReport]:
    line, taken = Hotline(TOWN, seed, rates), []
    end_ms = START_MS + round(hours * HOUR_MS)
    for at_ms in range(START_MS, end_ms, tick_ms):
        fresh = line.calls(at_ms, min(at_ms + tick_ms, end_ms), scenes)
        assert all(at_ms < call.time_ms <= at_ms + tick_ms for call in fresh)
        taken += fresh
    return taken


def first(found: Sequence[HotlineReport]) -> list[HotlineReport]:
    return [call for call in found if not call.id.endswith("-again")]


@pytest.mark.parametrize("tick_ms", [7_000, 10 * MINUTE_MS, 3 * HOUR_MS])
def test_ticks_of_any_length_take_the_same_calls(tick_ms: int) -> None:
    other = replace(SMELL, id="P1", subject="road_flooded", since_ms=START_MS + HOUR_MS)
    every = calls(SMELL, other, hours=6, rates=None)
    assert calls(SMELL, other, hours=6, rates=None, tick_ms=tick_ms) == every
    assert len({call.id for call in every}) == len(every) > 100


def test_other_scenes_and_seeds() -> None:
    alone = calls(SMELL)
    beside = calls(replace(SMELL, id="L0", x_m=9000.0), SMELL)
    assert [call for call in beside if call.id.startswith("H-L1-")] == alone
    assert calls(SMELL, seed=2) != alone


def test_as_many_call_as_the_rates_say_and_in_the_half_life() -> None:
    rates = NO_FALSE.subjects["gas_smell"]
    mean = SMELL.people * rates.callers_per_1000 / 1000
    found = first(calls(SMELL, hours=48))
    assert abs(len(found) - mean) < 5 * math.sqrt(mean)
    seen_ms = np.array([call.seen_ms for call in found])
    assert seen_ms.min() >= SMELL.since_ms
    early = (seen_ms < SMELL.since_ms + rates.notice_min * MINUTE_MS).mean()
    assert abs(early - 0.5) < 5 * 0.5 / math.sqrt(len(found))


def test_calls_come_late_and_the_place_is_wrong_as_stated() -> None:
    rates = NO_FALSE.subjects["gas_smell"]
    found = first(calls(replace(SMELL, people=100_000.0), hours=72))
    delays = np.log([(call.time_ms - call.seen_ms) / MINUTE_MS / rates.delay_min for call in found])
    off = np.hypot(
        [call.x_m - SMELL.x_m for call in found], [call.y_m - SMELL.y_m for call in found]
    )
    strays = np.log(off / rates.misplaced_m)
    for values, spread in ((delays, rates.delay_spread), (strays, rates.misplaced_spread)):
        assert abs(values.mean()) < 5 * spread / math.sqrt(len(found))
        assert values.std() == pytest.approx(spread, rel=0.1)
    middle = np.mean([call.x_m for call in found])
    assert abs(middle - SMELL.x_m) < 5 * off.std() / math.sqrt(len(found))


def test_some_call_again_later_from_the_same_place() -> None:
    every = {call.id: call for call in calls(replace(SMELL, people=100_000.0), hours=72)}
    repeats = [call for call in every.values() if call.id.endswith("-again")]
    share = NO_FALSE.repeat.share
    count = len(every) - len(repeats)
    assert abs(len(repeats) - share * count) < 5 * math.sqrt(share * count)
    for call in repeats:
        one = every[call.id.removesuffix("-again")]
        assert call.time_ms > one.time_ms
        assert (call.x_m, call.y_m, call.seen_ms) == (one.x_m, one.y_m, one.seen_ms)


@pytest.mark.parametrize("change", [{"people": 0.0}, {"severity": 0.0}, {"since_ms": 2**50}])
def test_nobody_calls_about_what_nobody_can_notice(change: dict[str, float]) -> None:
    assert calls(replace(SMELL, **change)) == []  # type: ignore[arg-type]


def test_people_still_call_when_it_is_over() -> None:
    line = Hotline(TOWN, 1, NO_FALSE)
    early = line.calls(START_MS, START_MS + 20 * MINUTE_MS, [SMELL])
    late = line.calls(START_MS + 20 * MINUTE_MS, START_MS + 5 * HOUR_MS, [])
    assert early
    assert late
    assert max(call.seen_ms for call in late) <= START_MS + 20 * MINUTE_MS


def test_false_calls_come_from_where_people_live_at_the_base_rate() -> None:
    found = first(calls(hours=24 * 30, tick_ms=6 * HOUR_MS, rates=None))
    for subject, rates in hotline_rates().subjects.items():
        mean = 30 * rates.false_per_100k_day  # 100,000 people, each counted in one network only
        count = sum(call.subject == subject for call in found)
        assert abs(count - mean) < 5 * math.sqrt(mean)
    far = np.mean([abs(call.x_m - 5000.0) < 1600.0 for call in found])
    assert abs(far - 0.7) < 5 * math.sqrt(0.21 / len(found))


def test_a_call_names_the_area_of_the_place_told() -> None:
    found = calls(replace(SMELL, x_m=2600.0, y_m=0.0))
    assert {call.area for call in found} == {"D003"}


def test_people_within_a_radius_are_counted_once() -> None:
    line = Hotline(TOWN, 1)
    assert line.people_within(0.0, 100.0, 300.0) == 30_000.0
    assert line.people_within(2500.0, 0.0, 300.0) == 0.0


def test_a_city_without_people_has_no_calls() -> None:
    line = Hotline(City.of_rows("none", "None", {}), 1)
    assert line.calls(START_MS, START_MS + 30 * DAY_MS, []) == []
    assert line.people_within(0.0, 0.0, 1e9) == 0.0
    assert {call.area for call in line.calls(START_MS, START_MS + DAY_MS, [SMELL])} <= {""}


def test_an_unknown_subject_is_refused() -> None:
    with pytest.raises(InjectionError, match="L1: unknown subject 'earthquake'; use one of gas"):
        calls(replace(SMELL, subject="earthquake"))


def test_a_wrong_rates_file_is_refused_with_its_key() -> None:
    with pytest.raises(ScenarioError, match=r"own.yaml: repeat.share: .*\(got 2\)"):
        parse_rates(
            "{format: 1, farthest_m: 1, subjects: {},"
            " repeat: {share: 2, after_min: 1, after_spread: 1}}",
            "own.yaml",
        )
