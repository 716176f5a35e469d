"""Areas and instruments: connected, sized, covered, spread, with limits that fit the place."""

import math

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensors import devices as catalogue
from sensors.devices import device_kind
from sensors.devices.water import KINDS
from sensors.errors import RegistryError
from sensors.quantities import QUANTITIES
from sensors.registry import Registry, check_digit
from simulator.city.areas import NODES_PER_AREA, area_name, divide
from simulator.city.drawing import Drawing, NormalDay
from simulator.city.placement import (
    DEVICES_PER_GATEWAY,
    LATE_EVERY,
    place_devices,
    spread_points,
)


def ladder(rungs: int, served_every: int = 1) -> Drawing:
    """Return a two-wide street grid with a reservoir and a pump at one end, a tank at the other."""
    junctions = 2 * rungs
    names = [f"J{n}" for n in range(junctions)]
    place = np.arange(junctions)
    ends = [(n, n + 2) for n in range(junctions - 2)] + [(n, n + 1) for n in range(0, junctions, 2)]
    ends += [(junctions, 0), (junctions + 1, junctions - 1)]
    return Drawing(
        node_ids=(*names, "R", "TK"),
        node_kinds=("junction",) * junctions + ("reservoir", "tank"),
        x_m=np.array([*(place // 2 * 100.0), -50.0, rungs * 100.0]),
        y_m=np.array([*(place % 2 * 100.0), 0.0, 100.0]),
        elevation_m=np.zeros(junctions + 2),
        demand_m3_h=np.array([*np.where(place % served_every == 0, 1.0, 0.0), 0.0, 0.0]),
        link_ids=(*(f"P{n}" for n in range(len(ends) - 2)), "PU", "PT"),
        link_kinds=("pipe",) * (len(ends) - 2) + ("pump", "pipe"),
        from_node=np.array([a for a, _ in ends]),
        to_node=np.array([b for _, b in ends]),
        length_m=np.full(len(ends), 100.0),
        diameter_mm=np.full(len(ends), 150.0),
    )


def day(drawing: Drawing, lowest_mpa: float = 0.3, largest_m3_h: float = 30.0) -> NormalDay:
    return NormalDay(
        np.full(len(drawing.node_ids), lowest_mpa), np.full(len(drawing.link_ids), largest_m3_h)
    )


def placed(drawing: Drawing, share: float = 0.2, lowest_mpa: float = 0.3) -> Registry:
    return place_devices(drawing, divide(drawing), day(drawing, lowest_mpa), share)


def street_graph(drawing: Drawing) -> nx.Graph:
    graph = nx.Graph()
    graph.add_nodes_from(range(len(drawing.node_ids)))
    graph.add_edges_from(zip(drawing.from_node.tolist(), drawing.to_node.tolist(), strict=True))
    return graph


@settings(max_examples=30)
@given(rungs=st.integers(3, 150), seed=st.integers(0, 5))
def test_every_area_is_connected_and_areas_are_about_fifty_nodes(rungs: int, seed: int) -> None:
    drawing = ladder(rungs)
    lengths = 50.0 + 100.0 * np.abs(np.sin(np.arange(len(drawing.link_ids)) * (seed + 1.0)))
    drawing.length_m[:] = lengths
    labels = divide(drawing)
    nodes = len(labels)
    graph = street_graph(drawing)
    count = int(labels.max()) + 1
    assert count == (1 if nodes < 40 else max(2, round(nodes / NODES_PER_AREA)))
    for label in range(count):
        inside = np.flatnonzero(labels == label).tolist()
        assert nx.is_connected(graph.subgraph(inside))
        assert len(inside) >= min(nodes, 12)


def test_parts_that_nothing_connects_become_areas_of_their_own() -> None:
    drawing = ladder(10)
    kept = (drawing.from_node >= 10) == (drawing.to_node >= 10)
    apart = Drawing(
        **{
            **{name: getattr(drawing, name) for name in Drawing.__dataclass_fields__},
            "link_ids": tuple(np.array(drawing.link_ids)[kept]),
            "link_kinds": tuple(np.array(drawing.link_kinds)[kept]),
            "from_node": drawing.from_node[kept],
            "to_node": drawing.to_node[kept],
            "length_m": drawing.length_m[kept],
            "diameter_mm": drawing.diameter_mm[kept],
        }
    )
    labels = divide(apart)
    parts = list(nx.connected_components(street_graph(apart)))
    assert len(parts) > 1
    for part in parts:
        assert len({int(labels[node]) for node in part}) == 1
    assert int(labels.max()) + 1 == len(parts)


def test_area_numbers_follow_the_order_of_the_nodes() -> None:
    labels = divide(ladder(80))
    _, first = np.unique(labels, return_index=True)
    assert first.tolist() == sorted(first.tolist())
    assert [area_name(0), area_name(11), area_name(99)] == ["D01", "D12", "D100"]


@settings(max_examples=30)
@given(rungs=st.integers(3, 90), share=st.floats(0.0, 1.0), served_every=st.integers(1, 4))
def test_pressure_devices_cover_every_area_and_the_asked_share(
    rungs: int, share: float, served_every: int
) -> None:
    drawing = ladder(rungs, served_every)
    registry = placed(drawing, share)
    numbers = registry.where("kind", "network_pressure")
    elements = [registry.texts("element")[n] for n in numbers]
    areas = [registry.texts("area")[n] for n in numbers]
    labels = divide(drawing)
    assert len(set(elements)) == len(elements) >= 4
    for label in range(int(labels.max()) + 1):
        served = int(((labels == label) & (drawing.demand_m3_h > 0)).sum())
        here = areas.count(area_name(label))
        assert here >= max(2, round(share * served))


def test_pressure_devices_go_to_junctions_with_demand() -> None:
    drawing = ladder(30, served_every=3)
    demand = dict(zip(drawing.node_ids, drawing.demand_m3_h.tolist(), strict=True))
    registry = placed(drawing)
    for number in registry.where("kind", "network_pressure"):
        assert demand[registry.device(int(number)).element] > 0


def test_the_critical_point_of_every_area_carries_a_device() -> None:
    drawing = ladder(60)
    labels = divide(drawing)
    normal = day(drawing)
    for label in range(int(labels.max()) + 1):
        served = np.flatnonzero((labels == label) & (drawing.demand_m3_h > 0))
        normal.lowest_mpa[served[len(served) // 2]] = 0.21
    registry = place_devices(drawing, labels, normal)
    watched = set(registry.texts("element"))
    for node in np.flatnonzero(normal.lowest_mpa == 0.21):
        assert drawing.node_ids[node] in watched


def test_flow_is_metered_at_borders_pumps_and_sources_and_nowhere_else() -> None:
    drawing = ladder(60)
    labels = divide(drawing)
    registry = placed(drawing)
    crossing = labels[drawing.from_node] != labels[drawing.to_node]
    expected = {drawing.link_ids[n] for n in np.flatnonzero(crossing)} | {"PU", "PT"}
    metered = {registry.texts("element")[n] for n in registry.where("kind", "dma_flow")}
    assert crossing.any()
    assert metered == expected


def test_tanks_and_pumps_are_watched() -> None:
    registry = placed(ladder(10))
    watched = {
        kind: [registry.texts("element")[n] for n in registry.where("kind", kind)]
        for kind in ("tank_level", "pump_state")
    }
    assert watched == {"tank_level": ["TK"], "pump_state": ["PU"]}


@settings(max_examples=20)
@given(largest=st.floats(0.0, 20_000.0))
def test_meters_have_room_for_twice_the_normal_flow_and_more(largest: float) -> None:
    drawing = ladder(10)
    registry = place_devices(drawing, divide(drawing), day(drawing, largest_m3_h=largest))
    for number in registry.where("kind", "dma_flow"):
        meter = registry.device(int(number))
        assert max(3 * largest, 20.0) <= meter.range_high <= max(7.6 * largest, 50.0)
        assert meter.range_low == -meter.range_high
        assert meter.accuracy == pytest.approx(0.003 * meter.range_high)


@pytest.mark.parametrize(("lowest_mpa", "limit"), [(0.30, 0.14), (0.10, 0.085), (-0.01, math.nan)])
def test_own_alarm_limit_lies_below_the_normal_pressure_of_the_place(
    lowest_mpa: float, limit: float
) -> None:
    registry = placed(ladder(10), lowest_mpa=lowest_mpa)
    for number in registry.where("kind", "network_pressure"):
        found = registry.device(int(number)).alarm_low
        assert found == pytest.approx(limit, nan_ok=True)


def test_every_third_flow_device_sends_late_batches() -> None:
    registry = placed(ladder(120))
    flow = registry.where("kind", "dma_flow")
    uploads = registry.numbers("upload_s")[flow]
    assert len(flow) >= LATE_EVERY
    assert (uploads > 0).sum() == len(flow) // LATE_EVERY
    others = np.setdiff1d(np.arange(len(registry)), flow)
    assert (registry.numbers("upload_s")[others] == 0).all()


def test_a_gateway_serves_one_area_and_at_most_fifty_devices() -> None:
    registry = placed(ladder(60), share=1.0)
    pairs = list(zip(registry.texts("gateway"), registry.texts("area"), strict=True))
    gateways = [gateway for gateway, _ in pairs]
    assert max(gateways.count(gateway) for gateway in gateways) <= DEVICES_PER_GATEWAY
    assert len(set(pairs)) == len(set(gateways)) > len(set(registry.texts("area")))
    assert all(gateway.isascii() and "/" not in gateway for gateway in gateways)


def test_device_ids_are_ordered_and_carry_a_right_check_digit() -> None:
    registry = placed(ladder(60))
    for device in registry.ids:
        body, digit = device.rsplit("-", 1)
        assert check_digit(body) == int(digit)
    assert list(registry.texts("area")) == sorted(registry.texts("area"))


def test_placement_is_deterministic() -> None:
    one, other = (str(placed(ladder(70)).table.to_pylist()) for _ in range(2))
    assert one == other


def test_spread_points_are_farthest_first_and_never_twice() -> None:
    x_m, y_m = np.array([0.0, 1.0, 10.0, 10.0]), np.zeros(4)
    assert spread_points(x_m, y_m, 0, 2) == [0, 2]
    assert sorted(spread_points(x_m, y_m, 0, 9)) == [0, 1, 2, 3]


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
def test_data_sheets_are_consistent(kind: catalogue.DeviceKind) -> None:
    assert kind.quantity in QUANTITIES
    assert kind.range_low < kind.range_high
    assert 0 <= kind.accuracy < kind.range_high
    assert 0 < kind.alarm_interval_s <= kind.interval_s
    assert 0 < kind.max_step <= kind.range_high
    assert kind.source


class _Entry:
    def load(self) -> object:
        return KINDS


def test_kinds_are_found_by_name_and_unknown_ones_are_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(catalogue, "entry_points", lambda group: [_Entry()])
    assert device_kind("tank_level") is KINDS["tank_level"]
    with pytest.raises(RegistryError, match=r"'tank'; known: dma_flow, network_pressure"):
        device_kind("tank")
