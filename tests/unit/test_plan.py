"""Plans: what picks choose, which devices a fault befalls, and what is refused by name."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import networkx as nx
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from api.bootstrap import assess_policy
from api.plan import (
    city_id_of,
    load_city,
    plan_incident,
    plan_run,
    read_city,
    write_city,
    write_plan,
)
from pipeline.assess.policy import AssessPolicy
from pipeline.rules import RuleSet, default_rules, load_rules, rule_text
from sensors.city import City
from sensors.devices.faults import FaultKind
from sensors.errors import RegistryError
from sensors.levels import Level
from sensors.registry import Registry
from simulator.errors import ScenarioError
from simulator.scenario import IncidentSpec, Scenario, load_scenario

SOURCE = Path("town.yaml")
HOUR_MS = 3_600_000
TOWN: dict[str, Any] = {"generate": {"junctions": 60, "seed": 3}}
PICKS = ("main", "middle", "branch", "random")


def scenario(**changes: Any) -> Scenario:
    fields: dict[str, Any] = {
        "format": 1,
        "name": "planned",
        "city": TOWN,
        "start": "2026-06-01T00:00:00+08:00",
        "duration": "6h",
    }
    return Scenario.model_validate(fields | changes)


CITY, REGISTRY = load_city(scenario(), SOURCE)
PIPES = {row["id"]: row for row in CITY.rows("links") if row["kind"] == "pipe"}


def incident(**changes: Any) -> IncidentSpec:
    fields = {"id": "B1", "kind": "burst", "element": {"pick": "main"}, "at": "1h"}
    return IncidentSpec.model_validate({**fields, "share_of_demand": 0.5, **changes})


def picked(pick: str, seed: int, **changes: Any) -> str:
    spec = incident(element={"pick": pick, "seed": seed}, **changes)
    return plan_incident(spec, scenario(), CITY).element


def faults(**changes: Any) -> list[str]:
    fields = {"kind": "stuck", "at": "1h", "amount": 0.1}
    plan = plan_run(scenario(faults=[{**fields, **changes}]), SOURCE)
    return [fault.target for fault in plan.faults]


# --- picks ---


@given(st.sampled_from(PICKS), st.integers(0, 10_000))
def test_a_burst_is_picked_among_pipes_whose_closure_cuts_nobody_off(pick: str, seed: int) -> None:
    element = picked(pick, seed)
    graph = nx.Graph((row["from_node"], row["to_node"]) for row in PIPES.values())
    pipe = PIPES[element]
    graph.remove_edge(pipe["from_node"], pipe["to_node"])
    assert nx.has_path(graph, pipe["from_node"], pipe["to_node"])


@pytest.mark.parametrize("pick", PICKS)
def test_a_pick_is_the_same_each_time_and_another_with_another_seed(pick: str) -> None:
    chosen = [picked(pick, seed) for seed in range(30)]
    assert chosen == [picked(pick, seed) for seed in range(30)]
    assert len(set(chosen)) > 2


def test_two_incidents_with_one_seed_are_not_picked_alike() -> None:
    assert len({picked("random", 1, id=f"B{number}") for number in range(20)}) > 5


def test_mains_are_wider_than_middles_and_those_wider_than_branches() -> None:
    widths = {
        pick: [PIPES[picked(pick, seed)]["diameter_mm"] for seed in range(40)] for pick in PICKS
    }
    assert min(widths["main"]) >= max(widths["middle"])
    assert min(widths["middle"]) >= max(widths["branch"])
    assert max(widths["main"]) > min(widths["branch"])


@pytest.mark.parametrize("kind", ["pump_trip", "pump_switch"])
def test_pump_incidents_pick_a_pump(kind: str) -> None:
    element = picked("random", 1, kind=kind, share_of_demand=None)
    assert element in {row["id"] for row in CITY.rows("links") if row["kind"] == "pump"}


def test_a_demand_surge_picks_a_junction_that_draws_water() -> None:
    element = picked("random", 1, kind="demand_surge", share_of_demand=None)
    row = next(row for row in CITY.rows("nodes") if row["id"] == element)
    assert row["kind"] == "junction"
    assert row["base_demand_m3_h"] > 0


def test_a_pick_in_a_city_without_such_elements_is_refused() -> None:
    empty = City.of_rows("c", "C", {})
    with pytest.raises(ScenarioError, match=r"incident B1: this city has no pipes"):
        plan_incident(incident(), scenario(), empty)


def test_a_city_without_loops_is_picked_from_all_its_pipes() -> None:
    nodes = [
        {"id": name, "domain": "water", "kind": "junction", "x_m": 0.0, "y_m": 0.0}
        for name in "abc"
    ]
    ends = (("p", "a", "b"), ("q", "b", "c"))
    links = [
        {"id": name, "domain": "water", "kind": "pipe", "from_node": first, "to_node": last}
        | {"diameter_mm": 100.0}
        for name, first, last in ends
    ]
    chain = City.of_rows("c", "C", {"nodes": nodes, "links": links})
    spec = incident(element={"pick": "random", "seed": 2})
    assert plan_incident(spec, scenario(), chain).element in {"p", "q"}


def test_a_leak_is_sized_by_the_citys_mean_demand() -> None:
    demand = sum(row["base_demand_m3_h"] for row in CITY.rows("nodes"))
    plan = plan_incident(incident(share_of_demand=0.5), scenario(), CITY)
    assert plan.outflow_m3_h == pytest.approx(0.5 * demand)
    given_size = incident(share_of_demand=None, outflow_m3_h=12.0)
    assert plan_incident(given_size, scenario(), CITY).outflow_m3_h == 12.0


def test_durations_count_from_the_start_in_event_time() -> None:
    spec = incident(element="P1", kind="slow_leak", at="1h30m", duration="45m", growth="10m")
    plan = plan_incident(spec, scenario(), CITY)
    assert plan.onset_ms == scenario().start_ms + 90 * 60_000
    assert (plan.duration_ms, plan.growth_ms) == (45 * 60_000, 10 * 60_000)
    assert plan.element == "P1"


# --- faults ---


def of_kind(kind: str) -> list[str]:
    return sorted(REGISTRY.ids[number] for number in REGISTRY.where("kind", kind))


def test_a_fault_by_place_takes_the_nth_device_of_its_kind() -> None:
    names = of_kind("network_pressure")
    assert faults(device={"kind": "network_pressure", "nth": 2}) == [names[2]]
    assert faults(device={"kind": "network_pressure", "nth": len(names) + 1}) == [names[1]]


@pytest.mark.parametrize(("share", "count"), [(0.001, 1), (0.5, None), (1.0, None)])
def test_a_fault_by_share_takes_that_share_of_its_kind(share: float, count: int | None) -> None:
    names = of_kind("network_pressure")
    chosen = faults(device={"kind": "network_pressure", "share": share})
    assert len(chosen) == (count or round(share * len(names)))
    assert set(chosen) <= set(names)
    assert chosen == sorted(set(chosen))
    assert chosen == faults(device={"kind": "network_pressure", "share": share})


def test_a_gateways_fault_befalls_a_gateway() -> None:
    gateways = sorted(set(REGISTRY.texts("gateway")))
    assert faults(device={"kind": "gateway", "nth": 0}, kind="gateway_outage") == gateways[:1]
    assert faults(device=gateways[-1], kind="frame_loss") == gateways[-1:]


def test_a_fault_acts_from_its_time_until_it_is_over() -> None:
    listed = [
        {"device": REGISTRY.ids[0], "kind": "bias", "at": "2h", "duration": "30m", "amount": -0.1},
        {"device": REGISTRY.ids[1], "kind": "outage", "at": "1h"},
    ]
    plan = plan_run(scenario(faults=listed), SOURCE)
    first, second = plan.faults
    start_ms = plan.scenario.start_ms
    assert (first.start_ms, first.end_ms) == (start_ms + 2 * HOUR_MS, start_ms + 2.5 * HOUR_MS)
    assert (first.kind, first.amount) == (FaultKind.BIAS, -0.1)
    assert second.end_ms > start_ms + plan.scenario.duration * 1000


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"device": "nobody"}, r"faults\.0\.device: no device or gateway 'nobody'"),
        (
            {"device": {"kind": "radar", "nth": 0}},
            r"faults\.0\.device\.kind: no 'radar'; there are",
        ),
        ({"device": {"kind": "gateway", "nth": 0}}, r"stuck befalls a device.*choose a device"),
        (
            {"device": {"kind": "network_pressure", "nth": 0}, "kind": "frame_loss"},
            r"frame_loss befalls a gateway.*choose a gateway",
        ),
    ],
)
def test_a_fault_that_cannot_befall_its_target_is_refused(
    changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(ScenarioError, match=said):
        faults(**changes)


# --- the run and its city ---


def test_another_seed_changes_the_seed_and_nothing_else() -> None:
    listed = [incident().model_dump(mode="json")]
    plans = [plan_run(scenario(incidents=listed), SOURCE, seed=seed) for seed in (None, 0, 9)]
    assert [plan.seed for plan in plans] == [1, 0, 9]
    assert plans[0].incidents == plans[1].incidents == plans[2].incidents
    assert plans[0].inp == plans[2].inp


def test_a_city_folder_takes_the_place_of_the_scenarios_city(tmp_path: Path) -> None:
    write_city(tmp_path / "other", *load_city(scenario(city={"generate": {"seed": 5}}), SOURCE))
    plan = plan_run(scenario(), SOURCE, city_folder=tmp_path / "other")
    assert plan.city.id == "town5"
    named = scenario(city={"folder": "other"})
    assert plan_run(named, tmp_path / "town.yaml").city.id == "town5"


def test_an_epanet_file_is_found_beside_the_scenario(tmp_path: Path) -> None:
    (tmp_path / "Old Town.inp").write_text(CITY.networks["water"], encoding="utf-8")
    city, registry = load_city(scenario(city={"inp": "Old Town.inp"}), tmp_path / "s.yaml")
    assert (city.id, city.name) == ("old-town", "Old Town")
    assert {row["id"] for row in city.rows("links")} >= set(PIPES)
    assert len(registry) > 0


def test_a_wrong_epanet_file_is_named(tmp_path: Path) -> None:
    here = tmp_path / "s.yaml"
    with pytest.raises(ScenarioError, match=r"s\.yaml: city\.inp: .*none\.inp does not exist"):
        load_city(scenario(city={"inp": "none.inp"}), here)
    (tmp_path / "junk.inp").write_text("junk", encoding="utf-8")
    with pytest.raises(ScenarioError, match=r"s\.yaml: city\.inp: .*junk\.inp: .*EPANET"):
        load_city(scenario(city={"inp": "junk.inp"}), here)


@pytest.mark.parametrize(
    ("file", "text"),
    [("city.json", "{"), ("city.json", "{}"), ("nodes.parquet", "x"), ("devices.parquet", "x")],
)
def test_a_damaged_city_folder_is_named(tmp_path: Path, file: str, text: str) -> None:
    write_city(tmp_path, CITY, REGISTRY)
    (tmp_path / file).write_text(text, encoding="utf-8")
    with pytest.raises(RegistryError, match=r"is damaged .*make it anew") as caught:
        read_city(tmp_path)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize("file", ["city.json", "nodes.parquet", "devices.parquet"])
def test_an_incomplete_city_folder_is_refused(tmp_path: Path, file: str) -> None:
    write_city(tmp_path, CITY, REGISTRY)
    (tmp_path / file).unlink()
    with pytest.raises(RegistryError, match=r"city|table|missing"):
        read_city(tmp_path)


def same(one: tuple[City, Registry], other: tuple[City, Registry]) -> bool:
    return (
        (one[0].id, one[0].name) == (other[0].id, other[0].name)
        and all(one[0].tables[name].equals(other[0].tables[name]) for name in one[0].tables)
        and one[0].networks == other[0].networks
        and str(one[1].table.to_pylist()) == str(other[1].table.to_pylist())  # NaN is not NaN
    )


def test_what_a_plan_writes_is_read_back_the_same(tmp_path: Path) -> None:
    listed = [incident(at="1h5m").model_dump(mode="json")]
    plan = plan_run(scenario(incidents=listed), SOURCE)
    write_plan(tmp_path / "run", plan)
    again = load_scenario(tmp_path / "run" / "scenario.json")
    assert (again, again.digest) == (plan.scenario, plan.scenario.digest)
    assert same(read_city(tmp_path / "run" / "city"), (plan.city, plan.registry))


@pytest.mark.parametrize(
    ("name", "city_id"),
    [("Net3", "net3"), ("Old Town (2)", "old-town-2"), ("沈阳", "city"), ("--", "city")],
)
def test_a_city_id_is_one_topic_segment(name: str, city_id: str) -> None:
    assert city_id_of(name) == city_id


# --- what the composition takes from the rules ---


def changed_rules(changes: Mapping[str, Any]) -> RuleSet:
    document = yaml.safe_load(rule_text("national"))
    for path, value in changes.items():
        table = document
        *heads, last = path.split(".")
        for head in heads:
            table = table[head]
        table[last] = value
    return load_rules(json.dumps(document), "changed.json")


def test_the_assessment_takes_its_limits_from_the_rules() -> None:
    policy = assess_policy(
        changed_rules(
            {
                "risk.default": "B",
                "risk.consequence_households": {"2": 100, "3": 200, "5": 900},
                "response.red.assess_min": 3,
            }
        ),
        issue_before_assess=True,
    )
    assert policy.risk_bounds == (9, 13, 17)
    assert policy.household_bounds == (100.0, 200.0, 900.0, 900.0)
    assert policy.assess_limit_ms[Level.RED] == 3 * 60_000
    assert policy.issue_before_assess


def test_the_assessments_own_defaults_agree_with_the_rules_that_are_shipped() -> None:
    assert assess_policy(default_rules()) == AssessPolicy()
