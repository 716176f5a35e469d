"""Names of places, teams and responsible bodies, as the city's tables give them."""

from dataclasses import dataclass

from pipeline.messages import Incident
from pipeline.report.words import UNKNOWN
from sensors.city import City


@dataclass(frozen=True, slots=True)
class RiskPoint:
    """What the risk-point table says of an element: who answers for it and which plan holds."""

    id: str
    responsible_body: str
    plan: str


class Gazetteer:
    """Looks up names; what the tables do not have is `not yet known`."""

    def __init__(self, city: City) -> None:
        self.city = city.name
        districts = {row["id"]: row["name"] or row["id"] for row in city.rows("districts")}
        self._areas = {
            row["id"]: (row["name"] or row["id"], districts.get(row["district"], ""))
            for row in city.rows("areas")
        }
        self._teams = {row["id"]: row["name"] or row["id"] for row in city.rows("teams")}
        self._points = {
            row["element"]: RiskPoint(
                row["id"], row["responsible_body"] or UNKNOWN, row["plan"] or UNKNOWN
            )
            for row in reversed(city.rows("risk_points"))
        }
        self._points_by_area = {
            row["area"]: self._points[row["element"]] for row in reversed(city.rows("risk_points"))
        }

    def team(self, team: str) -> str:
        """Return a team's name with its id."""
        name = self._teams.get(team, team)
        return name if name == team else f"{name} ({team})"

    def area(self, area: str) -> str:
        """Return an area's name, with its id and district where they say more."""
        name, district = self._areas.get(area, (area, ""))
        named = name if name == area else f"{name} ({area})"
        return f"{named}, {district}" if district else named

    def place(self, incident: Incident) -> str:
        """Return where an incident is held to be: area, element, coordinates."""
        location = incident.location
        near = f", near {location.candidates[0]}" if location.candidates else ""
        at = f"x {location.x_m:.0f} m, y {location.y_m:.0f} m in the city's plane"
        return f"area {self.area(incident.area)}{near} ({at})"

    def responsible(self, incident: Incident, found: str = "") -> str:
        """Return the responsible body: of the element, else of a risk point in its area."""
        for element in (found, *incident.location.candidates[:1]):
            if element in self._points:
                return self._points[element].responsible_body
        point = self._points_by_area.get(incident.area)
        return point.responsible_body if point else UNKNOWN
