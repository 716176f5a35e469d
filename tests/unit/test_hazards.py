"""Hazards together: power, couplings and crews on small networks that note what is done to them."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from sensors.city import City, Row
from sensors.field import Act
from sensors.ground_truth import TrueIncident, TrueKind
from sensors.levels import Level
from simulator.errors import InjectionError
from simulator.hazards.couplings import BurstIntoStreet, MainsToRoof, StormWind
from simulator.hazards.elements import Elements
from simulator.hazards.fire import FireHazard
from simulator.hazards.flood import FloodHazard
from simulator.hazards.gas import GasHazard
from simulator.hazards.table import HazardTable
from simulator.hazards.water import WaterHazard
from simulator.incidents.plan import IncidentPlan
from simulator.physics.base import Disturbance, PhysicsFrame
from simulator.physics.fire.network import BuildingNetwork

MINUTE_MS = 60_000
NODES = [
    ("J1", "water", "junction", 0.0),
    ("J2", "water", "junction", 100.0),
    ("FU", "flood", "underpass", 40.0),
    ("FM", "flood", "manhole", 900.0),
    ("FG", "flood", "rain_gauge", 0.0),
    ("FR", "flood", "river_gauge", 500.0),
    ("GA", "gas", "junction", 0.0),
    ("GB", "gas", "junction", 100.0),
    ("GM", "gas", "manhole_space", 60.0),
    ("GW", "gas", "valve_well", 300.0),
    ("H1", "fire", "high_rise", 10.0),
]
LINKS = [
    ("WP", "water", "pipe", "J1", "J2"),
    ("PU", "water", "pump", "J1", "J2"),
    ("FP", "flood", "pump", "FU", "FM"),
    ("GP", "gas", "pipe", "GA", "GB"),
]


def the_city() -> City:
    nodes: list[Row] = [
        {"id": name, "domain": domain, "kind": kind, "area": "D1", "x_m": x_m, "y_m": 0.0}
        | {"base_demand_m3_h": 1.0}
        for name, domain, kind, x_m in NODES
    ]
    links: list[Row] = [
        {"id": name, "domain": domain, "kind": kind, "area": "D1", "from_node": a, "to_node": b}
        for name, domain, kind, a, b in LINKS
    ]
    areas: list[Row] = [{"id": "D1", "name": "One", "x_m": 0.0, "y_m": 0.0}]
    return City.of_rows("c", "C", {"nodes": nodes, "links": links, "areas": areas})


@dataclass
class Noting:
    """A network of one domain that notes disturbances and shows what the test sets."""

    domain: str
    node: dict[str, dict[str, float]] = field(default_factory=dict)
    outflow: float = 0.0
    applied: list[tuple[str, str, float]] = field(default_factory=list)
    asked_ms: int = 0

    @property
    def node_ids(self) -> tuple[str, ...]:
        return tuple(name for name, domain, *_ in NODES if domain == self.domain)

    @property
    def link_ids(self) -> tuple[str, ...]:
        return tuple(name for name, domain, *_ in LINKS if domain == self.domain)

    def begin(self, until_ms: int) -> None:
        self.asked_ms = until_ms

    def finish(self) -> PhysicsFrame:
        return self.step(self.asked_ms)

    def step(self, until_ms: int) -> PhysicsFrame:
        columns = {
            quantity: np.array([values.get(node, 0.0) for node in self.node_ids])
            for quantity, values in self.node.items()
        }
        return PhysicsFrame(until_ms, columns, {}, {})

    def apply(self, disturbance: Disturbance) -> None:
        self.applied.append((disturbance.kind, disturbance.element, disturbance.amount))

    def leak_outflow(self, element: str) -> float:
        return self.outflow

    def take_state(self, other: "Noting") -> PhysicsFrame:
        return self.step(other.asked_ms)

    def close(self) -> None:
        """Nothing to free."""


class Town:
    """One hazard of each domain on noting networks."""

    def __init__(self, wind_m_s: float = 0.0) -> None:
        city = the_city()
        self.elements = Elements(city)
        self.water = Noting("water", {"pressure": {"J1": 0.3, "J2": 0.3}})
        self.twin = Noting("water", {"pressure": {"J1": 0.3, "J2": 0.3}})
        self.flood = Noting("flood", {"ponding_depth": {}, "rainfall": {}})
        self.gas = [Noting("gas", {"methane": {}, "methane_lel": {}})]
        text = '{"buildings": [{"id": "H1", "feed": "J2", "height_m": 50, "tank_m3": 30}]}'
        self.fire = BuildingNetwork(text, 0)
        self.hazards = {
            "water": WaterHazard(city, self.water, self.twin, 0),
            "flood": FloodHazard(self.elements, self.flood, 0),
            "gas": GasHazard(self.elements, self.another_gas, 0),
            "fire": FireHazard(self.elements, self.fire, 0),
        }
        self.table = HazardTable(self.hazards, self.elements, wind_m_s)

    def another_gas(self, start_ms: int) -> Noting:
        self.gas.append(Noting("gas", self.gas[0].node))
        return self.gas[-1]

    def happen(self, plan: IncidentPlan) -> None:
        for _, domain, disturbance in self.table.schedule(plan):
            self.table.happen(plan, domain, disturbance)


def cut(element: str = "D1", name: str = "C") -> IncidentPlan:
    return IncidentPlan(name, TrueKind.POWER_CUT, element, 0)


def test_a_power_cut_in_an_area_stops_the_pumps_of_all_domains_and_starts_them_again() -> None:
    town = Town()
    plan = IncidentPlan("C", TrueKind.POWER_CUT, "D1", 0, duration_ms=5)
    assert [(after, domain, item.kind, item.element) for after, domain, item in
            town.table.schedule(plan)] == [
        (0, "flood", "pump_off", "FP"),
        (0, "water", "pump_off", "PU"),
        (5, "flood", "pump_on", "FP"),
        (5, "water", "pump_on", "PU"),
    ]  # fmt: skip
    assert town.table.domain_of(plan) == "flood"
    assert town.table.severity(plan) is Level.BLUE


def test_a_failed_pump_stays_off_when_the_power_comes_back() -> None:
    town = Town()
    failure = IncidentPlan("F", TrueKind.DRAIN_PUMP_FAILURE, "FP", 0)
    town.happen(cut("FP"))
    town.happen(failure)
    town.table.happen(cut("FP"), "flood", Disturbance("pump_on", "FP"))
    assert town.flood.applied == [("pump_off", "FP", 0.0)] * 2
    assert town.table.act(Act.START_PUMP, "FP", None)
    assert town.flood.applied[-1] == ("pump_on", "FP", 0.0)


def test_without_power_a_crew_brings_a_mobile_pump_or_says_it_cannot() -> None:
    town = Town()
    town.happen(cut())
    assert not town.table.act(Act.START_PUMP, "FP", None)
    assert town.flood.applied[-1] == ("mobile_pump", "FU", 500.0)
    with pytest.raises(InjectionError, match="pump PU has no power"):
        town.table.act(Act.RESTART_PUMP, "PU", None)


def test_a_power_cut_needs_a_pump() -> None:
    town = Town()
    town.table.check(cut("PU"))
    with pytest.raises(InjectionError, match="'D9' is neither; areas with pumps: D1"):
        town.table.check(cut("D9"))


def test_an_incident_needs_its_network() -> None:
    elements = Elements(the_city())
    table = HazardTable({"water": Town().hazards["water"]}, elements)
    plan = IncidentPlan("G", TrueKind.GAS_PINHOLE, "GP", 0, amount=5.0)
    with pytest.raises(InjectionError, match="needs a gas network, and this city has water"):
        table.check(plan)


def test_a_river_needs_no_element() -> None:
    town = Town()
    plan = IncidentPlan("R", TrueKind.RIVER_HIGH, "", 0, amount=1.0)
    town.table.check(plan)
    assert town.elements.of_plan(plan).id == "FR"
    town.happen(plan)
    assert town.flood.applied == [("river", "", 1.0)]


def test_a_burst_pours_into_the_nearest_drain_until_it_ends() -> None:
    town = Town()
    coupling = BurstIntoStreet(town.hazards["water"], town.hazards["flood"], town.elements, 0.0)
    coupling.carry()
    town.hazards["water"].apply(Disturbance("leak", "WP", 60.0))
    for outflow in (60.0, 60.1, 80.0, 4.0, 4.0):
        town.water.outflow = outflow
        coupling.carry()
    assert town.flood.applied == [
        ("inflow", "FU", 60.0),
        ("inflow", "FU", 80.0),
        ("inflow", "FU", 0.0),
    ]


def test_a_storm_brings_wind_over_the_gas() -> None:
    town = Town(wind_m_s=2.0)
    assert town.gas[1].applied == [("wind", "", 2.0)]
    coupling = StormWind(town.hazards["flood"], town.hazards["gas"], town.elements, 2.0)
    for minute, fallen_mm in enumerate((0.0, 1.0, 2.0, 2.0), start=1):
        town.flood.node["rainfall"]["FG"] = fallen_mm
        town.hazards["flood"].begin(minute * MINUTE_MS)
        town.hazards["flood"].finish(minute * MINUTE_MS)
        coupling.carry()
    assert [amount for *_, amount in town.gas[1].applied] == [2.0, 6.8, 2.0]
    assert town.hazards["gas"].states.is_calm


def test_roof_tanks_are_fed_by_the_pressure_at_their_node() -> None:
    town = Town()
    town.water.node["pressure"]["J2"] = 0.01
    town.hazards["water"].finish(MINUTE_MS)
    MainsToRoof(town.hazards["water"], town.hazards["fire"], town.elements, 0.0).carry()
    town.fire.apply(Disturbance("drain", "H1", 10.0))
    frame = town.fire.step(60 * MINUTE_MS)
    assert frame.balance["make_up"] == 0.0
    assert frame.node["water_level"][0] == pytest.approx(20.0 / 30.0 * 2.0)


def test_gas_is_solved_once_until_something_disturbs_it() -> None:
    town = Town()
    gas = town.hazards["gas"]
    gas.finish(MINUTE_MS)
    assert len(town.gas) == 2
    gas.apply(Disturbance("leak", "GP", 5.0))
    gas.finish(2 * MINUTE_MS)
    assert len(town.gas) == 3
    assert not gas.states.is_calm
    assert town.gas[2].applied == [("wind", "", 0.0)]
    assert gas.states.undisturbed.time_ms == 2 * MINUTE_MS


@pytest.mark.parametrize(
    ("outflow", "vol", "lel", "level"),
    [
        (1.0, 0.2, 0.0, Level.BLUE),
        (5.0, 0.2, 0.0, Level.YELLOW),
        (1.0, 2.5, 0.0, Level.ORANGE),
        (1.0, 0.0, 50.0, Level.RED),
    ],
)
def test_a_gas_leak_is_as_bad_as_its_outflow_or_the_worst_space(
    outflow: float, vol: float, lel: float, level: Level
) -> None:
    town = Town()
    network, gas = town.gas[1], town.hazards["gas"]
    network.node["methane"]["GM"], network.node["methane_lel"]["GW"] = vol, lel
    network.outflow = outflow
    gas.finish(MINUTE_MS)
    assert gas.severity(IncidentPlan("G", TrueKind.GAS_PINHOLE, "GP", 0, amount=5.0)) is level
    assert gas.severity(IncidentPlan("B", TrueKind.BIOGAS, "GM", 0, amount=5.0)) is Level.BLUE


def test_harm_of_gas_is_where_the_air_can_explode() -> None:
    town = Town()
    gas = town.hazards["gas"]
    gas.apply(Disturbance("leak", "GP", 5.0))
    town.gas[1].node["methane"]["GM"], town.gas[1].node["methane_lel"]["GW"] = 4.9, 100.0
    gas.finish(MINUTE_MS)
    assert gas.harm().tolist() == [[300.0, 0.0]]


def test_a_well_opened_unmended_leaks_again_and_mended_not() -> None:
    town = Town()
    gas, network = town.hazards["gas"], town.gas[1]
    gas.apply(Disturbance("well_leak", "GW", 3.0))
    for act in (Act.ISOLATE, Act.RESTORE, Act.ISOLATE, Act.REPAIR, Act.RESTORE):
        town.table.act(act, "GW", None)
    assert network.applied == [
        ("well_leak", "GW", 3.0),
        ("well_leak", "GW", 0.0),
        ("well_leak", "GW", 3.0),
        ("well_leak", "GW", 0.0),
        ("repair", "GW", 0.0),
    ]


SUBJECTS = [
    (Act.VENTILATE, "gas", ["GM", "GW"]),
    (Act.ISOLATE, "gas", ["GW", "GP"]),
    (Act.START_PUMP, "flood", ["FP", "FU"]),
    (Act.CLOSE_ROAD, "flood", ["FU"]),
    (Act.CLEAR_INLET, "flood", ["FU"]),
    (Act.RESTORE, "fire", ["H1"]),
    (Act.VENTILATE, "rain", []),
]


@pytest.mark.parametrize(("act", "domain", "fitting"), SUBJECTS)
def test_acts_are_done_to_the_targets_they_fit(act: Act, domain: str, fitting: list[str]) -> None:
    targets = {"gas": ["GM", "GW", "GP", "X"], "flood": ["FP", "FU"]}.get(domain, ["H1"])
    assert Town().table.subjects(act, targets, domain) == fitting


def test_what_stands_deep_blocks_the_way_until_it_is_gone() -> None:
    town = Town()
    flood = town.hazards["flood"]
    for depth_cm, blocked, is_dry in ((31.0, [[40.0, 0.0]], False), (1.0, [], True)):
        town.flood.node["ponding_depth"]["FU"] = depth_cm
        flood.begin(1)
        flood.finish(1)
        assert town.table.blocked().tolist() == blocked
        assert town.table.is_dry("FU") is is_dry


def test_a_burst_pipe_is_mended_and_a_shut_one_only_opened() -> None:
    town = Town()
    burst = TrueIncident("B", TrueKind.BURST, True, "water", "D1", "WP", 0, 0, Level.BLUE, 0, {})
    assert town.table.act(Act.REPAIR, "WP", burst)
    shut = TrueIncident(
        "V", TrueKind.VALVE_CLOSURE, True, "water", "D1", "WP", 0, 0, Level.BLUE, 0, {}
    )
    assert town.table.act(Act.REPAIR, "WP", shut)
    assert town.water.applied == [("repair", "WP", 0.0)]
    with pytest.raises(InjectionError, match="there is no element 'X'"):
        town.table.act(Act.REPAIR, "X", None)
