"""Ponding as it emerges: when it begins, is told, harms and ends, and what it is put down to."""

from dataclasses import replace

import numpy as np
import pytest

from sensors.ground_truth import TrueIncident, TrueKind
from sensors.levels import Level
from sensors.registry import Registry
from simulator.hazards.elements import Element
from simulator.hazards.ponding import PondingWatch
from simulator.incidents.plan import IncidentPlan
from simulator.incidents.truth import Comparison, TruthKeeper
from tests.unit.test_truth import device

MINUTE_MS = 60_000
SPOTS = [
    Element("F1", "flood", "road", "D01", 0.0, 0.0),
    Element("U1", "flood", "underpass", "D02", 5000.0, 0.0),
]


class Street:
    """Two spots with a ponding device each, and the truth about them."""

    def __init__(self) -> None:
        devices = [
            replace(device(f"D{spot.id}", spot.x_m), domain="flood", accuracy=1.0) for spot in SPOTS
        ]
        self.truth = TruthKeeper(Registry.of(devices))
        self.watch = PondingWatch(SPOTS)
        self.minute = 0

    def stands(self, road_cm: float, underpass_cm: float = 0.0) -> "Street":
        self.minute += 1
        depth = np.array([road_cm, underpass_cm])
        self.watch.observe(self.minute * MINUTE_MS, depth, self.truth)
        self.truth.compare(Comparison(self.minute * MINUTE_MS, depth))
        return self

    def told(self) -> dict[str, TrueIncident]:
        return self.truth.incidents


def test_water_below_blue_is_never_told() -> None:
    street = Street().stands(1.0).stands(14.9, 9.9).stands(0.0)
    assert street.told() == {}
    assert street.truth.take_changed() == ()
    assert not street.truth.is_watching


def test_ponding_is_told_from_blue_with_its_onset_and_the_devices_that_saw_it_rise() -> None:
    street = Street().stands(1.0).stands(2.5).stands(9.0).stands(15.0)
    truth = street.told()["PD-F1-1"]
    assert (truth.kind, truth.is_hazard, truth.level) == (TrueKind.PONDING, True, Level.BLUE)
    assert (truth.onset_ms, truth.element, truth.area) == (2 * MINUTE_MS, "F1", "D01")
    assert truth.detectable_ms == {"DF1": 2 * MINUTE_MS}
    assert truth.harm_ms is None


@pytest.mark.parametrize(
    ("road", "underpass", "levels"),
    [
        (27.0, 15.0, (Level.YELLOW, Level.YELLOW)),
        (40.0, 25.0, (Level.ORANGE, Level.ORANGE)),
        (60.0, 50.0, (Level.RED, Level.RED)),
        (26.9, 14.9, (Level.BLUE, Level.BLUE)),
    ],
)
def test_the_level_follows_the_kind_of_spot(
    road: float, underpass: float, levels: tuple[Level, Level]
) -> None:
    told = Street().stands(road, underpass).stands(5.0, 5.0).told()
    assert (told["PD-F1-1"].level, told["PD-U1-1"].level) == levels


def test_harm_begins_above_15_cm_and_all_ends_with_the_water() -> None:
    street = Street().stands(0.0, 12.0).stands(0.0, 16.0).stands(0.0, 3.0).stands(0.0, 1.0)
    truth = street.told()["PD-U1-1"]
    assert (truth.onset_ms, truth.harm_ms) == (MINUTE_MS, 2 * MINUTE_MS)
    assert truth.end_ms == truth.repaired_ms == 4 * MINUTE_MS
    assert "PD-U1-2" in street.stands(0.0, 20.0).told()


def test_what_acts_near_is_named_and_what_is_far_is_not() -> None:
    street = Street()
    for name, kind, x_m in (
        ("S", TrueKind.STORM, 1e5),
        ("N", TrueKind.DRAIN_PUMP_FAILURE, 400.0),
        ("F", TrueKind.DRAIN_BLOCKAGE, 4000.0),
    ):
        street.truth.begin(IncidentPlan(name, kind, name, 0), "flood", "", x_m, 0.0)
    detail = street.stands(30.0).told()["PD-F1-1"].detail
    assert detail == "storm S; drain_pump_failure N at 400 m"


def test_a_spot_is_credited_to_its_ponding_and_not_to_the_cause() -> None:
    street = Street()
    plan = IncidentPlan("N", TrueKind.DRAIN_PUMP_FAILURE, "P", 0)
    street.truth.begin(plan, "flood", "", 0.0, 0.0)
    street.stands(20.0)
    assert street.told()["N"].detectable_ms == {}
    assert street.told()["PD-F1-1"].detectable_ms == {"DF1": MINUTE_MS}


def test_a_puddle_that_rests_below_blue_ends_the_standing_until_it_rises_again() -> None:
    street = Street().stands(20.0)
    for _ in range(125):
        street.stands(6.0)
    first = street.told()["PD-F1-1"]
    assert first.end_ms == (1 + 120) * MINUTE_MS
    assert not street.watch.stands(0, 6.0)
    assert street.watch.stands(0, 8.1)
    street.stands(7.9).stands(15.0)
    assert street.told()["PD-F1-2"].onset_ms == 128 * MINUTE_MS


def test_water_that_still_rises_or_stands_above_blue_does_not_end() -> None:
    street = Street()
    for minute in range(300):
        street.stands(15.0, 10.0 - minute % 100 / 100)
    told = street.told()
    assert told["PD-F1-1"].end_ms is None
    assert told["PD-U1-1"].end_ms is None
