"""Load profiles: exactly the asked devices on any city, stable places, gateways, messages."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sensors.city import City
from sensors.devices import device_kinds
from sensors.registry import Registry, entity_id
from simulator.city.candidates import PLACES, Candidates
from simulator.city.fleet_profile import load_profile, profile_names
from simulator.city.generate import generate_town
from simulator.city.profiles import entity_ids, place_fleet
from simulator.city.profiles_limits import limited
from simulator.city.whole import generate_city
from simulator.errors import ScenarioError
from simulator.physics.flood.inp import read_sections
from simulator.physics.gas.model import parse

CITY = generate_city(7, 120, "small", "Small")
SHENYANG_DEVICES = 193_954
RECORDS_A_DAY = 989e6 / 986


@pytest.fixture(scope="module")
def shenyang() -> Registry:
    return place_fleet(CITY, "shenyang")


def test_ids_made_all_at_once_are_those_made_one_by_one() -> None:
    made = entity_ids("dma_flow", "D012", 10_001)
    assert made == [entity_id("dma_flow", "D012", serial) for serial in range(1, 10_002)]


def test_a_whole_city_has_every_kind_of_device_at_elements_of_its_own() -> None:
    registry = place_fleet(CITY)
    assert set(registry.texts("kind")) == set(PLACES) == set(device_kinds())
    found = {
        (row["id"], row["domain"], row["kind"])
        for table in ("nodes", "links")
        for row in CITY.rows(table)
    }
    for kind, element in zip(registry.texts("kind"), registry.texts("element"), strict=True):
        place = PLACES[kind]
        assert any((element, place.domain, one) in found for one in place.elements)


def test_a_town_with_water_only_gets_the_places_of_its_import() -> None:
    city, imported = generate_town(7, junctions=60)
    placed = place_fleet(city)
    for columns in (("kind", "element"), ("kind", "element", "alarm_low", "range_high")):
        one, other = (
            sorted(str(row) for row in registry.table.select(columns).to_pylist())
            for registry in (imported, placed)
        )
        assert one == other


@pytest.mark.parametrize("domain", ["water", "flood"])
def test_a_city_with_one_network_still_gets_the_whole_fleet(domain: str) -> None:
    rows = {
        table: [row for row in CITY.rows(table) if row["domain"] == domain]
        for table in ("nodes", "links")
    }
    networks = {domain: CITY.networks[domain]}
    city = City.of_rows("one", "One", {"areas": CITY.rows("areas"), **rows}, networks)
    registry = place_fleet(city, "shenyang")
    assert len(registry) == SHENYANG_DEVICES
    assert {PLACES[kind].domain for kind in registry.texts("kind")} == {domain}


def test_shenyang_has_its_devices_and_its_records(shenyang: Registry) -> None:
    assert len(shenyang) == SHENYANG_DEVICES
    assert set(shenyang.texts("kind")) == set(PLACES)
    a_day = float((86_400 / shenyang.numbers("interval_s")).sum())
    assert a_day == pytest.approx(RECORDS_A_DAY, rel=0.01)


def test_stress_is_the_same_fleet_once_a_minute(shenyang: Registry) -> None:
    stress = place_fleet(CITY, "stress")
    assert stress.ids == shenyang.ids
    assert set(stress.numbers("interval_s")) == {60.0}
    assert float((1 / stress.numbers("interval_s")).sum()) == pytest.approx(3233, abs=1)


@pytest.mark.parametrize(
    ("profile", "counts"),
    [
        ("beijing", {"network_pressure": 108, "dma_flow": 1231, "rain_gauge": 688}),
        ("nanjing", {"hydrant_pressure": 11_000, "fire_tank_level": 3070, "rain_gauge": 344}),
    ],
)
def test_a_city_profile_has_the_quoted_counts(profile: str, counts: dict[str, int]) -> None:
    found = Counter(place_fleet(CITY, profile).texts("kind"))
    assert {kind: found[kind] for kind in counts} == counts
    ponding = found["road_ponding"] + found["underpass_ponding"]
    assert ponding == {"beijing": 165, "nanjing": 79}[profile]


def test_a_gateway_serves_one_area_and_domain_and_50_to_100_devices(shenyang: Registry) -> None:
    columns = (shenyang.texts(name) for name in ("gateway", "area", "domain"))
    gateways = set(zip(*columns, strict=True))
    assert len(gateways) == len(set(shenyang.texts("gateway")))
    sizes = Counter(shenyang.texts("gateway"))
    groups = Counter(zip(shenyang.texts("area"), shenyang.texts("domain"), strict=True))
    for gateway, area, domain in gateways:
        if groups[(area, domain)] >= 50:
            assert 50 <= sizes[gateway] <= 100


def test_fewer_devices_are_some_of_the_places_of_more(tmp_path: Path) -> None:
    places = []
    for share in (0.3, 0.6):
        file = tmp_path / f"p{share}.yaml"
        file.write_text(
            f"name: mine\ntitle: Mine\nsource: proposed\nkinds: {{drain_level: {{share: {share}}}}}"
        )
        places.append(set(place_fleet(CITY, str(file)).texts("element")))
    assert places[0] < places[1]


def test_no_device_has_a_limit_or_range_that_makes_no_sense(shenyang: Registry) -> None:
    low, high = shenyang.numbers("range_low"), shenyang.numbers("range_high")
    assert (low < high).all()
    assert (shenyang.numbers("accuracy") >= 0).all()
    limits = shenyang.numbers("alarm_low")
    assert ((limits[~np.isnan(limits)] >= 0) | (low[~np.isnan(limits)] < 0)).all()
    assert (shenyang.numbers("alarm_interval_s") <= shenyang.numbers("interval_s")).all()


def test_every_shipped_profile_says_where_its_figures_come_from() -> None:
    assert set(profile_names()) >= {"default", "real", "beijing", "nanjing", "shenyang", "stress"}
    for name in profile_names():
        profile = load_profile(name)
        assert profile.name == name
        assert "domain reference" in profile.source or "proposed" in profile.source


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kinds: {radar: {share: 1}}", r"kinds\.radar: unknown kind; known: network_pressure"),
        ("kinds: {drain_level: {}}", r"kinds\.drain_level: give exactly one of share, count"),
        ("kinds: {drain_level: {count: -1}}", r"kinds\.drain_level\.count: .*\(got -1\)"),
        ("kinds: {drain_level: {weight: 1}}", r"devices: missing; kinds with a weight"),
        ("extends: mine.yaml", r"extends: .* leads nowhere|no 'mine.yaml'"),
        ("devices: 5", r"kinds: none given"),
        ("kinds: [", r"not valid YAML"),
    ],
)
def test_a_wrong_profile_is_named_with_key_and_fix(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text(f"name: wrong\ntitle: Wrong\nsource: none\n{text}\n")
    with pytest.raises(ScenarioError, match=said):
        load_profile(str(file))


def test_an_unknown_profile_is_answered_with_those_there_are() -> None:
    with pytest.raises(ScenarioError, match=r"no 'huge'; give one of beijing, default"):
        load_profile("huge")


def test_low_limits_follow_the_set_point_and_the_depth_of_the_manhole() -> None:
    registry = place_fleet(CITY)
    rows = {row["element"]: row for row in registry.table.to_pylist()}
    gas = parse(CITY.networks["gas"])
    for node, set_kpa in zip(gas.regulators.end, gas.regulators.set_kpa, strict=True):
        if node in rows:
            assert rows[node]["alarm_low"] == pytest.approx(0.85 * set_kpa, abs=0.01)
    pressures = [row for row in rows.values() if row["kind"] == "gas_pressure"]
    assert pressures
    assert all(row["alarm_low"] > 0 for row in pressures)
    depth_m = {row[0]: float(row[2]) for row in read_sections(CITY.networks["flood"])["JUNCTIONS"]}
    drains = [row for row in rows.values() if row["kind"] == "drain_level"]
    assert all(row["alarm_low"] < depth_m[row["element"]] for row in drains)
    assert all(row["alarm_low"] <= 1.0 for row in drains)


def test_a_building_above_a_hundred_metres_has_a_site_profile() -> None:
    network = json.loads(CITY.networks["fire"])
    tall = [
        {**one, "height_m": 100.1 if n == 1 else 100.0}
        for n, one in enumerate(network["buildings"])
    ]
    text = json.dumps({**network, "buildings": tall})
    registry = place_fleet(replace(CITY, networks={**CITY.networks, "fire": text}))
    profiled = {
        (row["element"], row["domain"], row["profile"])
        for row in registry.table.to_pylist()
        if row["profile"]
    }
    assert profiled == {(tall[1]["id"], "fire", "over100m")}


def test_a_shallow_manhole_gets_a_limit_it_can_keep() -> None:
    inp = "[JUNCTIONS]\nFA 10 0.8 0 0 0\nFB 10 3.0 0 0 0\n"
    city = replace(CITY, networks={"flood": inp})
    blank = np.full(2, np.nan)
    sites = Candidates(
        np.array(["FA", "FB"]), np.array(["D001"] * 2), blank, blank, blank, blank, blank
    )
    assert limited(city, "drain_level", sites).alarm_low.tolist() == [0.68, 1.0]
