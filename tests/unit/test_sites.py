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
from simulator.incidents.plan import IncidentPlan
from simulator.physics.base import Disturbance, PhysicsFrame
from simulator.sites import DeviceSites, Elements, fault_incident

NODES = {"1": (0.0, 0.0), "2": (100.0, 0.0), "3": (200.0, 0.0), "R": (-100.0, 0.0)}
LINKS = {"1": ("1", "2"), "2": ("2", "3"), "9": ("3", "1"), "PU": ("R", "1"), "V": ("1", "3")}
KINDS = {"PU": "pump", "V": "valve"}
DEMAND_M3_H = {"2": 5.0, "3": 5.0}
PLAN = IncidentPlan("A", TrueKind.BURST, "1", onset_ms=0, outflow_m3_h=60.0)


class StillNetwork:
    """A network of the ids above that never moves."""

    node_ids = ("3", "2", "1", "R")
    link_ids = ("V", "PU", "9", "2", "1")

    def step(self, until_ms: int) -> PhysicsFrame:
        return frame([0.3, 0.2, 0.1, 0.0])

    def apply(self, disturbance: Disturbance) -> None:
        raise AssertionError(disturbance)

    def close(self) -> None:
        """Nothing to free."""


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
    return Elements(City.of_rows("c", "C", rows), StillNetwork())


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
    values = DeviceSites(registry, StillNetwork()).values(frame([0.3, 0.2, 0.1, 0.0]))
    np.testing.assert_array_equal(values, [0.1, 4.0, 11.0, 0.3, np.nan])


@pytest.mark.parametrize(
    ("quantity", "element", "what"), [("pressure", "PU", "nodes"), ("flow", "R", "links")]
)
def test_a_device_beside_the_network_is_named(quantity: str, element: str, what: str) -> None:
    registry = Registry.of([device("a", quantity, element)])
    with pytest.raises(RegistryError, match=f"devices a watch {what} that the network does not"):
        DeviceSites(registry, StillNetwork())


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
    still = Elements(City.of_rows("c", "C", {}), StillNetwork())
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
    elements: Elements, actual: list[float], twin: list[float], places: list[list[float]]
) -> None:
    assert elements.harmed(frame(actual), frame(twin)).tolist() == places


@pytest.mark.parametrize("target", ["a", "G1"])
def test_faults_of_devices_and_gateways_are_decoys_in_the_truth(target: str) -> None:
    registry = Registry.of([device("a", "pressure", "1")])
    kind = FaultKind.BIAS if target == "a" else FaultKind.FRAME_LOSS
    truth = fault_incident(2, Fault(target, kind, 5, 9, 0.25), "D01", registry)
    assert (truth.id, truth.kind, truth.is_hazard) == ("F2", TrueKind.DEVICE_FAULT, False)
    assert (truth.element, truth.area, truth.x_m, truth.y_m) == (target, "D01", 7.0, 8.0)
    assert (truth.onset_ms, truth.end_ms, truth.level) == (5, 9, Level.BLUE)
    assert truth.detail == f"{kind.value} 0.25"
