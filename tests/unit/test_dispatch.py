"""Dispatch: who is sent where, and why."""

import json
from dataclasses import replace
from importlib import resources
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.dispatch.cases import Case, DispatchState, closed_places
from pipeline.dispatch.plans import NEEDING_PLAN, default_plans, load_plans
from pipeline.dispatch.reasons import Reason, Standing
from pipeline.dispatch.routing import DETOUR, Place, Places, Roads
from pipeline.dispatch.stage import DispatchStage
from pipeline.errors import RuleError, SnapshotError
from pipeline.messages import Cause, Dispatch, IncidentStatus, Mark, Message
from pipeline.rules import default_rules
from sensors.city import City
from sensors.field import Act, Feedback, FeedbackKind, WorkOrder
from sensors.levels import Level
from tests.unit.loop_messages import HOUR, MIN, T0, closure, feedback, incident, team, town

LIMITS = default_rules().response
NOW = T0 + 10 * MIN


def stage_of(city: City | None = None) -> DispatchStage:
    return DispatchStage(city or town(), default_plans(), LIMITS)


def orders(messages: list[Message] | tuple[Message, ...]) -> list[WorkOrder]:
    return [message for message in messages if isinstance(message, WorkOrder)]


def decisions(messages: list[Message] | tuple[Message, ...]) -> list[Dispatch]:
    return [message for message in messages if isinstance(message, Dispatch)]


def of(order: WorkOrder, kind: FeedbackKind, time_ms: int = NOW, element: str = "") -> Feedback:
    changes = {"incident": order.incident, "team": order.team, "element": element}
    return feedback(kind, time_ms, order.id, **changes)


def test_burst_goes_to_the_nearest_capable_team_with_the_plan_acts():
    out = list(stage_of().on_batch([incident()], NOW))
    assert [type(message) for message in out] == [Dispatch, WorkOrder]
    decision, order = out
    assert decision.order == order
    assert order.id == "O-I-1-1"
    assert order.acts == (Act.INSPECT, Act.ISOLATE, Act.REPAIR, Act.RESTORE)
    assert order.targets == ("P4", "P5", "P3")
    assert decision.considered == {"T1": Standing.FARTHER, "T2": Standing.CHOSEN}
    assert decision.reason == Reason.NEAREST_CAPABLE


def test_due_times_come_from_the_limits_of_the_level():
    order = orders(stage_of().on_batch([incident(level=Level.BLUE)], NOW))[0]
    blue = LIMITS[Level.BLUE]
    assert order.due_ms == {
        "onsite": NOW + round(blue.onsite_min * MIN),
        "contain": NOW + round(blue.contain_h * HOUR),
        "close": NOW + round(blue.close_h * HOUR),
    }


def test_travel_time_is_distance_over_speed():
    decision = decisions(stage_of().on_batch([incident()], NOW))[0]
    # From x = 700 m (a crossing) by road to x = 400 m, then 50 m straight to the pipe's middle.
    assert decision.travel_min == pytest.approx((300 + 50 * DETOUR) / 1000 / 30 * 60, abs=0.01)


@pytest.mark.parametrize("status", [IncidentStatus.ASSESSING, IncidentStatus.DISMISSED])
def test_an_incident_that_is_not_confirmed_sends_nobody(status: IncidentStatus):
    assert list(stage_of().on_batch([incident(status=status)], NOW)) == []


@pytest.mark.parametrize(
    ("cause", "acts"),
    [
        (Cause.PUMP_OUTAGE, (Act.RESTART_PUMP,)),
        (Cause.UNKNOWN, (Act.INSPECT,)),
        (Cause.LOW_SUPPLY, (Act.INSPECT,)),
    ],
)
def test_the_cause_decides_the_acts(cause: Cause, acts: tuple[Act, ...]):
    assert orders(stage_of().on_batch([incident(cause=cause)], NOW))[0].acts == acts


def test_pump_outage_without_candidates_goes_to_the_pumps():
    message = incident(cause=Cause.PUMP_OUTAGE, candidates=())
    assert orders(stage_of().on_batch([message], NOW))[0].targets == ("PU1",)


def test_no_team_is_booked_twice_and_the_next_case_waits_until_one_is_free():
    stage = stage_of()
    first = orders(stage.on_batch([incident("I-1"), incident("I-2")], NOW))
    assert {order.team for order in first} == {"T1", "T2"}
    waiting = decisions(stage.on_batch([incident("I-3")], NOW + MIN))
    assert [(item.order, item.reason) for item in waiting] == [(None, Reason.NOBODY_FREE)]
    assert waiting[0].considered == {"T1": Standing.BUSY, "T2": Standing.BUSY}
    freed = first[0]
    out = stage.on_batch([of(freed, FeedbackKind.REPAIRED), of(freed, FeedbackKind.DONE)], NOW)
    assert [(order.incident, order.team) for order in orders(out)] == [("I-3", freed.team)]


def test_a_shortfall_is_reported_once():
    stage = stage_of(town([]))
    out = [
        *stage.on_batch([incident()], NOW),
        *stage.on_batch([incident(version=2)], NOW + MIN),
    ]
    assert [item.reason for item in decisions(out)] == [Reason.NO_CAPABLE_TEAM]


def test_the_worst_waiting_case_is_served_first():
    stage = stage_of(town([team("T1", 0.0)]))
    given_order = orders(stage.on_batch([incident("I-0")], NOW))[0]
    stage.on_batch([incident("I-1", level=Level.BLUE), incident("I-2", level=Level.RED)], NOW)
    out = stage.on_batch([of(given_order, FeedbackKind.DONE)], NOW + HOUR)
    assert [order.incident for order in orders(out)] == ["I-2"]


def test_a_team_without_the_skill_is_not_sent():
    city = town([team("T1", 450.0, ("water", "inspect")), team("T2", 0.0)])
    decision = decisions(stage_of(city).on_batch([incident()], NOW))[0]
    assert decision.considered == {"T1": Standing.LACKS_SKILL, "T2": Standing.CHOSEN}


def test_an_orange_burst_sends_all_units_in_one_act_from_both_ends_of_the_candidates():
    out = stage_of().on_batch([incident(level=Level.ORANGE)], NOW)
    lead, support = orders(out)
    assert (lead.team, support.team) == ("T2", "T1")
    assert lead.targets[0] == "P4"
    assert support.targets[0] == "P3"
    assert set(support.due_ms) == {"onsite"}


def test_an_upgrade_sends_the_further_teams_only():
    stage = stage_of()
    stage.on_batch([incident()], NOW)
    out = orders(stage.on_batch([incident(version=2, level=Level.ORANGE)], NOW + MIN))
    assert [(order.team, order.acts) for order in out] == [("T1", (Act.INSPECT,))]


def test_a_new_place_before_arrival_amends_the_order_of_the_same_team():
    stage = stage_of()
    old = orders(stage.on_batch([incident()], NOW))[0]
    moved = incident(version=2, candidates=("P1", "P2"), place=(150.0, 0.0))
    out = list(stage.on_batch([moved], NOW + MIN))
    order = orders(out)[0]
    assert (order.id, order.team, order.reason) == ("O-I-1-2", old.team, Reason.RELOCATED)
    assert order.targets == ("P1", "P2")
    assert order.due_ms == old.due_ms
    assert len(orders(out)) == 1


def test_a_new_place_after_arrival_amends_nothing():
    stage = stage_of()
    order = orders(stage.on_batch([incident()], NOW))[0]
    stage.on_batch([of(order, FeedbackKind.ARRIVED)], NOW + 5 * MIN)
    assert list(stage.on_batch([incident(version=2, candidates=("P1",))], NOW + 6 * MIN)) == []


def test_a_new_cause_before_arrival_changes_the_acts():
    stage = stage_of()
    old = orders(stage.on_batch([incident(cause=Cause.UNKNOWN)], NOW))[0]
    order = orders(stage.on_batch([incident(version=2)], NOW + MIN))[0]
    assert (order.team, order.reason) == (old.team, Reason.REPLANNED)
    assert Act.REPAIR in order.acts
    assert order.due_ms["contain"] == NOW + MIN + round(LIMITS[Level.YELLOW].contain_h * HOUR)


def test_nothing_found_leads_to_a_search_of_elements_not_tried_yet():
    stage = stage_of()
    first = orders(stage.on_batch([incident()], NOW))[0]
    done = [of(first, FeedbackKind.NOT_FOUND), of(first, FeedbackKind.DONE)]
    second = orders(stage.on_batch(done, NOW + HOUR))
    assert len(second) == 1
    assert second[0].reason == Reason.NEXT_SEARCH
    assert set(second[0].targets).isdisjoint(first.targets)
    assert second[0].targets[0] in {"P2", "P6"}
    assert second[0].due_ms["close"] == first.due_ms["close"]
    assert second[0].due_ms["onsite"] > first.due_ms["onsite"]


def test_a_search_ends_when_there_is_nowhere_left_to_look():
    stage = stage_of()
    out = list(stage.on_batch([incident()], NOW))
    targets: list[str] = []
    while found := orders(out):
        targets += found[0].targets
        last = list(stage.on_batch([of(found[0], FeedbackKind.NOT_FOUND)], NOW + HOUR))
        out = last
    assert sorted(targets) == [f"P{i}" for i in range(9)]
    assert [item.reason for item in decisions(last)] == [Reason.SEARCH_EXHAUSTED]


def test_a_refusal_asks_the_next_team():
    stage = stage_of()
    first = orders(stage.on_batch([incident()], NOW))[0]
    out = list(stage.on_batch([of(first, FeedbackKind.REFUSED)], NOW + MIN))
    decision = decisions(out)[0]
    assert (decision.order.team, decision.reason) == ("T1", Reason.REFUSED_BEFORE)
    assert decision.considered["T2"] == Standing.REFUSED


def test_what_a_patrol_finds_is_mended_by_a_follow_up_order():
    stage = stage_of()
    patrol = orders(stage.on_batch([incident(cause=Cause.UNKNOWN)], NOW))[0]
    steps = [
        of(patrol, FeedbackKind.ARRIVED),
        of(patrol, FeedbackKind.FOUND, element="P7"),
        of(patrol, FeedbackKind.DONE),
    ]
    order = orders(stage.on_batch(steps, NOW + HOUR))[0]
    assert order.reason == Reason.FOUND_BY_PATROL
    assert order.targets[0] == "P7"
    assert Act.REPAIR in order.acts


def test_what_the_support_finds_redirects_the_lead_on_its_way():
    stage = stage_of()
    _, support = orders(stage.on_batch([incident(level=Level.ORANGE)], NOW))
    steps = [of(support, FeedbackKind.ARRIVED), of(support, FeedbackKind.FOUND, element="P3")]
    order = orders(stage.on_batch(steps, NOW + 3 * MIN))[0]
    assert (order.team, order.targets[0], order.reason) == ("T2", "P3", Reason.RELOCATED)


def test_done_ends_the_case_and_a_later_version_sends_nobody():
    stage = stage_of()
    order = orders(stage.on_batch([incident()], NOW))[0]
    stage.on_batch([of(order, FeedbackKind.DONE)], NOW + HOUR)
    assert list(stage.on_batch([incident(version=2)], NOW + HOUR)) == []


def test_closure_frees_teams_and_the_incident_stays_closed():
    stage = stage_of(town([team("T1", 0.0)]))
    stage.on_batch([incident("I-1"), incident("I-2")], NOW)
    out = stage.on_batch([closure(NOW + HOUR, "I-1")], NOW + HOUR)
    assert [order.incident for order in orders(out)] == ["I-2"]
    assert list(stage.on_batch([incident("I-1", version=9)], NOW + HOUR)) == []


def test_a_freed_team_starts_from_where_it_ended():
    stage = stage_of(town([team("T1", 0.0)]))
    order = orders(stage.on_batch([incident("I-1", candidates=("P8",))], NOW))[0]
    stage.on_batch([of(order, FeedbackKind.DONE)], NOW + HOUR)
    near = incident("I-2", candidates=("P8",))
    assert decisions(stage.on_batch([near], NOW + HOUR))[0].travel_min == 0.0


def test_feedback_about_unknown_incidents_and_orders_is_ignored():
    stage = stage_of()
    stage.on_batch([incident()], NOW)
    strange = [
        feedback(FeedbackKind.DONE, NOW, "O-nobody-1"),
        feedback(FeedbackKind.DONE, NOW, incident="I-404"),
        feedback(FeedbackKind.NOT_FOUND, NOW, "O-I-1-77"),
    ]
    assert list(stage.on_batch(strange, NOW)) == []


def test_distance_without_roads_is_straight_times_detour():
    roads = Roads(town(roads=False))
    assert roads.distance_m((0.0, 0.0), (300.0, 400.0)) == pytest.approx(500 * DETOUR)


def test_distance_follows_the_roads():
    city = town()
    assert Roads(city).distance_m((0.0, 0.0), (900.0, 0.0)) == pytest.approx(900.0)
    assert Places(city).of("P0", (9.0, 9.0)) == (50.0, 0.0)
    assert Places(city).of("nowhere", (9.0, 9.0)) == (9.0, 9.0)


def block() -> City:
    """Two ways from A to C: 200 m straight over B, 600 m round over D and E."""
    corners = {"A": (0, 0), "B": (100, 0), "C": (200, 0), "D": (0, 200), "E": (200, 200)}
    nodes = [
        {"id": name, "domain": "water", "kind": "junction", "area": "D01"}
        | {"x_m": float(x_m), "y_m": float(y_m)}
        for name, (x_m, y_m) in corners.items()
    ]
    roads = [
        {"id": ends, "from_node": ends[0], "to_node": ends[1]}
        for ends in ("AB", "BC", "AD", "DE", "EC")
    ]
    return City.of_rows("block", "Block", {"nodes": nodes, "roads": roads})


@pytest.mark.parametrize(
    ("water", "metres"),
    [
        ((), 200.0),
        (((150.0, 30.0),), 600.0),
        (((150.0, 31.0),), 200.0),
        (((150.0, 0.0), (100.0, 200.0)), 200.0),  # no way round is left
    ],
)
def test_a_way_goes_round_water_where_it_can(water: tuple[Place, ...], metres: float):
    roads = Roads(block())
    roads.avoid(water)
    assert roads.distance_m((0.0, 0.0), (200.0, 0.0)) == pytest.approx(metres)
    roads.avoid(())
    assert roads.distance_m((0.0, 0.0), (200.0, 0.0)) == pytest.approx(200.0)


def test_a_road_is_closed_until_its_water_is_gone_and_the_barriers_are_away():
    deep, gone = Mark.CLOSURE_DEPTH.value, Mark.WATER_GONE.value
    marks = [((deep,), False), ((deep, gone), True), ((deep, gone), False), ((), False)]
    closed = []
    for adjustments, has_works in marks:
        case = Case(incident(adjustments=adjustments), has_works=has_works)
        closed.append(closed_places(DispatchState({"I-1": case})))
    assert closed == [[(450.0, 0.0)], [(450.0, 0.0)], [], []]


def test_the_team_is_chosen_that_no_flooded_road_holds_up():
    teams = [team("T1", 0.0), team("T2", 200.0) | {"y_m": 200.0}]
    rows = {name: block().rows(name) for name in ("nodes", "roads")} | {"teams": teams}
    flood = incident("I-F", place=(150.0, 0.0), adjustments=(Mark.CLOSURE_DEPTH.value,))
    chosen = []
    for known in ({}, {"I-F": Case(flood)}):
        stage = stage_of(City.of_rows("block", "Block", rows))
        stage._state.cases |= known
        said = list(stage.on_batch([incident(place=(200.0, 0.0), candidates=())], NOW))
        chosen += [(one.order.team, one.travel_min) for one in decisions(said) if one.order]
    assert chosen == [("T1", 0.4), ("T2", 0.4)]


def test_nodes_and_links_that_share_an_id_keep_their_own_places():
    place = {"area": "D01", "domain": "water"}
    nodes = [
        place | {"id": name, "kind": "junction", "x_m": x_m, "y_m": 0.0}
        for name, x_m in (("9", 0.0), ("10", 100.0), ("11", 400.0), ("12", 1000.0))
    ]
    links = [
        place | {"id": name, "kind": "pipe", "from_node": ends[0], "to_node": ends[1]}
        for name, ends in (("10", ("11", "12")), ("11", ("10", "9")), ("12", ("11", "10")))
    ]
    asset = place | {"id": "11", "kind": "pipe", "element": "11", "x_m": 7.0, "y_m": 7.0}
    places = Places(City.of_rows("c", "C", {"nodes": nodes, "links": links, "assets": [asset]}))
    there = {name: places.of(name, (-1.0, -1.0)) for name in ("9", "10", "11", "12")}
    assert there == {"9": (0.0, 0.0), "10": (700.0, 0.0), "11": (50.0, 0.0), "12": (250.0, 0.0)}


@given(st.lists(st.tuples(st.floats(-2000, 2000), st.floats(-2000, 2000)), min_size=2, max_size=2))
def test_road_distance_is_symmetric_and_no_shorter_than_a_crow_flies(
    ends: list[tuple[float, float]],
):
    roads = Roads(town())
    there, back = roads.distance_m(*ends), roads.distance_m(*reversed(ends))
    assert there == pytest.approx(back)
    (x0, y0), (x1, y1) = ends
    assert there >= ((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5 - 1e-6


@given(st.lists(st.sampled_from(list(Level)), min_size=1, max_size=8))
def test_open_orders_never_share_a_team(levels: list[Level]):
    stage = stage_of(town([team(f"T{i}", 100.0 * i) for i in range(4)]))
    batch = [incident(f"I-{i}", level=level) for i, level in enumerate(levels)]
    teams = [order.team for order in orders(stage.on_batch(batch, NOW))]
    assert len(teams) == len(set(teams))


def test_every_confirmable_cause_has_a_plan_at_every_level():
    plans = default_plans()
    for domain, causes in NEEDING_PLAN.items():
        for cause, level in product(causes, Level):
            assert plans.steps(domain, cause, level)[0].role == "lead"
    assert plans.steps("gas", Cause.BURST, Level.RED) == ()


def test_an_incident_without_a_plan_says_so():
    out = decisions(stage_of().on_batch([incident(domain="gas")], NOW))
    assert [(item.order, item.reason) for item in out] == [(None, Reason.NO_PLAN)]


def _plans() -> dict:
    file = resources.files("pipeline.dispatch") / "plans.json"
    return json.loads(file.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        (("plans", 0, "steps", 0, "acts"), ["dance"], "acts"),
        (("plans", 0, "steps", 0, "teams"), 0, "lead"),
        (("plans", 1, "steps", 1, "targets"), 0, "targets"),
        (("plans", 1, "steps", 1, "orders"), 0, "orders"),
        (("plans", 0, "steps", 0, "colour"), "red", "colour"),
        (("plans", 0, "levels"), ["purple"], "purple"),
        (("plans", 0, "levels"), ["blue"], "burst/yellow has no plan"),
        (("plans", 0, "levels"), ["blue", "yellow", "red"], "has a plan already"),
        (("plans", 0, "steps", 0, "basis"), "guess", "basis"),
    ],
)
def test_a_wrong_plan_file_names_the_mistake(path: tuple, value: object, named: str):
    file = _plans()
    place = file
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(RuleError, match=r"mine\.json") as error:
        load_plans(json.dumps(file), "mine.json")
    assert named in str(error.value)


def test_a_snapshot_of_another_stage_is_refused():
    stage = stage_of()
    stage.on_batch([incident()], NOW)
    with pytest.raises(SnapshotError):
        stage.restore(stage.snapshot()[:-3])


def test_restored_state_goes_on_alike():
    stage, twin = stage_of(), stage_of()
    order = orders(stage.on_batch([incident()], NOW))[0]
    twin.restore(stage.snapshot())
    later = [of(order, FeedbackKind.NOT_FOUND), replace(incident("I-2"), level=Level.RED)]
    assert list(stage.on_batch(later, NOW + HOUR)) == list(twin.on_batch(later, NOW + HOUR))
