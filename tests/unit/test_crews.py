"""Crews against a field kept by hand: times, order of feedback, one job a team, new orders."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
import simpy
from numpy.typing import NDArray

from sensors.city import Team
from sensors.field import Act, Actuation, Feedback, FeedbackKind, WorkOrder
from sensors.levels import Level
from simulator.crews import Crews, CrewTimes
from simulator.crews.roads import Roads
from simulator.errors import InjectionError

MINUTE_MS = 60_000
TEAM = Team("T1", "One", ("water",), 0.0, 0.0, 30.0, "Depot")
EXACT = CrewTimes(spread=0.0)
MEND = (Act.ISOLATE, Act.REPAIR, Act.RESTORE)
ORDER = WorkOrder(
    id="W1",
    incident="I1",
    team="T1",
    domain="water",
    level=Level.YELLOW,
    acts=MEND,
    targets=("P1",),
    x_m=3000.0,
    y_m=4000.0,
    issued_ms=0,
    due_ms={},
    reason="nearest",
)
DRIVE_MS = 780_000
"""5 km with a detour of 1.3 at 30 km/h."""


class Field:
    """A field with elements at places, some of them damaged, that notes what crews do."""

    def __init__(self, env: simpy.Environment, damaged: Mapping[str, str] | None = None) -> None:
        self.env, self.dry_from_ms = env, 0
        self.flooded: NDArray[np.float64] = np.empty((0, 2))
        self.left: list[Actuation] = []
        self.places = {"P1": (3000.0, 4000.0), "P2": (3000.0, 5000.0), "PU": (3000.0, 4000.0)}
        self.damaged = damaged or {}
        self.acts: list[Actuation] = []
        self.told: list[Feedback] = []

    def place_of(self, element: str) -> tuple[float, float] | None:
        return self.places.get(element)

    def find(self, element: str) -> str | None:
        return self.damaged.get(element)

    def act(self, actuation: Actuation) -> None:
        if actuation.act is Act.RESTART_PUMP and actuation.element != "PU":
            raise InjectionError(f"{actuation.element} is no pump")
        self.acts.append(actuation)

    def subjects(self, act: Act, order: WorkOrder) -> Sequence[str]:
        return [item for item in order.targets if item in self.places]

    def leave(self, actuation: Actuation) -> None:
        self.left.append(actuation)

    def mend(self, device: str, time_ms: int) -> int:
        return 1 if self.damaged.get(device) else 0

    def is_dry(self, element: str) -> bool:
        return self.dry_from_ms <= self.env.now

    def blocked(self) -> NDArray[np.float64]:
        return self.flooded if self.env.now < self.dry_from_ms else np.empty((0, 2))

    def report(self, feedback: Feedback) -> None:
        self.told.append(feedback)

    def kinds(self, order: str = "W1") -> list[str]:
        return [item.kind.value for item in self.told if item.order == order]

    def times_ms(self, order: str = "W1") -> list[int]:
        return [item.time_ms for item in self.told if item.order == order]


class Day:
    """A field with crews on a clock."""

    def __init__(
        self,
        damaged: Mapping[str, str] | None = None,
        teams: Sequence[Team] = (TEAM,),
        times: CrewTimes = EXACT,
        seed: int = 1,
        roads: Roads | None = None,
    ) -> None:
        self.env = simpy.Environment()
        self.field = Field(self.env, damaged)
        self.crews = Crews(self.env, teams, times, self.field, seed, roads)

    def until(self, time_ms: int) -> "Day":
        self.env.run(until=time_ms)
        return self

    def take(self, *orders: WorkOrder) -> "Day":
        for order in orders:
            self.crews.take(order)
        return self

    def done(self) -> Field:
        self.env.run()
        return self.field


def test_a_job_takes_exactly_its_medians_without_spread() -> None:
    field = Day({"P1": "P1"}).take(ORDER).done()
    assert field.kinds() == [
        "accepted",
        "departed",
        "arrived",
        "found",
        "isolated",
        "repaired",
        "restored",
        "done",
    ]
    there_ms = 2 * MINUTE_MS + DRIVE_MS
    minutes = [6, 16, 136, 146, 146]
    steps = [there_ms + minute * MINUTE_MS for minute in minutes]
    assert field.times_ms() == [2 * MINUTE_MS, 2 * MINUTE_MS, there_ms, *steps]
    assert [(act.act, act.element, act.actor) for act in field.acts] == [
        (act, "P1", "T1") for act in MEND
    ]
    assert [act.time_ms for act in field.acts] == field.times_ms()[4:7]


def test_feedback_has_ids_of_its_order_counted_up() -> None:
    field = Day({"P1": "P1"}).take(ORDER).done()
    assert [item.id for item in field.told] == [f"W1/{n}" for n in range(1, 9)]
    assert {(item.incident, item.team) for item in field.told} == {("I1", "T1")}


@pytest.mark.parametrize("speed_km_h", [10.0, 45.0])
@pytest.mark.parametrize("detour", [1.0, 1.7])
def test_travel_takes_distance_times_detour_over_speed(speed_km_h: float, detour: float) -> None:
    times = replace(EXACT, detour=detour)
    field = Day(teams=[replace(TEAM, speed_km_h=speed_km_h)], times=times).take(ORDER).done()
    way_ms = field.times_ms()[2] - field.times_ms()[1]
    assert way_ms == round(5.0 * detour / speed_km_h * 3_600_000)


def test_a_crew_mends_the_neighbour_it_sees_broken() -> None:
    field = Day({"P1": "P9"}).take(ORDER).done()
    assert {act.element for act in field.acts} == {"P9"}
    assert {item.element for item in field.told[3:7]} == {"P9"}


def test_targets_are_searched_in_their_order_until_one_is_broken() -> None:
    order = replace(ORDER, targets=("P1", "P2", "PU"))
    day = Day({"P2": "P2"}).take(order)
    field = day.done()
    # Two looks and one more kilometre.
    search_ms = 12 * MINUTE_MS + round(1.3 / 30 * 3_600_000)
    assert field.times_ms()[3] - field.times_ms()[2] == search_ms
    assert day.crews.where("T1") == (3000.0, 5000.0)


def test_a_crew_that_finds_nothing_touches_nothing() -> None:
    field = Day().take(replace(ORDER, targets=("P1", "NOWHERE", "P2"))).done()
    assert field.kinds() == ["accepted", "departed", "arrived", "not_found", "done"]
    assert field.told[3].note == "looked at 2 elements"
    assert field.acts == []


@pytest.mark.parametrize(("damaged", "kind"), [({"P1": "P1"}, "found"), ({}, "not_found")])
def test_a_patrol_looks_and_mends_nothing(damaged: dict[str, str], kind: str) -> None:
    field = Day(damaged).take(replace(ORDER, acts=(Act.INSPECT,))).done()
    assert field.kinds() == ["accepted", "departed", "arrived", kind, "done"]
    assert field.told[3].element == ("P1" if damaged else "")
    assert field.acts == []


def test_a_pump_is_restarted_after_a_look_at_it() -> None:
    field = Day().take(replace(ORDER, acts=(Act.RESTART_PUMP,), targets=("PU",))).done()
    assert field.kinds() == ["accepted", "departed", "arrived", "restored", "done"]
    assert field.times_ms()[3] - field.times_ms()[2] == 6 * MINUTE_MS
    assert [(act.act, act.element) for act in field.acts] == [(Act.RESTART_PUMP, "PU")]


def test_an_act_that_does_not_fit_is_reported_and_the_job_goes_on() -> None:
    order = replace(ORDER, acts=(Act.RESTART_PUMP,), targets=("P1", "PU"))
    field = Day().take(order).done()
    assert field.kinds()[3:] == ["arrived", "restored", "done"]
    assert field.told[3].note == "cannot restart_pump: P1 is no pump"


def test_a_team_does_one_order_at_a_time() -> None:
    day = Day({"P1": "P1", "P2": "P2"})
    second = replace(ORDER, id="W2", incident="I2", targets=("P2",), x_m=3000.0, y_m=5000.0)
    field = day.take(ORDER, second).done()
    assert field.times_ms("W2")[0] == field.times_ms("W1")[-1] + 2 * MINUTE_MS
    # It drives on from where it is.
    way_ms = field.times_ms("W2")[2] - field.times_ms("W2")[1]
    assert way_ms == round(1.3 / 30 * 3_600_000)


def test_two_teams_work_side_by_side() -> None:
    day = Day({"P1": "P1"}, teams=[TEAM, replace(TEAM, id="T2")])
    field = day.take(ORDER, replace(ORDER, id="W2", team="T2")).done()
    assert field.times_ms("W1") == field.times_ms("W2")


def test_a_second_copy_of_an_order_is_ignored() -> None:
    field = Day({"P1": "P1"}).take(ORDER, ORDER).until(5 * MINUTE_MS).take(ORDER).done()
    assert field.kinds().count("accepted") == 1


def test_an_order_to_an_unknown_team_is_refused_at_once() -> None:
    field = Day().take(replace(ORDER, team="T9")).done()
    assert [(item.kind, item.time_ms, item.note) for item in field.told] == [
        (FeedbackKind.REFUSED, 0, "no team T9")
    ]


def test_a_newer_order_stops_the_older_one_on_the_way() -> None:
    day = Day({"P1": "P1"}).take(ORDER)
    half_ms = 2 * MINUTE_MS + DRIVE_MS // 2
    newer = replace(ORDER, id="W2", x_m=1500.0, y_m=2000.0)
    field = day.until(half_ms).take(newer).done()
    assert field.kinds("W1") == ["accepted", "departed", "replaced"]
    assert field.times_ms("W1")[-1] == half_ms
    # Half-way is where the newer order wants the team.
    assert field.times_ms("W2")[:3] == [half_ms + 2 * MINUTE_MS] * 3
    assert field.kinds("W2")[-1] == "done"


@pytest.mark.parametrize("at_ms", [0, MINUTE_MS])
def test_an_order_replaced_before_it_is_accepted_is_dropped(at_ms: int) -> None:
    day = Day({"P1": "P1"}).take(ORDER)
    if at_ms:
        day.until(at_ms)
    field = day.take(replace(ORDER, id="W2")).done()
    assert field.kinds("W1") == ["replaced"]
    assert field.times_ms("W1") == [at_ms]
    assert field.times_ms("W2")[0] == at_ms + 2 * MINUTE_MS


def test_a_team_that_is_there_finishes_before_a_newer_order() -> None:
    day = Day({"P1": "P1"}).take(ORDER).until(2 * MINUTE_MS + DRIVE_MS + 1)
    field = day.take(replace(ORDER, id="W2")).done()
    assert field.kinds("W1")[-1] == "done"
    assert field.times_ms("W2")[0] == field.times_ms("W1")[-1] + 2 * MINUTE_MS


def test_an_order_of_another_incident_replaces_nothing() -> None:
    other = replace(ORDER, id="W2", incident="I2")
    field = Day({"P1": "P1"}).take(ORDER).until(MINUTE_MS).take(other).done()
    assert field.kinds("W1")[-1] == field.kinds("W2")[-1] == "done"


def test_times_of_an_order_do_not_depend_on_other_orders() -> None:
    teams = [TEAM, replace(TEAM, id="T2")]
    alone = Day({"P1": "P1"}, teams, CrewTimes(spread=0.3)).take(ORDER).done()
    others = [replace(ORDER, id=f"X{n}", incident=f"I{n}", team="T2") for n in range(3)]
    among = Day({"P1": "P1"}, teams, CrewTimes(spread=0.3)).take(*others, ORDER).done()
    assert among.times_ms("W1") == alone.times_ms("W1")


def test_times_vary_with_the_order_and_with_the_seed() -> None:
    def times_ms(order: str, seed: int) -> list[int]:
        day = Day({"P1": "P1"}, times=CrewTimes(spread=0.3), seed=seed)
        return day.take(replace(ORDER, id=order)).done().times_ms(order)

    assert len({tuple(times_ms(order, seed)) for order in ("W1", "W2") for seed in (1, 2)}) == 4
    assert times_ms("W1", 1) == times_ms("W1", 1)


def test_spread_is_lognormal_about_the_median() -> None:
    teams = [replace(TEAM, id=f"T{n}") for n in range(300)]
    day = Day(teams=teams, times=CrewTimes(accept_min=10.0, spread=0.5))
    orders = [replace(ORDER, id=f"W{n}", team=f"T{n}") for n in range(300)]
    field = day.take(*orders).done()
    accepted = [item.time_ms for item in field.told if item.kind is FeedbackKind.ACCEPTED]
    below = sum(time_ms < 10 * MINUTE_MS for time_ms in accepted)
    # Half lie below the median; 5 standard deviations of a fair coin thrown 300 times are 43.
    assert abs(below - 150) < 44
    assert min(accepted) < 6 * MINUTE_MS < 16 * MINUTE_MS < max(accepted)


def test_acts_on_the_targets_come_before_the_search_for_damage() -> None:
    acts = (Act.INSPECT, Act.VENTILATE, Act.CORDON, *MEND)
    field = Day({"P1": "P1"}).take(replace(ORDER, acts=acts, targets=("P1", "P2"))).done()
    kinds = field.kinds()
    assert kinds[3:6] == ["ventilated", "ventilated", "cordoned"]
    assert kinds[6:] == ["found", "isolated", "repaired", "restored", "done"]
    assert [act.act for act in field.acts][:3] == [Act.VENTILATE, Act.VENTILATE, Act.CORDON]


def test_a_blower_runs_its_time_and_leaves_with_the_crew() -> None:
    field = Day().take(replace(ORDER, acts=(Act.VENTILATE,))).done()
    assert field.kinds()[3:] == ["ventilated", "done"]
    began_ms, done_ms = field.times_ms()[3:]
    assert done_ms - began_ms == 30 * MINUTE_MS
    assert [(act.act, act.element, act.time_ms) for act in field.left] == [
        (Act.VENTILATE, "P1", done_ms)
    ]


def test_an_act_without_a_target_is_told() -> None:
    field = Day().take(replace(ORDER, acts=(Act.START_PUMP,), targets=("NOWHERE",))).done()
    assert field.kinds()[3:] == ["arrived", "done"]
    assert field.told[3].note == "no target to start_pump"


def test_a_closed_road_is_reopened_once_the_water_is_gone() -> None:
    day = Day()
    day.field.dry_from_ms = 3 * 60 * MINUTE_MS
    field = day.take(replace(ORDER, acts=(Act.CLOSE_ROAD, Act.REOPEN))).done()
    assert field.kinds()[3:] == ["road_closed", "reopened", "done"]
    assert 0 <= field.times_ms()[4] - day.field.dry_from_ms - 5 * MINUTE_MS < 10 * MINUTE_MS


@pytest.mark.parametrize(("damaged", "kind"), [({"PU": "x"}, "repaired"), ({}, "not_found")])
def test_a_device_is_mended_when_it_has_a_fault(damaged: dict[str, str], kind: str) -> None:
    order = replace(ORDER, acts=(Act.CHECK_DEVICE,), targets=("PU",))
    assert Day(damaged).take(order).done().kinds()[3:] == [kind, "done"]


#   (0, 0) C0 --- 3 km --- C1 --- 4 km --- C2 (3000, 4000)
#      \--------------- 9 km over C3 ------/
CORNERS = np.array([[0.0, 0.0], [3000.0, 0.0], [3000.0, 4000.0], [0.0, 4500.0]])
STREETS = Roads(
    CORNERS, np.array([[0, 1], [1, 2], [0, 3], [2, 3]]), np.array([3e3, 4e3, 4.5e3, 4.5e3])
)


def drive_min(day: Day) -> float:
    field = day.take(replace(ORDER, acts=(Act.INSPECT,))).done()
    return (field.times_ms()[field.kinds().index("arrived")] - 2 * MINUTE_MS) / MINUTE_MS


def test_a_crew_drives_along_the_streets() -> None:
    assert drive_min(Day(roads=STREETS)) == pytest.approx(7.0 / 30 * 60)


def test_a_crew_drives_round_a_flooded_corner() -> None:
    day = Day(roads=STREETS)
    day.field.flooded, day.field.dry_from_ms = CORNERS[1:2], 10**12
    around = np.hypot(3000.0, 500.0) / 1000 + 4.5
    assert drive_min(day) == pytest.approx(around / 30 * 60)


def test_a_crew_that_is_cut_off_says_so_once_and_waits() -> None:
    day = Day(roads=STREETS)
    day.field.flooded, day.field.dry_from_ms = CORNERS[[1, 3]], 25 * MINUTE_MS
    field = day.take(replace(ORDER, acts=(Act.INSPECT,))).done()
    assert field.kinds()[:4] == ["accepted", "departed", "departed", "arrived"]
    assert "cut off" in field.told[2].note
    assert field.times_ms()[3] == (2 + 30 + 14) * MINUTE_MS


def test_water_at_the_goal_does_not_keep_a_crew_away() -> None:
    day = Day(roads=STREETS)
    day.field.flooded, day.field.dry_from_ms = CORNERS[2:3], 10**12
    assert drive_min(day) == pytest.approx(7.0 / 30 * 60)


def test_a_newer_order_stops_a_crew_where_it_is_on_the_street() -> None:
    day = Day(roads=STREETS).take(ORDER)
    day.until(2 * MINUTE_MS + 8 * MINUTE_MS).take(replace(ORDER, id="W2")).until(11 * MINUTE_MS)
    assert day.crews.where("T1") == (3000.0, 1000.0)


def test_a_check_of_devices_ends_without_a_finding_only_when_all_are_in_order() -> None:
    order = replace(ORDER, acts=(Act.CHECK_DEVICE,), targets=("P1", "PU"))
    field = Day({"PU": "x"}).take(order).done()
    assert field.kinds()[3:] == ["repaired", "arrived", "done"]
    assert field.told[4].note == "in order"
