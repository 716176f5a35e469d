"""Scenarios of gas, flood and fire: what is accepted, picked, fallen, composed and sampled."""

import math
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pytest
import yaml

from api.library import find_scenario, with_parts
from sensors.city import City
from sensors.ground_truth import TrueKind
from simulator.city.generate import generate_town
from simulator.city.whole import generate_city
from simulator.errors import ScenarioError
from simulator.physics.flood.rain import RainField
from simulator.scenario import IncidentSpec, Scenario, StormSpec, load_scenario, parse_scenario
from simulator.scenario.compose import composed, scenario_yaml
from simulator.scenario.faults import faults_of
from simulator.scenario.kinds import happening_kinds
from simulator.scenario.picks import Picker
from simulator.scenario.sample import Rates, load_rates, sampled
from simulator.scenario.storms import storm_of

CITY = generate_city(7, 200, "c200", "City")
PICKER = Picker(CITY)
NODES = {row["id"]: row for row in CITY.rows("nodes")}
LINKS = {row["id"]: row for row in CITY.rows("links")}
HEAD = """\
format: 1
name: small
city: {generate: {corners: 120}}
start: 2026-06-01T00:00:00+08:00
duration: 6h
"""


def parsed(text: str = "") -> Scenario:
    return parse_scenario(HEAD + text, "small.yaml")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("storms: [{kind: rain}]", r"storms\.0\.kind: .*'chicago'"),
        ("storms: [{kind: chicago, duration: 1h}]", "needs one of return_years.*got none"),
        (
            "storms: [{kind: chicago, duration: 1h, total_mm: 5, peak_mm_h: 9}]",
            "got total_mm and peak_mm_h",
        ),
        ("storms: [{kind: uniform, total_mm: 5}]", "needs a duration, such as 2h"),
        ("storms: [{kind: hourly}]", "needs one of series_mm and file"),
        ("storms: [{kind: zhengzhou_720, total_mm: 9}]", "its own size.*remove total_mm"),
        ("storms: [{kind: zhengzhou_720, hours: 7}]", r"storms\.0\.hours: "),
        ("storms: [{kind: zhengzhou_720, at: 6h}]", "rain begins after 21600 s"),
        ("weather: {wind: 3}", r"weather\.wind: key is unknown; did you mean 'wind_m_s'"),
        ("permits: [{id: W, duration: 1h}]", "W: give one of element and incident"),
        ("permits: [{id: W, duration: 1h, incident: G9}]", "no incident 'G9'; there are none"),
        ("city: {generate: {corners: 120, size: town}}", "given twice"),
    ],
)
def test_a_mistake_in_weather_or_permits_is_named(text: str, said: str) -> None:
    with pytest.raises(ScenarioError, match=said) as caught:
        parsed(text)
    assert str(caught.value).startswith("small.yaml: ")


def test_a_city_has_one_size() -> None:
    text = HEAD.replace("corners: 120", "corners: 120, junctions: 60")
    with pytest.raises(ScenarioError, match="only one of junctions, size and corners"):
        parse_scenario(text, "small.yaml")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kind: gas_pinhole, element: P", "needs amount, the hole diameter in mm.*got nothing"),
        ("kind: gas_pinhole, element: P, amount: 900", "from 0.5 to 30; got 900"),
        ("kind: pump_trip, element: P, amount: 1", "has no amount; remove it"),
        ("kind: gas_pinhole, element: {pick: underpass}, amount: 5", "cannot be picked by 'under"),
        ("kind: storm, element: S", "list storms under storms:"),
        ("kind: ponding, element: S", "ponding follows from storms: and failures"),
        ("kind: digging, element: {pick: lp, near: A}", "near: 'A' is no incident listed before"),
    ],
)
def test_a_mistake_in_a_hazard_is_named(text: str, said: str) -> None:
    with pytest.raises(ScenarioError, match=said):
        parsed(f"incidents: [{{id: X, at: 1h, {text}}}]")


def test_every_kind_that_can_be_ordered_is_in_the_table() -> None:
    ordered = set(TrueKind) - {TrueKind.DEVICE_FAULT, TrueKind.STORM, TrueKind.PONDING}
    assert set(happening_kinds()) == ordered


def test_a_high_river_needs_no_element() -> None:
    scenario = parsed("incidents: [{id: R, kind: river_high, at: 1h, amount: 2}]")
    assert scenario.incidents[0].element == ""


# --- picks ---


def picked(kind: str, pick: str, seed: int = 1, **more: Any) -> str:
    fields = {"id": "X", "kind": kind, "element": {"pick": pick, "seed": seed}, "at": 0, **more}
    return PICKER.pick(IncidentSpec.model_validate(fields))


@pytest.mark.parametrize("seed", range(8))
def test_low_and_medium_pressure_pipes_are_told_apart(seed: int) -> None:
    graph = nx.Graph(
        (row["from_node"], row["to_node"])
        for row in LINKS.values()
        if row["domain"] == "gas" and row["kind"] == "pipe"
    )
    sources = {name for name, row in NODES.items() if row["kind"] == "source"}
    for pick, is_fed in (("lp", False), ("mp", True)):
        pipe = LINKS[picked("gas_pinhole", pick, seed, amount=5)]
        fed = nx.node_connected_component(graph, pipe["from_node"]) & sources
        assert bool(fed) == is_fed


@pytest.mark.parametrize(
    ("kind", "pick", "table", "element"),
    [
        ("gas_well_leak", "valve_well", NODES, "valve_well"),
        ("biogas", "manhole", NODES, "manhole_space"),
        ("drain_pump_failure", "underpass", LINKS, "pump"),
        ("drain_blockage", "road", LINKS, "conduit"),
        ("gate_closure", "random", LINKS, "gate"),
        ("fire_tank_empty", "high_rise", NODES, "high_rise"),
        ("burst", "main", LINKS, "pipe"),
    ],
)
def test_a_pick_is_an_element_its_kind_befalls(
    kind: str, pick: str, table: dict[str, Any], element: str
) -> None:
    row = happening_kinds()[TrueKind(kind)]
    more: dict[str, Any] = {"share_of_demand": 0.5} if kind == "burst" else {}
    if row.amount is not None:
        more["amount"] = row.amount.high
    found = table[picked(kind, pick, **more)]
    assert (found["domain"], found["kind"]) == (row.domain, element)


def test_near_picks_one_of_the_nearest_and_taken_ones_are_avoided() -> None:
    spec = IncidentSpec.model_validate(
        {"id": "B", "kind": "burst", "element": {"pick": "random"}, "at": 0, "outflow_m3_h": 9}
    )
    middle = next(name for name, row in NODES.items() if row["kind"] == "underpass")
    x, y = PICKER.place_of(middle) or (0.0, 0.0)
    near, far = (PICKER.pick(spec, place) for place in (middle, None))
    away = [math.dist((x, y), PICKER.place_of(name) or (0.0, 0.0)) for name in (near, far)]
    assert away[0] < 400
    assert PICKER.pick(spec, middle, {near}) != near


def test_a_city_without_gas_says_so() -> None:
    empty = City.of_rows("e", "E", {})
    spec = IncidentSpec.model_validate(
        {"id": "G", "kind": "gas_strike", "element": {"pick": "mp"}, "at": 0, "amount": 50}
    )
    with pytest.raises(ScenarioError, match="incident G: this city has no gas pipes"):
        Picker(empty).pick(spec)


# --- storms ---


def storm(**fields: Any) -> Any:
    return storm_of(StormSpec.model_validate(fields), 0, (1000.0, 500.0), Path())


@pytest.mark.parametrize(
    ("fields", "total_mm"),
    [
        ({"kind": "chicago", "duration": "2h", "total_mm": 60}, 60.0),
        ({"kind": "uniform", "duration": "90m", "total_mm": 45}, 45.0),
        ({"kind": "hourly", "series_mm": [3, 0, 7]}, 10.0),
        ({"kind": "zhengzhou_720"}, 617.1),
        ({"kind": "zhengzhou_720", "hours": 24}, 552.5),
    ],
)
def test_a_storm_has_the_total_it_was_given(fields: dict[str, Any], total_mm: float) -> None:
    assert storm(**fields).total_mm == pytest.approx(total_mm, rel=1e-9)


def test_a_moving_storm_peaks_over_the_middle_of_the_city() -> None:
    moving = {"speed_m_s": 8, "heading_deg": 90}
    made = storm(kind="chicago", at="1h", duration="2h", total_mm=60, moving=moving, radius_m=4000)
    assert (made.vx_m_s, made.vy_m_s) == pytest.approx((8, 0), abs=1e-9)
    field = RainField([made])
    x, y = np.array([1000.0]), np.array([500.0])
    minutes = range(60, 180)
    rates = [float(field.intensity_mm_h(minute * 60_000, x, y)[0]) for minute in minutes]
    assert minutes[int(np.argmax(rates))] == pytest.approx(60 + 0.4 * 120, abs=2)
    assert max(rates) == pytest.approx(max(made.rate_mm_h), rel=0.05)


def test_a_series_file_is_named_when_it_is_missing() -> None:
    with pytest.raises(ScenarioError, match=r"storms: rain: file: .*none\.csv"):
        storm(kind="hourly", file="none.csv")


# --- compose ---


def test_composed_scenarios_keep_their_events_at_shifted_times() -> None:
    first = parsed("incidents: [{id: X, kind: river_high, at: 1h, amount: 2}]")
    other = parsed(
        "incidents:\n"
        "  - {id: X, kind: digging, element: {pick: lp}, at: 30m}\n"
        "  - {id: Y, kind: digging, element: {pick: lp, near: X}, at: 40m}\n"
        "permits: [{id: W, incident: X, at: 10m, duration: 1h}]\n"
        "weather: {wind_m_s: 9}\nfault_rates: default\n"
        "faults: [{device: {kind: gateway, nth: 0}, kind: gateway_outage, at: 5m}]\n"
        "storms: [{kind: uniform, duration: 1h, total_mm: 5}]"
    )
    whole = composed(first, [(other, 3600), (other, 7200)])
    assert [(item.id, item.at) for item in whole.incidents] == [
        ("X", 3600),
        ("X-2", 5400),
        ("Y", 6000),
        ("X-3", 9000),
        ("Y-2", 9600),
    ]
    assert [item.element.near for item in whole.incidents[2::2]] == ["X-2", "X-3"]  # type: ignore[union-attr]
    assert [(item.id, item.incident, item.at) for item in whole.permits] == [
        ("W", "X-2", 4200),
        ("W-2", "X-3", 7800),
    ]
    assert [item.at for item in whole.faults] == [3900, 7500]
    assert [(item.id, item.at) for item in whole.storms] == [("rain", 3600), ("rain-2", 7200)]
    assert (whole.weather.wind_m_s, whole.fault_rates) == (9, "default")


def test_parts_are_found_beside_the_file_and_may_not_contain_themselves(tmp_path: Path) -> None:
    one, two = tmp_path / "one.yaml", tmp_path / "two.yaml"
    text = HEAD.replace("name: small", "name: {}") + "compose: [{{scenario: {}, offset: 5m}}]"
    one.write_text(text.replace("{generate: {corners: 120}}", "{{folder: x}}").format("one", "two"))
    two.write_text(text.replace("{generate: {corners: 120}}", "{{folder: x}}").format("two", "one"))
    with pytest.raises(ScenarioError, match=r"compose\.0\.scenario: one > two > one contains"):
        with_parts(load_scenario(one), one)


@pytest.mark.parametrize("name", ["gas-leak-in-storm", "gas-strike", "fault-day", "quiet-month"])
def test_a_scenario_written_as_yaml_reads_back_the_same(name: str) -> None:
    file = find_scenario(name)
    whole = with_parts(file.scenario, file.path)
    assert parse_scenario(scenario_yaml(whole), "again") == whole


def test_a_moving_storm_survives_writing_as_json() -> None:
    scenario = parsed(
        "storms: [{kind: uniform, duration: 1h, total_mm: 5, "
        "moving: {speed_m_s: 3, from: [100, -200]}}]"
    )
    assert parse_scenario(scenario.model_dump_json(), "again") == scenario


# --- sample ---


def test_a_sample_is_the_same_each_time_and_reads_back() -> None:
    rates = load_rates()
    one = sampled(rates, 30, 3, corners=1000)
    assert sampled(rates, 30, 3, corners=1000) == one
    assert sampled(rates, 30, 4, corners=1000).incidents != one.incidents
    assert parse_scenario(scenario_yaml(one), "sample") == one


def test_another_rate_leaves_the_events_of_the_other_kinds() -> None:
    rates = load_rates()
    doubled = {
        kind: rate.model_copy(update={"per_year": 2 * rate.per_year})
        if kind is TrueKind.GAS_PINHOLE
        else rate
        for kind, rate in rates.incidents.items()
    }
    kinds = set(rates.incidents) - {TrueKind.GAS_PINHOLE}
    one, other = (
        [item for item in sampled(given, 60, 1, 1000).incidents if item.kind in kinds]
        for given in (rates, Rates(incidents=doubled, storms=rates.storms))
    )
    assert one == other


def test_events_come_as_often_as_their_rate_says() -> None:
    rates = load_rates()
    counts = dict.fromkeys(rates.incidents, 0)
    for seed in range(20):
        for item in sampled(rates, 366, seed, corners=1000).incidents:
            counts[item.kind] += 1
    for kind, rate in rates.incidents.items():
        expected = 20 * rate.per_year * 366 / 365.25
        assert abs(counts[kind] - expected) < 4.5 * math.sqrt(expected)


def test_wrong_rates_are_named(tmp_path: Path) -> None:
    file = tmp_path / "rates.yaml"
    file.write_text(yaml.safe_dump({"incidents": {"burst": {"per_year": -1, "source": "x"}}}))
    with pytest.raises(ScenarioError, match=r"rates\.yaml: incidents\.burst\.per_year: .*\(got -1"):
        load_rates(file)


def test_faults_of_one_entry_share_a_cause_and_a_single_one_has_none() -> None:
    scenario = parse_scenario(
        "format: 1\nname: x\ncity: {generate: {junctions: 40}}\n"
        "start: 2026-06-01T00:00:00+08:00\nduration: 1h\nfaults:\n"
        "  - {device: {kind: network_pressure, nth: 0}, kind: stuck}\n"
        "  - {device: {kind: network_pressure, share: 0.5}, kind: stuck}\n",
        "x",
    )
    registry = generate_town(7, junctions=40)[1]
    first, *others = faults_of(scenario, registry, 1, Path())
    assert first.cause == ""
    assert len(others) > 1
    assert {fault.cause for fault in others} == {"fault-1"}
