"""The water network of a city as rows of the city's tables."""

import numpy as np

from sensors.city import Row
from simulator.city.importing import (
    CONSEQUENCE_HOUSEHOLDS,
    HOUSEHOLD_PERSONS,
    LEAST_RISK_POINTS,
)
from simulator.city.town import PERSON_L_DAY
from simulator.city.water_text import (
    PUMPS,
    Heads,
    Works,
    inlet_links,
    junction_id,
    pipe_rows,
    pump_id,
    source_m,
    trunk_id,
    trunk_place,
    works_place,
)

RISK_PER_AREA = 4
"""Mains of each area that are risk points, the largest first (proposed)."""

_TRUNK_MM = 600
_PLAN = "water main burst"


def trunk_area(sector: int) -> str:
    """Return the area of the trunk mains of a sector: `W001` for the first."""
    return f"W{sector + 1:03d}"


def water_rows(works: Works, heads: Heads) -> dict[str, list[Row]]:
    """Return nodes, links, areas, assets and risk points of the water network.

    Trunk mains, sources and towers belong to an area of their own for each sector (`W001`),
    so that every inlet of a metered area crosses a border.
    """
    nodes = _nodes(works, heads)
    links = _links(works, heads)
    return {
        "areas": _areas(works),
        "nodes": nodes,
        "links": links,
        "assets": _assets(nodes, links),
        "risk_points": _risk_points(works, nodes, links),
    }


def _areas(works: Works) -> list[Row]:
    rows = []
    for sector in range(works.sectors):
        inside = np.flatnonzero(works.trunk.sector == sector)
        corner = works.trunk.corner[inside]
        source = int(works.supply.source[sector])
        rows.append(
            {
                "id": trunk_area(sector),
                "name": f"Trunk mains {sector + 1}",
                "kind": "trunk",
                "district": works.ground.district[source],
                "x_m": float(works.ground.x_m[corner].mean()),
                "y_m": float(works.ground.y_m[corner].mean()),
            }
        )
    return rows


def _node(name: str, kind: str, area: str, place: tuple[float, float], z: float) -> Row:
    return {
        "id": name,
        "domain": "water",
        "kind": kind,
        "area": area,
        "x_m": place[0],
        "y_m": place[1],
        "elevation_m": z,
        "base_demand_m3_h": 0.0,
        "people": 0.0,
    }


def _nodes(works: Works, heads: Heads) -> list[Row]:
    ground, trunk = works.ground, works.trunk
    rows = []
    for corner, people in enumerate(ground.people.tolist()):
        at = float(ground.x_m[corner]), float(ground.y_m[corner])
        z = float(ground.elevation_m[corner])
        row = _node(junction_id(corner), "junction", ground.area[corner], at, z)
        row["base_demand_m3_h"] = people * PERSON_L_DAY / 24_000
        row["people"] = people
        rows.append(row)
    for place, (x, y) in enumerate(zip(*trunk_place(works), strict=True)):
        z = float(ground.elevation_m[trunk.corner[place]])
        area = trunk_area(int(trunk.sector[place]))
        rows.append(_node(trunk_id(place), "junction", area, (float(x), float(y)), z))
    for kind, what in (("S", "junction"), ("R", "reservoir"), ("TK", "tank")):
        for sector in range(works.sectors):
            z = float(heads.tower_m[sector]) if kind == "TK" else source_m(works, sector)
            at = works_place(works, kind, sector)
            rows.append(_node(f"{kind}{sector + 1}", what, trunk_area(sector), at, z))
    return rows


def _link(
    name: str, kind: str, area: str, ends: tuple[str, str], length_m: float, size: float
) -> Row:
    return {
        "id": name,
        "domain": "water",
        "kind": kind,
        "area": area,
        "from_node": ends[0],
        "to_node": ends[1],
        "length_m": length_m,
        "diameter_mm": size,
    }


def _links(works: Works, heads: Heads) -> list[Row]:
    ground, supply = works.ground, works.supply
    inlets = inlet_links(works, heads)
    rows = []
    for name, first, second, length_m, size, _, corner in pipe_rows(works, inlets):
        is_own = (name.startswith("P") and not name.startswith(("PS", "PT"))) or name[0] == "I"
        sector = int(supply.sector[supply.area[corner]])
        area = ground.area[corner] if is_own else trunk_area(sector)
        rows.append(_link(name, "pipe", area, (first, second), length_m, float(size)))
    for sector in range(works.sectors):
        ends = f"R{sector + 1}", f"S{sector + 1}"
        rows += [
            _link(pump_id(sector, pump), "pump", trunk_area(sector), ends, 40.0, 0.0)
            for pump in range(PUMPS)
        ]
    for name, node, junction, number in inlets:
        if name.startswith("V"):
            own = ground.area[int(junction[1:]) - 1]
            valve_mm = float(works.mains.inlet_mm[number])
            rows.append(_link(name, "valve", own, (node, junction), 10.0, valve_mm))
    return rows


def _assets(nodes: list[Row], links: list[Row]) -> list[Row]:
    places = {row["id"]: (row["x_m"], row["y_m"]) for row in nodes}
    chosen = [(row, *places[row["id"]]) for row in nodes if row["kind"] in ("reservoir", "tank")]
    for row in links:
        if row["kind"] != "pipe":
            ends = places[row["from_node"]], places[row["to_node"]]
            middle = [(a + b) / 2 for a, b in zip(*ends, strict=True)]
            chosen.append((row, middle[0], middle[1]))
    return [
        {
            "id": f"{row['kind']}-{row['id']}",
            "kind": row["kind"],
            "domain": "water",
            "area": row["area"],
            "element": row["id"],
            "x_m": x,
            "y_m": y,
        }
        for row, x, y in chosen
    ]


def _risk_points(works: Works, nodes: list[Row], links: list[Row]) -> list[Row]:
    """Return the largest mains: of each area some, and every trunk main from 600 mm.

    L is 1 to 3 by thirds of length over diameter, as in an import; C is by the households
    that the main can carry water for at 1 m/s at the peak hour.
    """
    places = {row["id"]: (row["x_m"], row["y_m"]) for row in nodes}
    pipes = [row for row in links if row["kind"] == "pipe"]
    size = np.array([row["diameter_mm"] for row in pipes])
    slender = np.array([row["length_m"] for row in pipes]) / size
    likelihood = 1 + np.searchsorted(np.quantile(slender, [1 / 3, 2 / 3]), slender)
    persons = np.pi / 4 * (size / 1000) ** 2 * 86_400_000 / PERSON_L_DAY / 1.6
    households = persons / HOUSEHOLD_PERSONS
    consequence = 1 + np.searchsorted(CONSEQUENCE_HOUSEHOLDS, households, side="right")
    least = max(RISK_PER_AREA, -(-LEAST_RISK_POINTS // len(works.supply.sector)))
    taken: dict[str, int] = {}
    rows = []
    for number in np.argsort(-size, kind="stable").tolist():
        pipe = pipes[number]
        count = taken.get(pipe["area"], 0)
        is_trunk = pipe["area"].startswith("W") and size[number] >= _TRUNK_MM
        if count >= least and not is_trunk:
            continue
        taken[pipe["area"]] = count + 1
        (x_0, y_0), (x_1, y_1) = places[pipe["from_node"]], places[pipe["to_node"]]
        rows.append(
            {
                "id": f"R-{pipe['id']}",
                "element": pipe["id"],
                "domain": "water",
                "area": pipe["area"],
                "x_m": (x_0 + x_1) / 2,
                "y_m": (y_0 + y_1) / 2,
                "responsible_body": "Water company",
                "custodian": f"Network section {pipe['area']}",
                "status": "in service",
                "maintenance": "inspected once a year",
                "team": "",
                "plan": _PLAN,
                "likelihood": int(likelihood[number]),
                "consequence": int(min(consequence[number], 5)),
            }
        )
    return sorted(rows, key=lambda row: str(row["id"]))
