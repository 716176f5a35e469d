"""Where things are in the network, and what the true value is at every device."""

import difflib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sensors.city import City
from sensors.devices.faults import Fault
from sensors.errors import RegistryError
from sensors.ground_truth import TrueIncident, TrueKind
from sensors.levels import Level
from sensors.registry import Registry
from simulator.errors import InjectionError
from simulator.incidents.plan import LEAKS, IncidentPlan
from simulator.incidents.truth import SERVICE_MPA
from simulator.physics.base import Network, PhysicsFrame

_AT_NODES = frozenset({"pressure", "water_level"})

_KINDS_OF = {
    TrueKind.BURST: ("pipe",),
    TrueKind.SLOW_LEAK: ("pipe",),
    TrueKind.VALVE_CLOSURE: ("pipe", "valve"),
    TrueKind.PUMP_TRIP: ("pump",),
    TrueKind.PUMP_SWITCH: ("pump",),
    TrueKind.DEMAND_SURGE: ("junction",),
}


class DeviceSites:
    """Reads the true value at every device out of a physics frame, as columns."""

    def __init__(self, registry: Registry, network: Network) -> None:
        nodes = {name: place for place, name in enumerate(network.node_ids)}
        links = {name: place for place, name in enumerate(network.link_ids)}
        elements = registry.texts("element")
        quantities = np.array(registry.texts("quantity"))
        self._size = len(registry)
        self._groups: list[tuple[str, bool, NDArray[np.intp], NDArray[np.intp]]] = []
        for quantity in sorted(set(quantities.tolist())):
            numbers = np.flatnonzero(quantities == quantity)
            at_nodes = quantity in _AT_NODES
            index = nodes if at_nodes else links
            lost = [registry.ids[n] for n in numbers.tolist() if elements[n] not in index]
            if lost:
                what = "nodes" if at_nodes else "links"
                raise RegistryError(
                    f"devices {', '.join(lost[:5])} watch {what} that the network does not have; "
                    "import the city again"
                )
            places = np.array([index[elements[n]] for n in numbers.tolist()], dtype=np.intp)
            self._groups.append((quantity, at_nodes, numbers, places))

    def values(self, frame: PhysicsFrame) -> NDArray[np.float64]:
        """Return one true value a device, NaN where there is none."""
        values = np.full(self._size, np.nan)
        for quantity, at_nodes, numbers, places in self._groups:
            columns = frame.node if at_nodes else frame.link
            values[numbers] = columns[quantity][places]
        return values


class Elements:
    """Where the network's elements are, what touches what, and who has water.

    As in EPANET a node and a link may share an id, so each has its own tables.
    """

    def __init__(self, city: City, network: Network) -> None:
        nodes, links = city.rows("nodes"), city.rows("links")
        at = {row["id"]: (row["x_m"], row["y_m"]) for row in nodes}
        self._nodes = {
            row["id"]: _Element(row["kind"], row["area"], *at[row["id"]]) for row in nodes
        }
        self._links: dict[str, _Element] = {}
        self._ends: dict[str, tuple[str, str]] = {}
        self._at_node: dict[str, list[str]] = {}
        for row in links:
            ends = (row["from_node"], row["to_node"])
            (x1, y1), (x2, y2) = at[ends[0]], at[ends[1]]
            middle = ((x1 + x2) / 2, (y1 + y2) / 2)
            self._links[row["id"]] = _Element(row["kind"], row["area"], *middle)
            self._ends[row["id"]] = ends
            for end in ends:
                self._at_node.setdefault(end, []).append(row["id"])
        demand = {row["id"]: row["base_demand_m3_h"] or 0.0 for row in nodes}
        self._served = np.array([demand.get(node, 0.0) > 0 for node in network.node_ids])
        self._at = np.array([at.get(node, (np.nan, np.nan)) for node in network.node_ids])

    def place_of(self, element: str) -> tuple[float, float] | None:
        """Return the middle of a link, or the place of a node, metres; None for neither."""
        found = self._links.get(element) or self._nodes.get(element)
        return None if found is None else (found.x_m, found.y_m)

    def of_plan(self, plan: IncidentPlan) -> "_Element":
        """Return the element an incident strikes; `check` has seen that it exists."""
        return self._table(plan)[plan.element]

    def touching(self, element: str) -> list[str]:
        """Return the links that share a node with a link, in the order of their ids."""
        ends = self._ends.get(element, ())
        return sorted({link for end in ends for link in self._at_node[end]} - {element})

    def harmed(self, frame: PhysicsFrame, twin: PhysicsFrame) -> NDArray[np.float64]:
        """Return where (x, y a row) served nodes lack the service pressure they have in the twin.

        No supply counts as no pressure.
        """
        actual, normal = np.nan_to_num(frame.node["pressure"]), np.nan_to_num(twin.node["pressure"])
        places: NDArray[np.float64] = self._at[
            self._served & (actual < SERVICE_MPA) & (normal >= SERVICE_MPA)
        ]
        return places

    def check(self, plan: IncidentPlan) -> None:
        """Raise InjectionError when a plan's element cannot have such an incident."""
        self._check_size(plan)
        wanted, table = _KINDS_OF[plan.kind], self._table(plan)
        kind = table[plan.element].kind if plan.element in table else None
        if kind in wanted:
            return
        fitting = sorted(name for name, element in table.items() if element.kind in wanted)
        close = difflib.get_close_matches(plan.element, fitting, n=5) or fitting[:5]
        found = f"is a {kind}" if kind else "does not exist"
        hint = f"choose one of {len(fitting)}, such as {', '.join(close)}"
        raise InjectionError(
            f"incident {plan.id}: {plan.kind.value} needs a {' or '.join(wanted)}, but "
            f"{plan.element!r} {found}; {hint if fitting else 'this network has none'}"
        )

    def is_same(self, one: IncidentPlan, other: IncidentPlan) -> bool:
        """Return whether two incidents strike the same element."""
        return one.element == other.element and self._table(one) is self._table(other)

    def _check_size(self, plan: IncidentPlan) -> None:
        if plan.kind not in _KINDS_OF:
            known = ", ".join(kind.value for kind in _KINDS_OF)
            raise InjectionError(f"incident {plan.id}: {plan.kind.value} is none of {known}")
        sizes = {"outflow_m3_h": plan.outflow_m3_h} if plan.kind in LEAKS else {}
        if plan.kind is TrueKind.DEMAND_SURGE:
            sizes = {"factor": plan.factor}
        for name, size in sizes.items():
            if not 0.0 < size < np.inf:
                raise InjectionError(f"incident {plan.id}: {name} is {size}; use more than 0")

    def _table(self, plan: IncidentPlan) -> "dict[str, _Element]":
        return self._nodes if plan.kind is TrueKind.DEMAND_SURGE else self._links


@dataclass(frozen=True, slots=True)
class _Element:
    kind: str
    area: str
    x_m: float
    y_m: float


def fault_incident(number: int, fault: Fault, area: str, registry: Registry) -> TrueIncident:
    """Return a device or gateway fault as a decoy of the ground truth."""
    if fault.target in registry.number:
        device = registry.device(registry.number[fault.target])
    else:
        device = registry.device(int(registry.where("gateway", fault.target)[0]))
    return TrueIncident(
        id=f"F{number}",
        kind=TrueKind.DEVICE_FAULT,
        is_hazard=False,
        domain=device.domain,
        area=area,
        element=fault.target,
        x_m=device.x_m,
        y_m=device.y_m,
        level=Level.BLUE,
        onset_ms=fault.start_ms,
        detectable_ms={},
        end_ms=fault.end_ms,
        detail=f"{fault.kind.value} {fault.amount:g}",
    )
