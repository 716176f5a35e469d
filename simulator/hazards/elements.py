"""Where the elements of all networks are, what touches what, and what an incident can strike."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sensors.city import City
from sensors.ground_truth import TrueKind
from simulator.errors import InjectionError
from simulator.incidents.plan import LEAKS, IncidentPlan
from simulator.incidents.strikes import STRIKES, Strike

_SIZED = {
    TrueKind.DEMAND_SURGE: "factor",
    TrueKind.GAS_PINHOLE: "amount",
    TrueKind.GAS_STRIKE: "amount",
    TrueKind.GAS_WELL_LEAK: "amount",
    TrueKind.BIOGAS: "amount",
    TrueKind.DRAIN_BLOCKAGE: "amount",
    TrueKind.RIVER_HIGH: "amount",
    TrueKind.FIRE_TANK_EMPTY: "amount",
    **dict.fromkeys(LEAKS, "outflow_m3_h"),
}
"""Kind → the field of its plan that must be more than nothing."""

_POWERED = ("water", "flood")
"""Domains whose pumps a power cut stops."""


@dataclass(frozen=True, slots=True)
class Element:
    """One element: what it is and where its middle is, metres."""

    id: str
    domain: str
    kind: str
    area: str
    x_m: float
    y_m: float


class Elements:
    """The elements of the city's networks.

    As in EPANET a node and a link may share an id, so each has its own table.
    """

    def __init__(self, city: City) -> None:
        self._nodes = _nodes(city)
        self._links, self._ends = _links(city, self._nodes)
        self._areas = {
            row["id"]: Element(row["id"], "", "area", row["id"], row["x_m"], row["y_m"])
            for row in city.rows("areas")
        }

    def get(self, element: str) -> Element | None:
        """Return a link, or else a node; None when there is neither."""
        return self._links.get(element) or self._nodes.get(element)

    def place_of(self, element: str) -> tuple[float, float] | None:
        """Return the middle of a link, or the place of a node, metres; None for neither."""
        found = self.get(element)
        return None if found is None else (found.x_m, found.y_m)

    def ends_of(self, link: str) -> tuple[str, str]:
        """Return the nodes a link joins; KeyError when there is no such link."""
        return self._ends[link]

    def of_kind(self, domain: str, *kinds: str, is_node: bool = True) -> list[Element]:
        """Return the nodes (or links) of a domain that are of one of `kinds`, by id."""
        table = self._nodes if is_node else self._links
        found = (item for item in table.values() if item.domain == domain and item.kind in kinds)
        return sorted(found, key=lambda item: item.id)

    def of_plan(self, plan: IncidentPlan) -> Element:
        """Return the element an incident strikes; `check` has seen that it exists.

        A river is high along all of it: it counts as lying at its first gauge.
        """
        if plan.kind is TrueKind.RIVER_HIGH and not plan.element:
            return self.of_kind("flood", *STRIKES[plan.kind].kinds)[0]
        return self._table(plan)[plan.element]

    def pumps_cut(self, plan: IncidentPlan) -> list[Element]:
        """Return the pumps that a power cut in an area, or at one pump, stops, by id."""
        return sorted(
            (
                item
                for item in self._links.values()
                if item.kind == "pump"
                and item.domain in _POWERED
                and plan.element in (item.id, item.area)
            ),
            key=lambda item: item.id,
        )

    def touching(self, element: str) -> list[str]:
        """Return the links that share a node with a link, in the order of their ids."""
        ends = self._ends.get(element, ())
        return sorted({link for end in ends for link in self._at_node[end]} - {element})

    def check(self, plan: IncidentPlan) -> None:
        """Raise InjectionError when a plan's element cannot have such an incident."""
        self._check_size(plan)
        if plan.kind is TrueKind.POWER_CUT:
            self._check_power(plan)
            return
        strike, table = STRIKES[plan.kind], self._table(plan)
        is_river = plan.kind is TrueKind.RIVER_HIGH and not plan.element
        if is_river and self.of_kind("flood", *strike.kinds):
            return
        found = table.get(plan.element)
        if found is not None and _fits(found, strike):
            return
        fitting = sorted(item.id for item in table.values() if _fits(item, strike))
        close = difflib.get_close_matches(plan.element, fitting, n=5) or fitting[:5]
        seen = f"is a {found.kind}" if found else "does not exist"
        hint = f"choose one of {len(fitting)}, such as {', '.join(close)}"
        raise InjectionError(
            f"incident {plan.id}: {plan.kind.value} needs a {' or '.join(strike.kinds)}, but "
            f"{plan.element!r} {seen}; {hint if fitting else 'this network has none'}"
        )

    def is_same(self, one: IncidentPlan, other: IncidentPlan) -> bool:
        """Return whether two incidents strike the same element.

        A power cut and a failure of one pump go side by side.
        """
        if (one.kind is TrueKind.POWER_CUT) is not (other.kind is TrueKind.POWER_CUT):
            return False
        return one.element == other.element and self._table(one) is self._table(other)

    @cached_property
    def _at_node(self) -> dict[str, list[str]]:
        at_node: dict[str, list[str]] = {}
        for link, ends in self._ends.items():
            for end in ends:
                at_node.setdefault(end, []).append(link)
        return at_node

    def _check_size(self, plan: IncidentPlan) -> None:
        if plan.kind not in STRIKES and plan.kind is not TrueKind.POWER_CUT:
            known = ", ".join(kind.value for kind in (*STRIKES, TrueKind.POWER_CUT))
            raise InjectionError(f"incident {plan.id}: {plan.kind.value} is none of {known}")
        name = _SIZED.get(plan.kind)
        size = 1.0 if name is None else getattr(plan, name)
        if not 0.0 < size < np.inf:
            raise InjectionError(f"incident {plan.id}: {name} is {size}; use more than 0")

    def _check_power(self, plan: IncidentPlan) -> None:
        if not self.pumps_cut(plan):
            areas = sorted(
                {item.area for item in self._links.values() if item.kind == "pump" and item.area}
            )
            hint = f"areas with pumps: {', '.join(areas[:5])}" if areas else "the city has no pump"
            raise InjectionError(
                f"incident {plan.id}: power_cut needs a pump or an area with pumps, and "
                f"{plan.element!r} is neither; {hint}"
            )

    def _table(self, plan: IncidentPlan) -> Mapping[str, Element]:
        if plan.kind is TrueKind.POWER_CUT:
            return self._areas if plan.element in self._areas else self._links
        return self._nodes if STRIKES[plan.kind].is_node else self._links


def _fits(element: Element, strike: Strike) -> bool:
    return element.domain == strike.domain and element.kind in strike.kinds


def _nodes(city: City) -> dict[str, Element]:
    table = city.tables["nodes"]
    names = ("id", "domain", "kind", "area", "x_m", "y_m")
    columns = (table.column(name).to_pylist() for name in names)
    return {
        name: Element(name, domain or "water", kind, area, x_m, y_m)
        for name, domain, kind, area, x_m, y_m in zip(*columns, strict=True)
    }


def _links(
    city: City, nodes: Mapping[str, Element]
) -> tuple[dict[str, Element], dict[str, tuple[str, str]]]:
    table = city.tables["links"]
    names = ("id", "domain", "kind", "area", "from_node", "to_node")
    columns = (table.column(name).to_pylist() for name in names)
    links, ends = {}, {}
    for name, domain, kind, area, one, two in zip(*columns, strict=True):
        x_m, y_m = (nodes[one].x_m + nodes[two].x_m) / 2, (nodes[one].y_m + nodes[two].y_m) / 2
        links[name] = Element(name, domain or "water", kind, area, x_m, y_m)
        ends[name] = (one, two)
    return links, ends
