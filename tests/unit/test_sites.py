"""Where elements are and what devices see, on a network whose nodes and links share ids."""

from dataclasses import replace

import numpy as np
import pytest

from sensors.city import City, Row
from sensors.devices.faults import Fault, FaultKind
from sensors.errors import RegistryError
from sensors.ground_truth import TrueKind
from sensors.levels import Level
from sensors.registry import Device, Registry
from simulator.errors import InjectionError
from simulator.hazards.base import States
from simulator.hazards.elements import Elements
from simulator.hazards.water import harmed
from simulator.incidents.plan import IncidentPlan
from simulator.physics.base import PhysicsFrame
from simulator.sites import DeviceSites, fault_incidents

NODES = {"1": (0.0, 0.0), "2": (100.0, 0.0), "3": (200.0, 0.0), "R": (-100.0, 0.0)}
LINKS = {"1": ("1", "2"), "2": ("2", "3"), "9": ("3", "1"), "PU": ("R", "1"), "V": ("1", "3")}
KINDS = {"PU": "pump", "V": "valve"}
DEMAND_M3_H = {"2": 5.0, "3": 5.0}
PLAN = IncidentPlan("A", TrueKind.BURST, "1", onset_ms=0, outflow_m3_h=60.0)


NODE_IDS, LINK_IDS = ("3", "2", "1", "R"), ("V", "PU", "9", "2", "1")
NETWORKS = {"water": (NODE_IDS, LINK_IDS)}


def frame(pressure: list[float]) -> PhysicsFrame:
    flow = np.arange(5.0)
    node = {"pressure": np.array(pressure), "water_level": np.full(4, np.nan)}
    return PhysicsFrame(0, node, {"flow": flow, "pump_state": flow + 10}, {})


def device(name: str, quantity: str, element: str) -> Device:
    return Device(
        id=name,
        kind=quantity,
        quantity=quantity,
        domain="water",
        area="D01",
        element=element,
        gateway="G1",
        x_m=7.0,
        y_m=8.0,
        interval_s=300,
        alarm_interval_s=60,
        upload_s=0,
        range_low=0.0,
        range_high=1.6,
        accuracy=0.002,
        resolution=0.0,
        alarm_low=float("nan"),
        alarm_high=float("nan"),
        max_step=0.6,
    )


@pytest.fixture
def elements() -> Elements:
    rows: dict[str, list[Row]] = {
        "nodes": [
            {"id": name, "kind": "reservoir" if name == "R" else "junction", "area": f"N{name}"}
            | {"x_m": x_m, "y_m": y_m, "base_demand_m3_h": DEMAND_M3_H.get(name)}
            for name, (x_m, y_m) in NODES.items()
        ],
        "links": [
            {"id": name, "kind": KINDS.get(name, "pipe"), "area": f"L{name}"}
            | {"from_node": ends[0], "to_node": ends[1]}
            for name, ends in LINKS.items()
        ],
    }
    return Elements(City.of_rows("c", "C", rows))


def test_values_follow_the_registry_and_the_kind_of_element() -> None:
    registry = Registry.of(
        [
            device("a", "pressure", "1"),
            device("b", "flow", "1"),
            device("c", "pump_state", "PU"),
            device("d", "pressure", "3"),
            device("e", "water_level", "R"),
        ]
    )
    sites = DeviceSites(registry, NETWORKS)
    values = sites.values({"water": frame([0.3, 0.2, 0.1, 0.0])})
    np.testing.assert_array_equal(values, [0.1, 4.0, 11.0, 0.3, np.nan])


def test_the_gap_counts_no_supply_as_no_pressure_and_is_nothing_in_a_calm() -> None:
    registry = Registry.of([device("a", "pressure", "1"), device("b", "pressure", "3")])
    sites = DeviceSites(registry, NETWORKS)
    here, normal = frame([np.nan, 0.2, 0.1, 0.0]), frame([0.4, 0.2, 0.1, 0.0])
    values = sites.values({"water": here})
    gap = sites.gap(values, {"water": States(here, normal)})
    np.testing.assert_array_equal(gap, [0.0, -0.4])
    np.testing.assert_array_equal(sites.gap(values, {"water": States(here, here)}), [0.0, 0.0])


def test_a_rain_gauge_reads_the_flood_network() -> None:
    registry = Registry.of([replace(device("r", "rainfall", "G"), domain="rain")])
    sites = DeviceSites(registry, {"flood": (("M", "G"), ())})
    rain = PhysicsFrame(0, {"rainfall": np.array([np.nan, 7.0])}, {}, {})
    np.testing.assert_array_equal(sites.values({"flood": rain}), [7.0])
    with pytest.raises(RegistryError, match="devices r watch the flood network, which this city"):
        DeviceSites(registry, NETWORKS)


@pytest.mark.parametrize(
    ("quantity", "element", "what"), [("pressure", "PU", "nodes"), ("flow", "R", "links")]
)
def test_a_device_beside_the_network_is_named(quantity: str, element: str, what: str) -> None:
    registry = Registry.of([device("a", quantity, element)])
    with pytest.raises(RegistryError, match=f"devices a watch {what} that the network does not"):
        DeviceSites(registry, NETWORKS)


def test_a_shared_id_is_the_link_for_crews(elements: Elements) -> None:
    assert elements.place_of("1") == (50.0, 0.0)
    assert elements.place_of("3") == (200.0, 0.0)
    assert elements.place_of("X") is None


def test_an_incident_strikes_the_kind_of_element_it_needs(elements: Elements) -> None:
    on_link = elements.of_plan(PLAN)
    at_node = elements.of_plan(replace(PLAN, kind=TrueKind.DEMAND_SURGE))
    assert (on_link.area, on_link.x_m) == ("L1", 50.0)
    assert (at_node.area, at_node.x_m) == ("N1", 0.0)


def test_touching_links_share_a_node(elements: Elements) -> None:
    assert elements.touching("2") == ["1", "9", "V"]
    assert elements.touching("PU") == ["1", "9", "V"]
    assert elements.touching("R") == []


@pytest.mark.parametrize(
    ("kind", "element"),
    [
        (TrueKind.BURST, "1"),
        (TrueKind.SLOW_LEAK, "9"),
        (TrueKind.VALVE_CLOSURE, "V"),
        (TrueKind.VALVE_CLOSURE, "2"),
        (TrueKind.PUMP_TRIP, "PU"),
        (TrueKind.PUMP_SWITCH, "PU"),
        (TrueKind.DEMAND_SURGE, "3"),
    ],
)
def test_fitting_elements_are_accepted(elements: Elements, kind: TrueKind, element: str) -> None:
    elements.check(replace(PLAN, kind=kind, element=element))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"element": "PU"},
            "incident A: burst needs a pipe, but 'PU' is a pump; choose one of 3, such as 1, 2, 9",
        ),
        (
            {"element": "X"},
            "incident A: burst needs a pipe, but 'X' does not exist; choose one of 3, such as",
        ),
        ({"element": "3"}, "burst needs a pipe, but '3' does not exist"),
        ({"kind": TrueKind.PUMP_TRIP}, "needs a pump, but '1' is a pipe; choose one of 1, such"),
        (
            {"kind": TrueKind.VALVE_CLOSURE, "element": "PU"},
            "valve_closure needs a pipe or valve, but 'PU' is a pump",
        ),
        (
            {"kind": TrueKind.DEMAND_SURGE, "element": "R"},
            "demand_surge needs a junction, but 'R' is a reservoir",
        ),
        ({"outflow_m3_h": 0.0}, "incident A: outflow_m3_h is 0.0; use more than 0"),
        ({"outflow_m3_h": float("nan")}, "outflow_m3_h is nan; use more than 0"),
        (
            {"kind": TrueKind.DEMAND_SURGE, "element": "3", "factor": -1.0},
            "incident A: factor is -1.0; use more than 0",
        ),
        ({"kind": TrueKind.DEVICE_FAULT}, "incident A: device_fault is none of burst, slow_leak"),
    ],
)
def test_incidents_that_do_not_fit_are_refused_with_a_way_out(
    elements: Elements, changes: dict[str, object], said: str
) -> None:
    with pytest.raises(InjectionError) as caught:
        elements.check(replace(PLAN, **changes))  # type: ignore[arg-type]
    assert said in str(caught.value)


def test_a_network_without_pumps_says_so() -> None:
    still = Elements(City.of_rows("c", "C", {}))
    with pytest.raises(InjectionError, match=r"'1' does not exist; this network has none$"):
        still.check(replace(PLAN, kind=TrueKind.PUMP_TRIP))


def test_incidents_on_a_node_and_a_link_of_one_name_are_apart(elements: Elements) -> None:
    surge = replace(PLAN, kind=TrueKind.DEMAND_SURGE)
    assert elements.is_same(PLAN, replace(PLAN, kind=TrueKind.VALVE_CLOSURE))
    assert not elements.is_same(PLAN, surge)
    assert not elements.is_same(PLAN, replace(PLAN, element="2"))


@pytest.mark.parametrize(
    ("actual", "twin", "places"),
    [
        ([0.3, 0.3, 0.3, 0.0], [0.3, 0.3, 0.3, 0.0], []),
        ([0.3, 0.139, 0.3, 0.0], [0.3, 0.3, 0.3, 0.0], [[100.0, 0.0]]),
        ([np.nan, 0.3, 0.3, 0.0], [0.3, 0.3, 0.3, 0.0], [[200.0, 0.0]]),
        ([0.3, 0.1, 0.3, 0.0], [0.3, 0.1, 0.3, 0.0], []),  # as low in the twin
        ([0.3, 0.3, 0.0, 0.0], [0.3, 0.3, 0.3, 0.3], []),  # nobody lives there
    ],
)
def test_harm_is_where_served_nodes_lose_their_service_pressure(
    actual: list[float], twin: list[float], places: list[list[float]]
) -> None:
    served = np.array([DEMAND_M3_H.get(node, 0.0) > 0 for node in NODE_IDS])
    at = np.array([NODES[node] for node in NODE_IDS])
    assert harmed(frame(actual), frame(twin), served, at).tolist() == places


@pytest.mark.parametrize("target", ["a", "G1"])
def test_faults_of_devices_and_gateways_are_decoys_in_the_truth(target: str) -> None:
    registry = Registry.of([device("a", "pressure", "1")])
    kind = FaultKind.BIAS if target == "a" else FaultKind.FRAME_LOSS
    fault = Fault(target, kind, 5, 9, 0.25)
    (_, truth), (_, other) = fault_incidents(
        [(fault, "D01"), (replace(fault, cause="mast 7"), "D01")], registry
    )
    assert (truth.id, truth.kind, truth.is_hazard) == ("F1", TrueKind.DEVICE_FAULT, False)
    assert (other.id, other.detail) == ("F2", f"{kind.value} 0.25, mast 7")
    assert (truth.element, truth.area, truth.x_m, truth.y_m) == (target, "D01", 7.0, 8.0)
    assert (truth.onset_ms, truth.end_ms, truth.level) == (5, 9, Level.BLUE)
    assert truth.detail == f"{kind.value} 0.25"
