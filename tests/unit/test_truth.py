"""The truth about incidents: who could tell when, harm, end, repair, and whose is what."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from sensors.field import Act
from sensors.ground_truth import TrueIncident, TrueKind
from sensors.levels import Level
from sensors.registry import Device, Registry
from simulator.incidents.plan import IncidentPlan
from simulator.incidents.truth import Comparison, TruthKeeper

MINUTE_MS = 60_000
SIGMA = 0.002
PLACES_M = {"D0": 0.0, "D1": 100.0, "D2": 1000.0}
NOWHERE: tuple[float, ...] = ()
BURST = IncidentPlan("A", TrueKind.BURST, "P1", onset_ms=0, outflow_m3_h=60.0)


def device(name: str, x_m: float) -> Device:
    return Device(
        id=name,
        kind="network_pressure",
        quantity="pressure",
        domain="water",
        area="D01",
        element=f"J{name}",
        gateway="G1",
        x_m=x_m,
        y_m=0.0,
        interval_s=300,
        alarm_interval_s=60,
        upload_s=0,
        range_low=0.0,
        range_high=1.6,
        accuracy=SIGMA,
        resolution=0.0001,
        alarm_low=float("nan"),
        alarm_high=float("nan"),
        max_step=0.6,
    )


@pytest.fixture
def keeper() -> TruthKeeper:
    return TruthKeeper(Registry.of(device(name, x_m) for name, x_m in PLACES_M.items()))


def begin(keeper: TruthKeeper, plan: IncidentPlan = BURST, x_m: float = 0.0) -> TrueIncident:
    keeper.begin(plan, "water", "D01", x_m, 0.0)
    return keeper.incidents[plan.id]


def compare(
    keeper: TruthKeeper,
    minute: int,
    drops: tuple[float, float, float],
    harm_x_m: tuple[float, ...] = NOWHERE,
) -> None:
    """Compare a world whose devices read `drops` sigmas below the undisturbed one."""
    gap: NDArray[np.float64] = -np.array(drops) * SIGMA
    harm = np.array([(x_m, 0.0) for x_m in harm_x_m]).reshape(-1, 2)
    keeper.compare(Comparison(minute * MINUTE_MS, gap, {"water": harm}))


def test_an_incident_begins_blue_unharmful_and_undetectable(keeper: TruthKeeper) -> None:
    truth = begin(keeper, replace(BURST, onset_ms=7))
    assert (truth.onset_ms, truth.level, truth.is_hazard) == (7, Level.BLUE, True)
    assert (truth.detectable_ms, truth.harm_ms, truth.end_ms, truth.repaired_ms) == (
        {},
        None,
        None,
        None,
    )


@pytest.mark.parametrize(("sigmas", "is_told"), [(1.9, False), (2.1, True), (-2.1, True)])
def test_a_device_can_tell_beyond_two_sigmas_either_way(
    keeper: TruthKeeper, sigmas: float, is_told: bool
) -> None:
    begin(keeper)
    compare(keeper, 1, (sigmas, 0, 0))
    assert keeper.incidents["A"].detectable_ms == ({"D0": MINUTE_MS} if is_told else {})


def test_the_first_moment_of_each_device_stays(keeper: TruthKeeper) -> None:
    begin(keeper)
    for minute, drops in enumerate([(5, 0, 0), (0, 3, 0), (9, 9, 9)], start=1):
        compare(keeper, minute, drops)
    assert keeper.incidents["A"].detectable_ms == {
        "D0": MINUTE_MS,
        "D1": 2 * MINUTE_MS,
        "D2": 3 * MINUTE_MS,
    }


def test_of_two_incidents_the_nearest_gets_the_device(keeper: TruthKeeper) -> None:
    begin(keeper)
    begin(keeper, replace(BURST, id="B"), x_m=900.0)
    compare(keeper, 1, (5, 5, 5))
    assert list(keeper.incidents["A"].detectable_ms) == ["D0", "D1"]
    assert list(keeper.incidents["B"].detectable_ms) == ["D2"]


def test_what_lingers_of_an_earlier_incident_is_not_put_down_to_a_later(
    keeper: TruthKeeper,
) -> None:
    begin(keeper)
    compare(keeper, 1, (9, 9, 9))
    keeper.repaired("A", 2 * MINUTE_MS)
    compare(keeper, 3, (4, 4, 4))  # tanks are still filling
    begin(keeper, replace(BURST, id="B", onset_ms=3 * MINUTE_MS))
    compare(keeper, 4, (4, 3, 7))
    assert keeper.incidents["B"].detectable_ms == {"D2": 4 * MINUTE_MS}
    compare(keeper, 5, (0, 0, 7))  # back to normal is no sign either
    assert list(keeper.incidents["B"].detectable_ms) == ["D2"]
    assert len(keeper.incidents["A"].detectable_ms) == 3


def test_a_repaired_incident_explains_nothing_more(keeper: TruthKeeper) -> None:
    begin(keeper)
    keeper.repaired("A", MINUTE_MS)
    compare(keeper, 2, (9, 9, 9), harm_x_m=(0.0,))
    assert keeper.incidents["A"].detectable_ms == {}
    assert keeper.incidents["A"].harm_ms is None


def test_words_about_something_nobody_has_told_of_yet_are_no_error(keeper: TruthKeeper) -> None:
    before = dict(keeper.incidents)
    keeper.note("PD-F1-1", "cordoned by T1 at 0")
    assert keeper.incidents == before


def test_harm_begins_once_with_the_first_customer_without_service(keeper: TruthKeeper) -> None:
    begin(keeper)
    compare(keeper, 1, (1, 0, 0))
    assert keeper.incidents["A"].harm_ms is None
    compare(keeper, 2, (9, 0, 0), harm_x_m=(50.0,))
    compare(keeper, 3, (9, 0, 0), harm_x_m=(50.0, 60.0))
    assert keeper.incidents["A"].harm_ms == 2 * MINUTE_MS


def test_harm_is_put_down_to_the_nearest_hazard(keeper: TruthKeeper) -> None:
    begin(keeper)
    begin(keeper, replace(BURST, id="B"), x_m=900.0)
    begin(keeper, replace(BURST, id="S", kind=TrueKind.PUMP_SWITCH), x_m=1000.0)
    compare(keeper, 1, (0, 0, 0), harm_x_m=(1000.0,))
    harmed = {name: truth.harm_ms for name, truth in keeper.incidents.items()}
    assert harmed == {"A": None, "B": MINUTE_MS, "S": None}


def test_the_level_only_gets_worse(keeper: TruthKeeper) -> None:
    begin(keeper)
    seen = []
    for level in (Level.YELLOW, Level.BLUE, Level.ORANGE, Level.YELLOW):
        keeper.grade("A", level)
        seen.append(keeper.incidents["A"].level)
    assert seen == [Level.YELLOW, Level.YELLOW, Level.ORANGE, Level.ORANGE]


CREWS = [
    ("as planned", [Act.ISOLATE, Act.REPAIR, Act.RESTORE], [(1, None), (1, None), (1, 3)]),
    ("without shutting it", [Act.REPAIR], [(1, 1)]),
    ("opened unmended", [Act.ISOLATE, Act.RESTORE], [(1, None), (None, None)]),
    (
        "opened unmended, then mended",
        [Act.ISOLATE, Act.RESTORE, Act.ISOLATE, Act.REPAIR, Act.RESTORE],
        [(1, None), (None, None), (3, None), (3, None), (3, 5)],
    ),
    ("restored untouched", [Act.RESTORE], [(None, None)]),
    ("shut twice", [Act.ISOLATE, Act.ISOLATE], [(1, None), (1, None)]),
]


@pytest.mark.parametrize(("_name", "acts", "course"), CREWS, ids=[row[0] for row in CREWS])
def test_a_leak_ends_when_shut_or_mended_and_is_repaired_when_both_is_done(
    keeper: TruthKeeper,
    _name: str,
    acts: list[Act],
    course: list[tuple[int | None, int | None]],
) -> None:
    begin(keeper)
    seen = []
    for minute, act in enumerate(acts, start=1):
        keeper.crew_did(act, "P1", minute)
        truth = keeper.incidents["A"]
        seen.append((truth.end_ms, truth.repaired_ms))
    assert seen == course


@pytest.mark.parametrize(
    ("kind", "act", "is_over"),
    [
        (TrueKind.VALVE_CLOSURE, Act.ISOLATE, False),
        (TrueKind.VALVE_CLOSURE, Act.REPAIR, False),
        (TrueKind.VALVE_CLOSURE, Act.RESTORE, True),
        (TrueKind.VALVE_CLOSURE, Act.OPEN_VALVE, True),
        (TrueKind.PUMP_TRIP, Act.RESTORE, False),
        (TrueKind.PUMP_TRIP, Act.RESTART_PUMP, True),
        (TrueKind.PUMP_SWITCH, Act.RESTART_PUMP, True),
    ],
)
def test_valves_and_pumps_are_as_before_once_opened_or_restarted(
    keeper: TruthKeeper, kind: TrueKind, act: Act, is_over: bool
) -> None:
    begin(keeper, replace(BURST, kind=kind))
    keeper.crew_did(act, "P1", 5)
    truth = keeper.incidents["A"]
    assert (truth.end_ms, truth.repaired_ms) == ((5, 5) if is_over else (None, None))


def test_acts_on_other_elements_change_nothing(keeper: TruthKeeper) -> None:
    begin(keeper)
    keeper.take_changed()
    keeper.crew_did(Act.ISOLATE, "P2", 5)
    assert keeper.take_changed() == ()


def test_crews_see_hazards_on_links_until_they_are_repaired(keeper: TruthKeeper) -> None:
    begin(keeper, replace(BURST, id="S", kind=TrueKind.PUMP_SWITCH, element="PU"))
    begin(keeper, replace(BURST, id="N", kind=TrueKind.DEMAND_SURGE, element="J1"))
    assert keeper.damage_on(["PU", "J1", "P1"]) is None
    begin(keeper)
    keeper.crew_did(Act.ISOLATE, "P1", 1)
    found = keeper.damage_on(["P0", "P1"])
    assert found is not None
    assert found.id == "A"
    keeper.repaired("A", 2)
    assert keeper.damage_on(["P1"]) is None


def test_a_link_named_like_a_node_is_not_mistaken_for_it(keeper: TruthKeeper) -> None:
    begin(keeper, replace(BURST, kind=TrueKind.DEMAND_SURGE, element="10"))
    keeper.crew_did(Act.RESTART_PUMP, "10", 5)
    assert keeper.incidents["A"].end_ms is None


def test_changes_are_told_once_newest_only_by_id(keeper: TruthKeeper) -> None:
    begin(keeper, replace(BURST, id="B"))
    begin(keeper)
    keeper.grade("A", Level.RED)
    assert [(truth.id, truth.level) for truth in keeper.take_changed()] == [
        ("A", Level.RED),
        ("B", Level.BLUE),
    ]
    assert keeper.take_changed() == ()
    keeper.grade("A", Level.YELLOW)
    compare(keeper, 1, (0, 0, 0))
    assert keeper.take_changed() == ()
    keeper.end("B", 5)
    assert [truth.id for truth in keeper.take_changed()] == ["B"]
