"""Sizes of the mains of a city: flows along shortest-path trees, discrete diameters."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from simulator.city.drawing import Floats
from simulator.city.ground import Ground
from simulator.city.streets import Ints, graph_of
from simulator.city.town import DIAMETERS_MM, PERSON_L_DAY
from simulator.city.water_trunk import Supply, Trunk
from simulator.randomness import stream

SIZES_MM = (*DIAMETERS_MM, 1600, 1800, 2000, 2400)
"""Sizes mains come in."""
LEAST_TRUNK_MM = 300
"""Smallest trunk main (proposed)."""

_PEAK = 1.6
_STREET_SPEED_M_S = 0.9
_TRUNK_SPEED_M_S = 1.0
_SHARED = 0.75
_ROUGHNESS = (110.0, 140.0)


@dataclass(frozen=True)
class Mains:
    """The mains of a city, sized.

    Attributes:
        demand_l_s: Mean demand at each corner.
        street: Streets that carry a main, ascending.
        street_mm: Diameter of each of those mains.
        street_c: Hazen-Williams coefficient of each of those mains.
        trunk_mm: Diameter of each trunk main.
        trunk_c: Hazen-Williams coefficient of each trunk main.
        inlet_mm: Diameter of the inlets of each area.
        area_loss_m: Loss from the inlet to the worst corner of each area at the peak hour.
        trunk_loss_m: Loss to each trunk node from the source or the tower of its sector,
            whichever is less, at the peak hour.
    """

    demand_l_s: Floats
    street: Ints
    street_mm: Ints
    street_c: Floats
    trunk_mm: Ints
    trunk_c: Floats
    inlet_mm: Ints
    area_loss_m: Floats
    trunk_loss_m: Floats

    def one_size_up(self, ground: Ground, supply: Supply, areas: Ints) -> "Mains":
        """Return the same mains with those inside some areas one size larger."""
        here = np.isin(supply.area[ground.ends[self.street, 0]], areas)
        larger = np.minimum(np.searchsorted(SIZES_MM, self.street_mm) + 1, len(SIZES_MM) - 1)
        street_mm = np.where(here, np.array(SIZES_MM)[larger], self.street_mm)
        return replace(self, street_mm=street_mm)

    def larger_trunk(self, trunk: Trunk, sectors: Ints) -> "Mains":
        """Return the same mains with the trunk of some sectors one size larger."""
        here = np.isin(trunk.sector[trunk.ends[:, 0]], sectors)
        larger = np.minimum(np.searchsorted(SIZES_MM, self.trunk_mm) + 1, len(SIZES_MM) - 1)
        return replace(self, trunk_mm=np.where(here, np.array(SIZES_MM)[larger], self.trunk_mm))


def size_mains(ground: Ground, supply: Supply, trunk: Trunk) -> Mains:
    """Return diameters for the peak hour: 0.9 m/s in streets, 1 m/s in trunk mains."""
    random = stream(ground.seed, "water", "mains")
    demand_l_s = ground.people * PERSON_L_DAY / 86_400
    sides = supply.area[ground.ends]
    street = np.flatnonzero(sides[:, 0] == sides[:, 1])
    ends, length_m = ground.ends[street], ground.length_m[street]
    graph = graph_of(len(ground.x_m), ends, length_m)
    peak_l_s = np.zeros(len(street))
    firsts = np.array([inlets[0] for inlets in supply.inlets], dtype=np.int64)
    seconds = np.array([inlets[1] for inlets in supply.inlets if len(inlets) > 1], dtype=np.int64)
    street_c = random.uniform(*_ROUGHNESS, len(street)).round()
    for roots in (firsts, seconds):
        if len(roots):
            flow = _Tree(graph, roots).flows(ends, demand_l_s * _PEAK)
            peak_l_s = np.maximum(peak_l_s, flow)
    street_mm = _diameters(peak_l_s, _STREET_SPEED_M_S, SIZES_MM[0])
    tree = _Tree(graph, firsts)
    flow = tree.flows(ends, demand_l_s * _PEAK)
    corner_loss = tree.sums(ends, head_loss_m(flow, length_m, street_mm, street_c))
    area_loss = np.zeros(len(supply.sector))
    np.maximum.at(area_loss, supply.area, corner_loss)

    area_l_s = np.bincount(supply.area, weights=demand_l_s)
    at_inlet = np.zeros(len(trunk.corner), dtype=np.float64)
    place = np.searchsorted(trunk.corner, firsts)
    np.add.at(at_inlet, place, area_l_s * _PEAK)
    net = graph_of(len(trunk.corner), trunk.ends, trunk.length_m)
    trunk_c = random.uniform(*_ROUGHNESS, len(trunk.ends)).round()
    trees = [
        _Tree(net, np.searchsorted(trunk.corner, roots)) for roots in (supply.source, supply.tower)
    ]
    flows = [tree.flows(trunk.ends, at_inlet) for tree in trees]
    trunk_mm = _diameters(
        np.maximum(flows[0], flows[1]) * _SHARED, _TRUNK_SPEED_M_S, LEAST_TRUNK_MM
    )
    losses = [
        tree.sums(trunk.ends, head_loss_m(flow * _SHARED, trunk.length_m, trunk_mm, trunk_c))
        for tree, flow in zip(trees, flows, strict=True)
    ]
    return Mains(
        demand_l_s=demand_l_s,
        street=street,
        street_mm=street_mm,
        street_c=street_c,
        trunk_mm=trunk_mm,
        trunk_c=trunk_c,
        inlet_mm=_diameters(np.asarray(area_l_s * _PEAK, dtype=np.float64), _TRUNK_SPEED_M_S, 150),
        area_loss_m=area_loss,
        trunk_loss_m=np.minimum(losses[0], losses[1]),
    )


def head_loss_m(flow_l_s: Floats, length_m: Floats, size_mm: Ints, c: Floats) -> Floats:
    """Return the loss of pipes by Hazen-Williams, metres: 10.67 L (Q / C)^1.852 / D^4.87 in SI."""
    flow = np.abs(flow_l_s) / 1000
    size_m = size_mm / 1000
    return np.asarray(10.67 * length_m * (flow / c) ** 1.852 / size_m**4.87)


def main_mm(flow_l_s: float, speed_m_s: float = _TRUNK_SPEED_M_S) -> int:
    """Return the smallest size that carries a flow at a speed."""
    return int(_diameters(np.array([flow_l_s]), speed_m_s, SIZES_MM[0])[0])


def _diameters(flow_l_s: Floats, speed_m_s: float, least_mm: int) -> Ints:
    wanted_mm = np.sqrt(4 * flow_l_s / 1000 / (np.pi * speed_m_s)) * 1000
    places = np.searchsorted(SIZES_MM, np.maximum(wanted_mm, least_mm))
    sizes: Ints = np.array(SIZES_MM, dtype=np.int64)[np.minimum(places, len(SIZES_MM) - 1)]
    return sizes


class _Tree:
    """Shortest ways from some roots to every node they reach."""

    def __init__(self, graph: csr_array, roots: Ints) -> None:
        way, before, _ = dijkstra(
            graph, directed=False, indices=roots, return_predecessors=True, min_only=True
        )
        reached = np.flatnonzero(before >= 0)
        self._outward = reached[np.argsort(way[reached], kind="stable")]
        self._before = before.astype(np.int64)
        self._nodes = len(before)

    def flows(self, ends: Ints, demand: Floats) -> Floats:
        """Return what flows through each link when every node draws its demand."""
        carried = demand.tolist()
        before = self._before.tolist()
        for node in self._outward[::-1].tolist():
            carried[before[node]] += carried[node]
        flows = np.zeros(len(ends))
        flows[self._links(ends)] = np.array(carried)[self._outward]
        return flows

    def sums(self, ends: Ints, values: Floats) -> Floats:
        """Return the sum of link values on the way to each node."""
        total = np.zeros(self._nodes).tolist()
        before = self._before.tolist()
        own = values[self._links(ends)].tolist()
        for node, value in zip(self._outward.tolist(), own, strict=True):
            total[node] = total[before[node]] + value
        return np.array(total)

    def _links(self, ends: Ints) -> Ints:
        """Return the link by which each reached node is reached."""
        pairs = np.sort(np.column_stack((self._outward, self._before[self._outward])), axis=1)
        keys = ends[:, 0] * self._nodes + ends[:, 1]
        order = np.argsort(keys, kind="stable")
        found = np.searchsorted(keys[order], pairs[:, 0] * self._nodes + pairs[:, 1])
        links: Ints = order[found]
        return links
