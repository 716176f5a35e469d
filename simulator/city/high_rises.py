"""High-rise buildings of a city: where they stand and where their fire tanks get water."""

import json

import numpy as np

from sensors.city import Row
from simulator.city.ground import Ground
from simulator.city.part import NetworkPart
from simulator.city.service_rates import HighRises
from simulator.city.water_text import junction_id
from simulator.randomness import stream

_BESIDE_M = 35.0


def raise_buildings(ground: Ground, rates: HighRises) -> NetworkPart:
    """Return the high-rises as network part `fire`; at least one.

    The text is JSON: `{"format": 1, "buildings": [{"id", "feed", "height_m", "tank_m3"}]}`,
    where `feed` is the water node at whose pressure the building is supplied.
    """
    random = stream(ground.seed, "city", "high rises")
    draw = random.uniform(size=len(ground.people))
    dense = ground.people / ground.people.mean() > rates.dense_above
    chosen = np.flatnonzero(dense & (draw * rates.corners_per < 1.0))
    if not len(chosen):
        chosen = np.array([int(np.argmax(ground.people))])
    count = len(chosen)
    heights = rates.height_m
    height_m = heights.median * random.lognormal(0.0, heights.spread, count)
    height_m = np.clip(height_m, *heights.range).round(1)
    people = ground.people[chosen] * random.uniform(*rates.people_share, count)
    small_m3, large_m3 = rates.tank_m3
    low_m, high_m = heights.range
    tank_m3 = small_m3 + (large_m3 - small_m3) * (height_m - low_m) / (high_m - low_m)
    turn = random.uniform(0, 2 * np.pi, count)
    x_m = ground.x_m[chosen] + _BESIDE_M * np.cos(turn)
    y_m = ground.y_m[chosen] + _BESIDE_M * np.sin(turn)
    ids = [f"H{number + 1:05d}" for number in range(count)]
    nodes: list[Row] = [
        {
            "id": ids[number],
            "domain": "fire",
            "kind": "high_rise",
            "area": ground.area[corner],
            "x_m": float(x_m[number]),
            "y_m": float(y_m[number]),
            "elevation_m": float(ground.elevation_m[corner]),
            "base_demand_m3_h": 0.0,
            "people": float(people[number]),
        }
        for number, corner in enumerate(chosen.tolist())
    ]
    buildings = [
        {
            "id": ids[number],
            "feed": junction_id(corner),
            "height_m": float(height_m[number]),
            "tank_m3": round(float(tank_m3[number]), 1),
        }
        for number, corner in enumerate(chosen.tolist())
    ]
    text = json.dumps({"format": 1, "buildings": buildings}, indent=0) + "\n"
    rows = {
        "nodes": nodes,
        "assets": [_asset(row) for row in nodes],
        "risk_points": _risk_points(nodes, height_m.tolist()),
    }
    return NetworkPart("fire", text, rows)


def _asset(row: Row) -> Row:
    kept = {name: row[name] for name in ("kind", "domain", "area", "x_m", "y_m")}
    return {"id": f"high_rise-{row['id']}", "element": row["id"], **kept}


def _risk_points(nodes: list[Row], height_m: list[float]) -> list[Row]:
    """Return the highest building of each area; L is 2, C by its height (proposed)."""
    highest: dict[str, int] = {}
    for number, row in enumerate(nodes):
        best = highest.get(row["area"])
        if best is None or height_m[number] > height_m[best]:
            highest[row["area"]] = number
    return [
        {
            "id": f"R-{nodes[number]['id']}",
            "element": nodes[number]["id"],
            "domain": "fire",
            "area": area,
            "x_m": nodes[number]["x_m"],
            "y_m": nodes[number]["y_m"],
            "responsible_body": "Property manager",
            "custodian": f"Fire duty room {nodes[number]['id']}",
            "status": "in service",
            "maintenance": "tested twice a year",
            "team": "",
            "plan": "fire water failure",
            "likelihood": 2,
            "consequence": 3 if height_m[number] < 100 else 4,
        }
        for area, number in sorted(highest.items())
    ]
