"""The whole city from a seed: ground, roads, services and every network on it."""

import math
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from sensors.city import City, Row
from simulator.city.drainage import lay_drainage
from simulator.city.gas_mains import lay_gas
from simulator.city.ground import Ground, corner_id, lay_ground, street_id
from simulator.city.high_rises import raise_buildings
from simulator.city.part import NetworkPart
from simulator.city.service_rates import DistrictNames, service_rates
from simulator.city.services import service_rows
from simulator.city.water_mains import lay_water

SIZES: Mapping[str, int] = MappingProxyType({"town": 1_000, "city": 10_000, "metropolis": 50_000})
"""Corners of each named size."""

_MIDDLE = 0.22


def generate_city(seed: int, corners: int, city_id: str = "city", name: str = "City") -> City:
    """Return a whole synthetic city, the same for the same seed and size.

    Args:
        seed: Decides everything random.
        corners: Street corners, at least 60; `SIZES` names three.
        city_id: Id of the city, one topic segment.
        name: Its name for people.

    Raises:
        PhysicsError: a network could not be made to work; try another seed.
    """
    ground = lay_ground(seed, corners)
    rates = service_rates()
    parts = (
        lay_water(ground),
        lay_gas(ground),
        lay_drainage(ground),
        raise_buildings(ground, rates.high_rises),
    )
    return assemble(city_id, name, ground, parts)


def assemble(city_id: str, name: str, ground: Ground, parts: tuple[NetworkPart, ...]) -> City:
    """Return ground, its services and networks as one city."""
    rates = service_rates()
    names = district_names(ground, rates.districts)
    rows: dict[str, list[Row]] = {
        "districts": _districts(ground, names),
        "areas": _areas(ground, names),
        "nodes": _corners(ground),
        "roads": _roads(ground),
        "river": _river(ground),
        **service_rows(ground, rates),
    }
    for part in parts:
        for table, added in part.rows.items():
            rows[table] = [*rows.get(table, []), *added]
    rows["risk_points"] = _with_teams(rows.get("risk_points", []), rows["teams"])
    networks = {part.domain: part.text for part in parts}
    return City.of_rows(city_id, name, rows, networks)


def district_names(ground: Ground, names: DistrictNames) -> dict[str, str]:
    """Return a name for each district: its direction from the middle of the city."""
    districts = np.array(ground.district)
    middle = float(ground.x_m.mean()), float(ground.y_m.mean())
    reach_m = math.sqrt(float(np.ptp(ground.x_m) * np.ptp(ground.y_m)))
    found: dict[str, str] = {}
    for district in sorted(set(ground.district)):
        inside = districts == district
        east = float(ground.x_m[inside].mean()) - middle[0]
        north = float(ground.y_m[inside].mean()) - middle[1]
        sector = round(math.atan2(north, east) / (math.pi / 4)) % 8
        is_middle = math.hypot(east, north) < _MIDDLE * reach_m / 2
        base = names.centre if is_middle else names.directions[sector]
        taken = set(found.values())
        number = next(n for n in range(1, 99) if (base if n == 1 else f"{base} {n}") not in taken)
        found[district] = base if number == 1 else f"{base} {number}"
    return found


def _middle_of(ground: Ground, inside: NDArray[np.bool_]) -> Row:
    return {"x_m": float(ground.x_m[inside].mean()), "y_m": float(ground.y_m[inside].mean())}


def _districts(ground: Ground, names: dict[str, str]) -> list[Row]:
    districts = np.array(ground.district)
    return [
        {"id": district, "name": name, **_middle_of(ground, districts == district)}
        for district, name in names.items()
    ]


def _areas(ground: Ground, names: dict[str, str]) -> list[Row]:
    areas = np.array(ground.area)
    order = np.argsort(areas, kind="stable")
    ids, first = np.unique(areas[order], return_index=True)
    rows = []
    for area, corners in zip(ids.tolist(), np.split(order, first[1:]), strict=True):
        district = ground.district[int(corners[0])]
        rows.append(
            {
                "id": area,
                "name": f"{names[district]} {area}",
                "kind": "dma",
                "district": district,
                "x_m": float(ground.x_m[corners].mean()),
                "y_m": float(ground.y_m[corners].mean()),
            }
        )
    return rows


def _corners(ground: Ground) -> list[Row]:
    places = zip(
        ground.area,
        ground.x_m.tolist(),
        ground.y_m.tolist(),
        ground.elevation_m.tolist(),
        ground.people.tolist(),
        strict=True,
    )
    return [
        {
            "id": corner_id(corner),
            "domain": "road",
            "kind": "corner",
            "area": area,
            "x_m": x,
            "y_m": y,
            "elevation_m": z,
            "base_demand_m3_h": None,
            "people": people,
        }
        for corner, (area, x, y, z, people) in enumerate(places)
    ]


def _roads(ground: Ground) -> list[Row]:
    streets = zip(ground.ends.tolist(), ground.length_m.tolist(), ground.road_kind, strict=True)
    return [
        {
            "id": street_id(street),
            "from_node": corner_id(a),
            "to_node": corner_id(b),
            "length_m": length_m,
            "kind": kind,
        }
        for street, ((a, b), length_m, kind) in enumerate(streets)
    ]


def _river(ground: Ground) -> list[Row]:
    return [
        {"id": f"RV{point + 1:04d}", "x_m": x, "y_m": y, "width_m": ground.river_width_m}
        for point, (x, y) in enumerate(ground.river_m.tolist())
    ]


def _with_teams(points: list[Row], teams: list[Row]) -> list[Row]:
    """Return risk points with the nearest team of their domain where they name none."""
    known = {team["id"] for team in teams}
    filled = []
    trees: dict[str, tuple[list[Row], cKDTree]] = {}
    for point in points:
        domain = point["domain"]
        if domain not in trees:
            able = [team for team in teams if domain in team["skills"]] or teams
            trees[domain] = able, cKDTree([(team["x_m"], team["y_m"]) for team in able])
        able, tree = trees[domain]
        if point.get("team") not in known:
            nearest = int(tree.query((point["x_m"], point["y_m"]))[1])
            point = {**point, "team": able[nearest]["id"]}
        filled.append(point)
    return filled
