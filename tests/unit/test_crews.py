"""Crews against a field kept by hand: times, order of feedback, one job a team, new orders."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
import simpy

from sensors.city import Team
from sensors.field import Act, Actuation, Feedback, FeedbackKind, WorkOrder
from sensors.levels import Level
from simulator.crews import Crews, CrewTimes
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

    def __init__(self, damaged: Mapping[str, str] | None = None) -> None:
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
    ) -> None:
        self.env, self.field = simpy.Environment(), Field(damaged)
        self.crews = Crews(self.env, teams, times, self.field, seed)

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
    assert field.kinds()[3:] == ["not_found", "restored", "done"]
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
