"""Picks: which element of a certain city `{pick: main, near: B1, seed: 1}` means."""

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from typing import Any

import networkx as nx
import numpy as np

from sensors.city import City, Row
from sensors.ground_truth import TrueKind
from simulator.errors import PhysicsError, ScenarioError
from simulator.physics.gas.model import parse
from simulator.randomness import stream
from simulator.scenario.kinds import happening_kinds
from simulator.scenario.what_happens import IncidentSpec, PickSpec

_WIDTHS = {"main": (0.75, 1.0), "middle": (0.35, 0.65), "branch": (0.0, 0.25), "random": (0.0, 1.0)}
"""Which part of the pipes, sorted by diameter, a pick chooses from."""
_NEAREST = 5
"""`near` chooses among this many of the nearest elements."""
_HEARD_M = 30.0
"""Gas pipes are picked among those a space hears within this distance in the soil (proposed)."""
_POWERED = (TrueKind.PUMP_TRIP, TrueKind.PUMP_SWITCH)


class Picker:
    """Picks elements of one city; make one for all incidents of a scenario."""

    def __init__(self, city: City) -> None:
        self._city = city

    @cached_property
    def _nodes(self) -> list[Row]:
        return self._city.rows("nodes")

    @cached_property
    def _links(self) -> list[Row]:
        return self._city.rows("links")

    @cached_property
    def _places(self) -> Mapping[str, tuple[float, float]]:
        """Place of every node, link and area."""
        nodes = {row["id"]: (row["x_m"], row["y_m"]) for row in self._nodes}
        areas = {row["id"]: (row["x_m"], row["y_m"]) for row in self._city.rows("areas")}
        links = {}
        for row in self._links:
            first, last = nodes[row["from_node"]], nodes[row["to_node"]]
            links[row["id"]] = ((first[0] + last[0]) / 2, (first[1] + last[1]) / 2)
        return {**areas, **links, **nodes}

    def place_of(self, element: str) -> tuple[float, float] | None:
        """Return the place of an element or area, metres; None when there is none of that id."""
        return self._places.get(element)

    def area_of(self, element: str) -> str:
        """Return the area of an element; empty when there is none of that id."""
        for row in (*self._nodes, *self._links):
            if row["id"] == element:
                return str(row["area"] or "")
        return ""

    def pick(self, spec: IncidentSpec, near: str | None = None, taken: Collection[str] = ()) -> str:
        """Return the element an incident befalls.

        Args:
            spec: The incident; its element is a pick.
            near: Element of the incident it shall happen near to.
            taken: Elements that earlier incidents have; avoided while there are others.

        Raises:
            ScenarioError: the city has no such element.
        """
        pick = spec.element
        assert isinstance(pick, PickSpec)
        names, what = self._fitting(spec, pick.pick)
        names = [name for name in names if name not in taken] or names
        if not names:
            raise ScenarioError(f"incident {spec.id}: this city has no {what} to pick from")
        if near is not None:
            names = self._nearest(names, near)
        random = stream(pick.seed, "pick", spec.id)
        return names[int(random.integers(len(names)))]

    def _fitting(self, spec: IncidentSpec, pick: str) -> tuple[Sequence[str], str]:
        """Return the elements that fit, in a fixed order, and what they are."""
        kind, domain = spec.kind, happening_kinds()[spec.kind].domain
        if kind in _POWERED:
            return self._ids("links", "water", "pump"), "pumps"
        if kind is TrueKind.DEMAND_SURGE:
            served = [row for row in self._nodes if (row["base_demand_m3_h"] or 0.0) > 0]
            return _ids_of(served, "water", "junction"), "junctions with demand"
        if domain == "water":
            return self._water_pipes(pick), "pipes"
        if kind is TrueKind.GAS_WELL_LEAK:
            return self._ids("nodes", "gas", "valve_well"), "gas valve wells"
        if kind is TrueKind.BIOGAS:
            return self._sewers, "manhole spaces"
        if domain == "gas":
            return self._gas_pipes(pick), "gas pipes"
        if kind is TrueKind.FIRE_TANK_EMPTY:
            return self._ids("nodes", "fire", "high_rise"), "high buildings"
        return self._flood(kind, pick)

    def _flood(self, kind: TrueKind, pick: str) -> tuple[Sequence[str], str]:
        if kind is TrueKind.GATE_CLOSURE:
            return self._ids("links", "flood", "gate"), "gates"
        if kind is TrueKind.DRAIN_BLOCKAGE:
            if pick in ("road", "underpass"):
                return self._conduits_at(pick), f"conduits at a spot of kind {pick}"
            return _by_width(self._rows("links", "flood", "conduit"), pick), "conduits"
        if kind is TrueKind.POWER_CUT and pick == "random":
            pumps = [row for row in self._links if row["kind"] == "pump"]
            return sorted({str(row["area"]) for row in pumps}), "areas with pumps"
        pumps = self._rows("links", "flood", "pump")
        if pick == "underpass":
            pumps = [row for row in pumps if row["from_node"] in self._underpass_wells]
            if kind is TrueKind.POWER_CUT:
                return sorted({str(row["area"]) for row in pumps}), "areas with underpass pumps"
            return sorted(row["id"] for row in pumps), "pumps of an underpass"
        return sorted(row["id"] for row in pumps), "drainage pumps"

    @cached_property
    def _underpass_wells(self) -> set[str]:
        """Nodes that underpasses drain to, and the underpasses themselves."""
        spots = set(self._ids("nodes", "flood", "underpass"))
        drains = [row for row in self._links if row["domain"] == "flood"]
        return spots | {str(row["to_node"]) for row in drains if row["from_node"] in spots}

    def _water_pipes(self, pick: str) -> list[str]:
        junctions = set(self._ids("nodes", "water", "junction"))
        pipes = [
            row
            for row in self._rows("links", "water", "pipe")
            if {row["from_node"], row["to_node"]} <= junctions
        ]
        return _by_width(_in_loops(pipes) or pipes, pick)

    def _gas_pipes(self, pick: str) -> list[str]:
        """Return gas pipes that some space hears (all, where none is heard), by width or class."""
        pipes = self._rows("links", "gas", "pipe")
        if pick in ("lp", "mp"):
            medium = self._medium_pressure
            pipes = [row for row in pipes if (row["from_node"] in medium) == (pick == "mp")]
        heard = [row for row in pipes if row["id"] in self._heard] or pipes
        return _by_width(heard, pick if pick in _WIDTHS else "random")

    @cached_property
    def _medium_pressure(self) -> set[str]:
        """Gas nodes that a source reaches without passing a regulator."""
        graph = nx.Graph()
        graph.add_nodes_from(self._ids("nodes", "gas", "source"))
        graph.add_edges_from(
            (row["from_node"], row["to_node"]) for row in self._rows("links", "gas", "pipe")
        )
        found: set[str] = set()
        for source in self._ids("nodes", "gas", "source"):
            if source not in found:
                found |= nx.node_connected_component(graph, source)
        return found

    @cached_property
    def _heard(self) -> set[str]:
        text = self._city.networks.get("gas")
        try:
            hearing = parse(text).hearing if text else None
        except PhysicsError:
            return set()  # the world says what is wrong when it builds the network
        if hearing is None:
            return set()
        heard = zip(hearing.pipe, hearing.distance_m, strict=True)
        return {pipe for pipe, distance_m in heard if distance_m <= _HEARD_M}

    @cached_property
    def _sewers(self) -> list[str]:
        """Manhole spaces through which sewage flows (all, where none is marked)."""
        spaces = self._ids("nodes", "gas", "manhole_space")
        text = self._city.networks.get("gas")
        try:
            model = parse(text).spaces if text else None
        except PhysicsError:
            return spaces
        if model is None:
            return spaces
        marked = {name for name, is_sewer in zip(model.id, model.is_sewer, strict=True) if is_sewer}
        return [name for name in spaces if name in marked] or spaces

    def _conduits_at(self, kind: str) -> list[str]:
        """Return the conduit nearest to each spot of a kind."""
        rows = self._rows("links", "flood", "conduit")
        if not rows:
            return []
        places = np.array([self._places[row["id"]] for row in rows])
        found = set()
        for spot in self._ids("nodes", "flood", kind):
            away = np.hypot(*(places - np.array(self._places[spot])).T)
            found.add(rows[int(np.argmin(away))]["id"])
        return sorted(found)

    def _nearest(self, names: Sequence[str], near: str) -> list[str]:
        place = self._places.get(near)
        if place is None:
            return list(names)
        away = [np.hypot(x - place[0], y - place[1]) for x, y in map(self._place, names)]
        order = np.argsort(np.array(away), kind="stable")[:_NEAREST]
        return [names[int(row)] for row in order]

    def _place(self, element: str) -> tuple[float, float]:
        return self._places[element]

    def _rows(self, table: str, domain: str, kind: str) -> list[Row]:
        rows = self._nodes if table == "nodes" else self._links
        return [row for row in rows if row["domain"] == domain and row["kind"] == kind]

    def _ids(self, table: str, domain: str, kind: str) -> list[str]:
        return sorted(row["id"] for row in self._rows(table, domain, kind))


def _ids_of(rows: Sequence[Row], domain: str, kind: str) -> list[str]:
    return sorted(row["id"] for row in rows if row["domain"] == domain and row["kind"] == kind)


def _by_width(pipes: Sequence[Row], pick: str) -> list[str]:
    """Return the part of the pipes that a pick chooses from, narrow before wide."""
    ordered = sorted(pipes, key=lambda row: (row["diameter_mm"] or 0.0, row["id"]))
    low, high = _WIDTHS[pick]
    first = int(low * len(ordered))
    return [row["id"] for row in ordered[first : max(int(high * len(ordered)), first + 1)]]


def _in_loops(pipes: Sequence[Row]) -> list[Row]:
    """Return the pipes that lie in a loop: shutting one of them cuts nobody off."""
    graph: Any = nx.Graph((row["from_node"], row["to_node"]) for row in pipes)
    bridges = {frozenset(ends) for ends in nx.bridges(graph)}
    return [row for row in pipes if frozenset((row["from_node"], row["to_node"])) not in bridges]
