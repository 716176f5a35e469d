"""Import of any SWMM file as a city: grid cells as areas, low manholes as ponding spots."""

import math

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from sensors.city import City, Row
from simulator.city.drainage_rows import drainage_rows
from simulator.city.drawing import Floats
from simulator.city.placement import spread_points
from simulator.physics.flood.inp import DrainageModel, read_model, section_text

NODES_PER_CELL = 50
"""Manholes in a grid cell, about (as in a DMA)."""
NODES_PER_SPOT = 40
"""Manholes to one ponding spot, about (as in a generated city)."""
SPOT_M2 = 1500.0
"""Street on which water stands at a ponding spot (proposed)."""

_DISTRICT = "X01"
_TEAMS = 3
_SKILLS = ["flood", "inspect", "pump", "barrier", "clear_inlet", "start_pump", "check_device"]
_SPEED_KM_H = 30.0
_LINK_M = 10.0
_LEAST_M = 1.0


def import_swmm(text: str, city_id: str, name: str) -> City:
    """Return a SWMM network as a city of one district.

    The file is kept in `City.networks["flood"]` with three changes: coordinates are scaled to
    metres by the median ratio of conduit length and drawn length; the section TAGS says the
    kind of every element; and at the lowest manholes, about one in forty, water that comes up
    stands in the street (`ALLOW_PONDING`), where the file may have let it vanish. Where rain
    falls and what flows in by itself stay as in the file, but the storms of a scenario take
    the place of the file's rain.

    Raises:
        PhysicsError: the file cannot be read.
    """
    model = read_model(text)
    x_m, y_m = _plane(model)
    spots = _spots(model, x_m, y_m)
    kinds = np.array(model.node_kinds, dtype=object)
    kinds[spots] = "road"
    gauges = _gauges(model, x_m, y_m)
    areas = _cells(np.append(x_m, gauges[:, 0]), np.append(y_m, gauges[:, 1]), len(x_m))
    ids = [*model.node_ids, *model.gauge_ids]
    kind_of = [*kinds.tolist(), *["rain_gauge"] * len(gauges)]
    level_m = np.append(
        model.invert_m + np.nan_to_num(model.rim_m), np.full(len(gauges), model.invert_m.mean())
    )
    nodes: list[Row] = [
        {
            "id": ids[n],
            "domain": "flood",
            "kind": kind_of[n],
            "area": areas[n],
            "x_m": x,
            "y_m": y,
            "elevation_m": float(level_m[n]),
            "base_demand_m3_h": 0.0,
            "people": 0.0,
        }
        for n, (x, y) in enumerate(
            [*zip(x_m.tolist(), y_m.tolist(), strict=True), *gauges.tolist()]
        )
    ]
    teams = _teams(x_m, y_m)
    parts = drainage_rows(nodes, _links(model, areas))
    for point in parts["risk_points"]:
        away = [
            math.hypot(team["x_m"] - point["x_m"], team["y_m"] - point["y_m"]) for team in teams
        ]
        point["team"] = teams[int(np.argmin(away))]["id"]
    rows: dict[str, list[Row]] = {
        "districts": [{"id": _DISTRICT, "name": name, **_middle(nodes)}],
        "areas": [
            {
                "id": area,
                "name": f"Cell {area}",
                "kind": "cell",
                "district": _DISTRICT,
                **_middle([row for row in nodes if row["area"] == area]),
            }
            for area in sorted(set(areas))
        ],
        "roads": _roads(model),
        "teams": teams,
        **parts,
    }
    inp = _tagged(model, kinds.tolist(), spots, np.column_stack((x_m, y_m)), gauges)
    return City.of_rows(city_id, name, rows, {"flood": inp})


def _middle(rows: list[Row]) -> Row:
    return {key: float(np.mean([row[key] for row in rows])) for key in ("x_m", "y_m")}


def _lengths_m(model: DrainageModel) -> Floats:
    """Return the length of each conduit, NaN for other links."""
    given = {row[0]: float(row[3]) for row in model.sections.get("CONDUITS", [])}
    lengths = np.array([given.get(id, np.nan) for id in model.link_ids])
    return lengths * model.length_m


def _plane(model: DrainageModel) -> tuple[Floats, Floats]:
    """Return coordinates in metres; nodes the file does not place are laid out by their links."""
    known = {
        row[0]: (float(row[1]), float(row[2]))
        for row in model.sections.get("COORDINATES", [])
        if len(row) > 2
    }
    lengths = _lengths_m(model)
    if all(id in known for id in model.node_ids):
        places = np.array([known[id] for id in model.node_ids])
        drawn = np.hypot(*(places[model.from_node] - places[model.to_node]).T)
        seen = (drawn > 0) & np.isfinite(lengths)
        if seen.any():
            places = places * float(np.median(lengths[seen] / drawn[seen]))
    else:
        graph = nx.Graph()
        graph.add_nodes_from(range(len(model.node_ids)))
        ends = zip(model.from_node.tolist(), model.to_node.tolist(), strict=True)
        graph.add_edges_from(ends)
        drawn_at = nx.spring_layout(graph, seed=0)
        places = np.array([drawn_at[n] for n in range(len(model.node_ids))])
        places *= float(np.nanmedian(lengths)) * math.sqrt(len(places)) / 2
    places = places - places.min(axis=0)
    return places[:, 0], places[:, 1]


def _gauges(model: DrainageModel, x_m: Floats, y_m: Floats) -> Floats:
    """Return a place for each gauge, (gauges, 2): far from one another among the nodes.

    Symbols of gauges are drawn beside the network more often than where the gauge stands.
    """
    count = len(model.gauge_ids)
    middle = int(np.argmin(np.hypot(x_m - x_m.mean(), y_m - y_m.mean())))
    chosen = spread_points(x_m, y_m, middle, count) if count else []
    places = [chosen[n % len(chosen)] for n in range(count)]
    return np.column_stack((x_m[places], y_m[places]))


def _spots(model: DrainageModel, x_m: Floats, y_m: Floats) -> NDArray[np.int64]:
    """Return the manholes where water will stand: the lowest of each stretch of the file."""
    junctions = {row[0] for row in model.sections.get("JUNCTIONS", [])}
    able = np.array(
        [
            id in junctions and kind == "manhole"
            for id, kind in zip(model.node_ids, model.node_kinds, strict=True)
        ]
    )
    if "road" in model.node_kinds or not able.any():
        return np.array([], dtype=np.int64)
    places = np.flatnonzero(able)
    street_m = (model.invert_m + model.rim_m)[places]
    count = max(1, round(len(places) / NODES_PER_SPOT))
    size = math.sqrt(float(np.ptp(x_m[places]) * np.ptp(y_m[places])) / count) * 0.5
    chosen: list[int] = []
    for place in places[np.argsort(street_m, kind="stable")].tolist():
        gaps = np.hypot(x_m[chosen] - x_m[place], y_m[chosen] - y_m[place])
        if len(chosen) < count and (not chosen or gaps.min() >= size):
            chosen.append(place)
    return np.array(sorted(chosen), dtype=np.int64)


def _cells(x_m: Floats, y_m: Floats, nodes: int) -> list[str]:
    """Return the area of each place: cells of a grid, counted from the south-west by rows."""
    side = max(1, round(math.sqrt(nodes / NODES_PER_CELL)))
    wide = [max(float(np.ptp(values)), _LEAST_M) for values in (x_m, y_m)]
    column = np.minimum((x_m - x_m.min()) / wide[0] * side, side - 1).astype(np.int64)
    row = np.minimum((y_m - y_m.min()) / wide[1] * side, side - 1).astype(np.int64)
    _, number = np.unique(row * side + column, return_inverse=True)
    return [f"D{cell + 1:03d}" for cell in number.tolist()]


def _links(model: DrainageModel, areas: list[str]) -> list[Row]:
    lengths = np.nan_to_num(_lengths_m(model), nan=_LINK_M)
    heights = {row[0]: row[2] for row in model.sections.get("XSECTIONS", []) if len(row) > 2}
    return [
        {
            "id": id,
            "domain": "flood",
            "kind": model.link_kinds[n],
            "area": areas[int(model.from_node[n])],
            "from_node": model.node_ids[int(model.from_node[n])],
            "to_node": model.node_ids[int(model.to_node[n])],
            "length_m": float(lengths[n]),
            "diameter_mm": _number(heights.get(id)) * model.length_m * 1000,
        }
        for n, id in enumerate(model.link_ids)
    ]


def _number(text: str | None) -> float:
    try:
        return float(text or 0.0)
    except ValueError:
        return 0.0  # the name of a transect


def _roads(model: DrainageModel) -> list[Row]:
    """Drains lie in streets, so the conduits are the road network until a real one is given."""
    return [
        {
            "id": id,
            "from_node": model.node_ids[int(model.from_node[n])],
            "to_node": model.node_ids[int(model.to_node[n])],
            "length_m": float(length),
            "kind": "street",
        }
        for n, (id, length) in enumerate(zip(model.link_ids, _lengths_m(model), strict=True))
        if np.isfinite(length)
    ]


def _teams(x_m: Floats, y_m: Floats) -> list[Row]:
    middle = int(np.argmin(np.hypot(x_m - x_m.mean(), y_m - y_m.mean())))
    return [
        {
            "id": f"T{n + 1:02d}",
            "name": f"Drainage team {n + 1}",
            "skills": list(_SKILLS),
            "x_m": float(x_m[place]),
            "y_m": float(y_m[place]),
            "speed_km_h": _SPEED_KM_H,
            "unit": "Drainage company",
        }
        for n, place in enumerate(spread_points(x_m, y_m, middle, _TEAMS))
    ]


def _tagged(
    model: DrainageModel,
    kinds: list[str],
    spots: NDArray[np.int64],
    places: Floats,
    gauges: Floats,
) -> str:
    """Return the file with its kinds, its places in metres and ponding at the spots."""
    sections = dict(model.sections)
    options = [row for row in sections.get("OPTIONS", []) if row[0].upper() != "ALLOW_PONDING"]
    sections["OPTIONS"] = [*options, ["ALLOW_PONDING", "YES"]]
    spot_ids = {model.node_ids[n] for n in spots.tolist()}
    ponded = f"{SPOT_M2 / model.length_m**2:.1f}"
    allowed = any(
        row[1].upper() == "YES"
        for row in model.sections.get("OPTIONS", [])
        if row[0].upper() == "ALLOW_PONDING"
    )
    sections["JUNCTIONS"] = [
        [*_filled(row)[:5], ponded if row[0] in spot_ids else _filled(row)[5] if allowed else "0"]
        for row in sections.get("JUNCTIONS", [])
    ]
    sections["TAGS"] = [
        *(["Node", *row] for row in _node_tags(model, kinds)),
        *(["Link", id, kind] for id, kind in zip(model.link_ids, model.link_kinds, strict=True)),
    ]
    sections["COORDINATES"] = _at(model.node_ids, places)
    names = [row[0] for row in sections.get("RAINGAGES", [])]
    sections["SYMBOLS"] = _at(names, gauges)
    for drawn in ("VERTICES", "POLYGONS", "LABELS", "MAP", "BACKDROP", "PROFILES"):
        sections.pop(drawn, None)
    return section_text(sections)


def _node_tags(model: DrainageModel, kinds: list[str]) -> list[list[str]]:
    """Return id and tag of each node; tags of the file stay, they may say a street's height."""
    given = {row[1]: row[2] for row in model.sections.get("TAGS", []) if row[0].upper() == "NODE"}
    return [
        [id, given[id] if given.get(id, "").split(":")[0] == kind else kind]
        for id, kind in zip(model.node_ids, kinds, strict=True)
    ]


def _filled(row: list[str]) -> list[str]:
    return [*row, *["0"] * (6 - len(row))]


def _at(ids: tuple[str, ...] | list[str], places: Floats) -> list[list[str]]:
    return [[id, f"{x:.2f}", f"{y:.2f}"] for id, (x, y) in zip(ids, places.tolist(), strict=True)]
