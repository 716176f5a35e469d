"""Import of any EPANET file as a city with its instruments."""

import numpy as np
from numpy.typing import NDArray

from sensors.city import City, Row
from sensors.registry import Registry
from simulator.city.areas import Labels, area_name, divide
from simulator.city.drawing import Drawing, NormalDay, draw, normal_day
from simulator.city.placement import PRESSURE_SHARE, place_devices, spread_points
from simulator.physics.water.engine import EpanetEngine

PERSON_M3_DAY = 0.15
"""Water use of a person, m3 a day (proposed)."""
HOUSEHOLD_PERSONS = 3.0
"""People in a household (proposed)."""
MAIN_MM = 200.0
"""Pipes from this diameter are mains and therefore risk points (proposed)."""
LEAST_RISK_POINTS = 10

CONSEQUENCE_HOUSEHOLDS = (2_000.0, 5_000.0, 10_000.0, 30_000.0)
"""Households out of service from which C is 2, 3, 4, 5 (domain reference 3.3)."""
_DISTRICT = "X01"
_REPAIR = ("water", "inspect", "isolate", "repair", "restore", "restart_pump", "check_device")
_SEARCH = ("water", "inspect", "leak_detection", "check_device")
_TEAMS = (
    ("T01", "Water repair team 1", _REPAIR),
    ("T02", "Water repair team 2", _REPAIR),
    ("T03", "Water repair team 3", _REPAIR),
    ("T04", "Leak detection team", _SEARCH),
)
_SPEED_KM_H = 30.0
"""Mean speed of a team in town traffic (proposed)."""
_UNIT = "Water company"


def import_inp(
    text: str, city_id: str, name: str, pressure_share: float = PRESSURE_SHARE
) -> tuple[City, Registry]:
    """Return an EPANET network as a city and the registry of its instruments.

    The file is kept whole in `City.networks["water"]`, so its tanks, patterns, controls and
    rules stay in force. Ids are the file's; as in EPANET a node and a link may share one.
    Coordinates are scaled to metres by the median ratio of pipe length and drawn length.

    Args:
        text: The whole `.inp` file, in any flow unit.
        city_id: Id of the city, one topic segment.
        name: Its name for people.
        pressure_share: Share of the junctions with demand that carry a pressure device.

    Raises:
        PhysicsError: EPANET refuses the file.
    """
    with EpanetEngine(text) as engine:
        drawing, day = draw(engine), normal_day(engine)
    areas = divide(drawing)
    teams = _teams(drawing)
    rows: dict[str, list[Row]] = {
        "districts": [{"id": _DISTRICT, "name": name, **_centre(drawing, None)}],
        "areas": _areas(drawing, areas),
        "nodes": _nodes(drawing, areas),
        "links": _links(drawing, areas),
        "roads": _roads(drawing),
        "teams": teams,
        "assets": _assets(drawing, areas),
        "risk_points": _risk_points(drawing, areas, day, teams),
    }
    city = City.of_rows(city_id, name, rows, {"water": text})
    return city, place_devices(drawing, areas, day, pressure_share)


def _centre(drawing: Drawing, chosen: NDArray[np.bool_] | None) -> Row:
    rows = slice(None) if chosen is None else chosen
    return {"x_m": float(drawing.x_m[rows].mean()), "y_m": float(drawing.y_m[rows].mean())}


def _areas(drawing: Drawing, areas: Labels) -> list[Row]:
    return [
        {
            "id": area_name(label),
            "name": f"DMA {label + 1}",
            "kind": "dma",
            "district": _DISTRICT,
            **_centre(drawing, areas == label),
        }
        for label in range(int(areas.max()) + 1)
    ]


def _nodes(drawing: Drawing, areas: Labels) -> list[Row]:
    people = np.maximum(drawing.demand_m3_h, 0.0) * 24 / PERSON_M3_DAY
    return [
        {
            "id": node,
            "domain": "water",
            "kind": drawing.node_kinds[place],
            "area": area_name(int(areas[place])),
            "x_m": float(drawing.x_m[place]),
            "y_m": float(drawing.y_m[place]),
            "elevation_m": float(drawing.elevation_m[place]),
            "base_demand_m3_h": float(drawing.demand_m3_h[place]),
            "people": float(people[place]),
        }
        for place, node in enumerate(drawing.node_ids)
    ]


def _links(drawing: Drawing, areas: Labels) -> list[Row]:
    return [
        {
            "id": link,
            "domain": "water",
            "kind": drawing.link_kinds[place],
            "area": area_name(int(areas[drawing.from_node[place]])),
            "from_node": drawing.node_ids[drawing.from_node[place]],
            "to_node": drawing.node_ids[drawing.to_node[place]],
            "length_m": float(drawing.length_m[place]),
            "diameter_mm": float(drawing.diameter_mm[place]),
        }
        for place, link in enumerate(drawing.link_ids)
    ]


def _roads(drawing: Drawing) -> list[Row]:
    """Pipes lie in streets, so the pipes are the road network until a real one is given."""
    return [
        {
            "id": drawing.link_ids[place],
            "from_node": drawing.node_ids[drawing.from_node[place]],
            "to_node": drawing.node_ids[drawing.to_node[place]],
            "length_m": float(drawing.length_m[place]),
            "kind": "street",
        }
        for place in np.flatnonzero(drawing.is_link("pipe"))
    ]


def _teams(drawing: Drawing) -> list[Row]:
    junctions = np.flatnonzero(drawing.is_node("junction"))
    x_m, y_m = drawing.x_m[junctions], drawing.y_m[junctions]
    middle = int(np.argmin(np.hypot(x_m - x_m.mean(), y_m - y_m.mean())))
    places = spread_points(x_m, y_m, middle, len(_TEAMS))
    return [
        {
            "id": team,
            "name": name,
            "skills": list(skills),
            "x_m": float(x_m[places[number % len(places)]]),
            "y_m": float(y_m[places[number % len(places)]]),
            "speed_km_h": _SPEED_KM_H,
            "unit": _UNIT,
        }
        for number, (team, name, skills) in enumerate(_TEAMS)
    ]


def _assets(drawing: Drawing, areas: Labels) -> list[Row]:
    x_m, y_m = drawing.middle_m()
    nodes = [
        (drawing.node_kinds[n], drawing.node_ids[n], areas[n], drawing.x_m[n], drawing.y_m[n])
        for n in np.flatnonzero(~drawing.is_node("junction"))
    ]
    links = [
        (drawing.link_kinds[n], drawing.link_ids[n], areas[drawing.from_node[n]], x_m[n], y_m[n])
        for n in np.flatnonzero(~drawing.is_link("pipe"))
    ]
    return [
        {
            "id": f"{kind}-{element}",
            "kind": kind,
            "domain": "water",
            "area": area_name(int(area)),
            "element": element,
            "x_m": float(x),
            "y_m": float(y),
        }
        for kind, element, area, x, y in [*nodes, *links]
    ]


def _risk_points(drawing: Drawing, areas: Labels, day: NormalDay, teams: list[Row]) -> list[Row]:
    x_m, y_m = drawing.middle_m()
    pipes = np.flatnonzero(drawing.is_link("pipe"))
    size = drawing.diameter_mm[pipes] * drawing.length_m[pipes]
    largest = np.zeros(len(pipes), dtype=bool)
    largest[np.argsort(-size, kind="stable")[:LEAST_RISK_POINTS]] = True
    chosen = pipes[largest | (drawing.diameter_mm[pipes] >= MAIN_MM)]
    likelihood, consequence = _static_risk(drawing, day)
    repair = [team for team in teams if "repair" in team["skills"]]
    rows = []
    for place in chosen:
        away_m = [np.hypot(team["x_m"] - x_m[place], team["y_m"] - y_m[place]) for team in repair]
        area = area_name(int(areas[drawing.from_node[place]]))
        rows.append(
            {
                "id": f"R-{drawing.link_ids[place]}",
                "element": drawing.link_ids[place],
                "domain": "water",
                "area": area,
                "x_m": float(x_m[place]),
                "y_m": float(y_m[place]),
                "responsible_body": _UNIT,
                "custodian": f"Network section {area}",
                "status": "in service",
                "maintenance": "inspected once a year",
                "team": str(repair[int(np.argmin(away_m))]["id"]),
                "plan": "water main burst",
                "likelihood": int(likelihood[place]),
                "consequence": int(consequence[place]),
            }
        )
    return rows


def _static_risk(drawing: Drawing, day: NormalDay) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return L and C of every link.

    L is 1 to 3 by thirds of length over diameter: long and thin pipes break more often, and an
    EPANET file knows neither age nor material (proposed). C is by the households whose water
    runs through it on a normal day.
    """
    slender = drawing.length_m / np.maximum(drawing.diameter_mm, 1.0)
    likelihood = 1 + np.searchsorted(np.quantile(slender, [1 / 3, 2 / 3]), slender)
    households = day.largest_m3_h * 24 / PERSON_M3_DAY / HOUSEHOLD_PERSONS
    consequence = 1 + np.searchsorted(CONSEQUENCE_HOUSEHOLDS, households, side="right")
    return likelihood.astype(np.int64), consequence.astype(np.int64)
