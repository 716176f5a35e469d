"""Where a team looks: the incident's candidates first, then the elements around them."""

import numpy as np

from pipeline.dispatch.cases import Case
from pipeline.dispatch.plans import PlanStep
from pipeline.dispatch.routing import Place, Places
from sensors.city import City
from sensors.field import Act


class Search:
    """Chooses the targets of orders."""

    def __init__(self, city: City, places: Places) -> None:
        self._links = sorted((row for row in city.rows("links")), key=lambda row: str(row["id"]))
        middles = [places.of(row["id"], (np.inf, np.inf)) for row in self._links]
        self._xy = np.array(middles, dtype=np.float64).reshape(-1, 2)
        self._pumps = {row["id"] for row in self._links if row["kind"] == "pump"}

    def is_pump(self, element: str) -> bool:
        """Return whether an element is a pump."""
        return element in self._pumps

    def targets(self, case: Case, step: PlanStep, given: int = 0) -> tuple[str, ...]:
        """Return the elements for the next order of a step, in the order to search them.

        What the field found comes first, then candidates not tried yet, most likely first. The
        lead goes on to the nearest other elements when no candidate is left. A supporting team
        starts from the least likely end; `given` teams before it have taken theirs.
        """
        left = [item for item in case.incident.location.candidates if item not in case.tried]
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
        metres = np.hypot(*(self._xy - np.asarray(place)).T)
        wants_pump = Act.RESTART_PUMP in step.acts
        nearest: list[str] = []
        for row in np.argsort(metres, kind="stable"):
            link = self._links[int(row)]
            is_wanted = link["domain"] == incident.domain and wants_pump == self.is_pump(link["id"])
            if is_wanted and link["id"] not in case.tried:
                nearest.append(link["id"])
            if len(nearest) == step.targets:
                break
        return nearest
