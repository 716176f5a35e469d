"""Where the devices sit on the network: areas, distances, and who is served at which device."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from pipeline.assess.policy import AssessPolicy
from sensors.city import City
from sensors.quantities import FLOW, PRESSURE, PUMP_STATE, WATER_LEVEL
from sensors.readings import Floats, Int32s, Int64s
from sensors.registry import Registry


class Pipe(NamedTuple):
    """One link of the network: its area, its ends and its middle."""

    area: str
    from_node: int
    to_node: int
    x_m: float
    y_m: float


@dataclass(frozen=True)
class Layout:
    """Devices and network of one city, as columns.

    Attributes:
        pressure, flow, pumps, tanks: Numbers of the devices of each quantity.
        ids: Device ids by number.
        number: Device numbers by id.
        area: Area of each device.
        element: Network element of each device.
        place_m: Places of the devices, (devices, 2).
        measuring: Numbers of the pressure and flow devices, ascending.
        accuracy: Standard deviation of each device's noise.
        interval_ms: Normal sampling interval of each device.
        floor: Model error of a change that is always there; NaN for other quantities.
        node: Network node of each device (a link's first node), -1 where there is none.
        people: People at each network node.
        node_place_m: Places of the nodes, (nodes, 2).
        graph: Lengths of the links between nodes, metres.
        server: Pressure device nearest to each node along the pipes, -1 where none can be.
        links: Link id → `Pipe`, in the order of the table.
        neighbours: Area → areas that a link connects with it.
    """

    ids: tuple[str, ...]
    number: Mapping[str, int]
    area: tuple[str, ...]
    element: tuple[str, ...]
    pressure: Int32s
    flow: Int32s
    pumps: Int32s
    tanks: Int32s
    place_m: Floats
    measuring: Int64s
    accuracy: Floats
    interval_ms: Int64s
    floor: Floats
    node: Int64s
    people: Floats
    node_place_m: Floats
    graph: csr_array
    server: Int64s
    links: dict[str, Pipe]
    neighbours: dict[str, frozenset[str]]

    @classmethod
    def of(cls, registry: Registry, city: City, policy: AssessPolicy) -> "Layout":
        """Build the layout of the water devices and the water network of `city`."""
        nodes = [row for row in city.rows("nodes") if row["domain"] == "water"]
        rows = [row for row in city.rows("links") if row["domain"] == "water"]
        index = {row["id"]: number for number, row in enumerate(nodes)}
        place_m = np.array([(row["x_m"], row["y_m"]) for row in nodes]).reshape(-1, 2)
        rows = [row for row in rows if row["from_node"] in index and row["to_node"] in index]
        ends = np.array([(index[row["from_node"]], index[row["to_node"]]) for row in rows])
        ends = ends.reshape(-1, 2).astype(np.int64)
        middle_m = place_m[ends].mean(axis=1).tolist() if len(rows) else []
        links = {
            row["id"]: Pipe(row["area"], first, second, *middle)
            for row, (first, second), middle in zip(rows, ends.tolist(), middle_m, strict=True)
        }
        quantity = np.array(registry.texts("quantity"), dtype=str)
        is_water = np.array(registry.texts("domain"), dtype=str) == "water"
        numbers = {
            name: np.flatnonzero(is_water & (quantity == name)).astype(np.int32)
            for name in (PRESSURE.name, FLOW.name, PUMP_STATE.name, WATER_LEVEL.name)
        }
        element = tuple(registry.texts("element"))
        on_link = np.isin(quantity, (FLOW.name, PUMP_STATE.name)).tolist()
        node = np.array(
            [
                (links[e].from_node if e in links else -1) if linked else index.get(e, -1)
                for e, linked in zip(element, on_link, strict=True)
            ],
            np.int64,
        )
        graph = _graph(len(nodes), ends, [row["length_m"] for row in rows])
        floor = np.full(len(registry), np.nan)
        floor[numbers[PRESSURE.name]] = policy.pressure_floor_mpa
        floor[numbers[FLOW.name]] = policy.flow_floor_m3_h
        return cls(
            ids=registry.ids,
            number=registry.number,
            area=tuple(registry.texts("area")),
            element=element,
            pressure=numbers[PRESSURE.name],
            flow=numbers[FLOW.name],
            pumps=numbers[PUMP_STATE.name],
            tanks=numbers[WATER_LEVEL.name],
            place_m=np.column_stack([registry.numbers("x_m"), registry.numbers("y_m")]),
            measuring=np.flatnonzero(np.isfinite(floor)).astype(np.int64),
            accuracy=registry.numbers("accuracy"),
            interval_ms=(registry.numbers("interval_s") * 1000.0).astype(np.int64),
            floor=floor,
            node=node,
            people=np.array([row["people"] or 0.0 for row in nodes], dtype=np.float64),
            node_place_m=place_m,
            graph=graph,
            server=_nearest(graph, numbers[PRESSURE.name], node),
            links=links,
            neighbours=_neighbours([row["area"] for row in nodes], ends),
        )

    def are_near(self, one: int, other: int, distance_m: float) -> bool:
        """Return whether two devices can see one event: same or touching areas, or near by pipe."""
        area, second = self.area[one], self.area[other]
        if area == second or second in self.neighbours.get(area, frozenset()):
            return True
        if self.node[one] < 0 or self.node[other] < 0:
            return False
        reach_m = dijkstra(self.graph, directed=False, indices=self.node[one], limit=distance_m)
        return bool(np.isfinite(reach_m[self.node[other]]))


def _graph(nodes: int, ends: Int64s, length_m: list[float | None]) -> csr_array:
    """Return link lengths as a sparse graph; pumps and valves count one metre."""
    lengths = np.maximum([length or 0.0 for length in length_m], 1.0)
    graph: dict[tuple[int, int], float] = {}
    for first, second, length in zip(*ends.T.tolist(), lengths.tolist(), strict=True):
        key = (min(first, second), max(first, second))
        graph[key] = min(length, graph.get(key, np.inf))
    pairs = np.array(list(graph), dtype=np.int64).reshape(-1, 2)
    return csr_array((list(graph.values()), (pairs[:, 0], pairs[:, 1])), shape=(nodes, nodes))


def _nearest(graph: csr_array, devices: Int32s, node: Int64s) -> Int64s:
    """Return the device nearest to each node along the links, -1 where none can be reached."""
    placed = devices[node[devices] >= 0]
    nearest = np.full(graph.shape[0], -1, np.int64)
    if not len(placed):
        return nearest
    sources: NDArray[np.int32] = dijkstra(
        graph, directed=False, indices=node[placed], min_only=True, return_predecessors=True
    )[2]
    device_at = dict(zip(node[placed].tolist(), placed.tolist(), strict=True))
    reached = sources >= 0
    nearest[reached] = [device_at[source] for source in sources[reached].tolist()]
    return nearest


def _neighbours(area: list[str], ends: Int64s) -> dict[str, frozenset[str]]:
    """Return which areas a link connects."""
    touching: dict[str, set[str]] = {}
    for first, second in ends.tolist():
        one, other = area[first], area[second]
        if one != other:
            touching.setdefault(one, set()).add(other)
            touching.setdefault(other, set()).add(one)
    return {one: frozenset(others) for one, others in touching.items()}
