"""Where a team looks: the incident's candidates first, then the elements around them."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np

from pipeline.dispatch.cases import Case
from pipeline.dispatch.plans import PlanStep
from pipeline.dispatch.routing import Place, Places
from sensors.city import City
from sensors.field import Act

_SPACES = frozenset({"manhole_space", "valve_well", "station", "tunnel"})
_ROADS = frozenset({"road", "underpass"})
_KINDS: Mapping[Act, frozenset[str]] = MappingProxyType(
    {Act.VENTILATE: _SPACES, Act.CLOSE_ROAD: _ROADS, Act.REOPEN: _ROADS}
)
"""Kinds of element an act is done on, where it is not done on any candidate."""


class Search:
    """Chooses the targets of orders."""

    def __init__(self, city: City, places: Places) -> None:
        self._links = sorted((row for row in city.rows("links")), key=lambda row: str(row["id"]))
        middles = [places.of(row["id"], (np.inf, np.inf)) for row in self._links]
        self._xy = np.array(middles, dtype=np.float64).reshape(-1, 2)
        self._pumps = {row["id"] for row in self._links if row["kind"] == "pump"}
        self._rows: dict[tuple[str, bool], list[int]] = {}
        for number, row in enumerate(self._links):
            kind = row["domain"], row["id"] in self._pumps
            self._rows.setdefault(kind, []).append(number)
        self._kind = {row["id"]: row["kind"] for row in city.rows("nodes")}
        self._gas = {row["id"] for row in self._links if row["domain"] == "gas"}
        self._gas |= {name for name, kind in self._kind.items() if kind == "valve_well"}

    def is_pump(self, element: str) -> bool:
        """Return whether an element is a pump."""
        return element in self._pumps

    def can_leak_gas(self, element: str) -> bool:
        """Return whether an element is a gas pipe or a valve well."""
        return element in self._gas

    def acts(self, step: PlanStep, targets: Sequence[str]) -> tuple[Act, ...]:
        """Return the acts of a step that can be done at its targets: only spaces are aired."""
        kinds = {self._kind.get(item) for item in targets}
        return tuple(act for act in step.acts if act is not Act.VENTILATE or kinds & _SPACES)

    def targets(self, case: Case, step: PlanStep, given: int = 0) -> tuple[str, ...]:
        """Return the elements for the next order of a step, in the order to search them.

        What the field found comes first, then candidates not tried yet, most likely first. The
        lead goes on to the nearest other elements when no candidate is left. A supporting team
        starts from the least likely end; `given` teams before it have taken theirs.
        """
        left = [item for item in case.incident.location.candidates if item not in case.tried]
        if len(step.acts) == 1 and step.acts[0] in _KINDS:
            fit = [item for item in left if self._kind.get(item) in _KINDS[step.acts[0]]]
            return tuple(fit[: step.targets])
        if case.found:
            left = [case.found, *(item for item in left if item != case.found)]
        if step.search == "far_first":
            backwards = left[::-1]
            start = given * step.targets
            return tuple(backwards[start : start + step.targets] or backwards[: step.targets])
        if not left:
            left = self._around(case, step)
        return tuple(left[: step.targets])

    def _around(self, case: Case, step: PlanStep) -> list[str]:
        incident = case.incident
        place: Place = incident.location.x_m, incident.location.y_m
        wants_pump = Act.RESTART_PUMP in step.acts
        rows = np.array(self._rows.get((incident.domain, wants_pump), []), dtype=np.intp)
        metres = np.hypot(*(self._xy[rows] - np.asarray(place)).T)
        nearest: list[str] = []
        for row in rows[np.argsort(metres, kind="stable")].tolist():
            link = self._links[row]
            if link["id"] not in case.tried:
                nearest.append(link["id"])
            if len(nearest) == step.targets:
                break
        return nearest
