"""Districts and assets of a city from GeoJSON files (RFC 7946), in degrees or in metres."""

import json
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sensors.city import City, Row
from simulator.city.drawing import Floats
from simulator.errors import ScenarioError

EARTH_M = 6_371_008.8
"""Mean radius of the Earth, metres (IUGG)."""

Origin = tuple[float, float]
"""Longitude and latitude of the point 0, 0 of the city's plane, degrees."""

_FARTHEST_DEGREES = (180.0, 90.0)


@dataclass(frozen=True)
class Shape:
    """One feature of a file: its name in messages, properties, and rings or a point.

    Attributes:
        where: File and feature, for messages.
        id: Id from the feature or its properties; empty for none.
        properties: Its properties.
        rings: Rings of its polygons, each (points, 2); the holes are rings too.
        point: Its place; for polygons the mean of their outline.
    """

    where: str
    id: str
    properties: dict[str, Any]
    rings: tuple[Floats, ...]
    point: Floats


def read_shapes(text: str, file: str, wanted: str) -> list[Shape]:
    """Return the features of a GeoJSON file.

    Args:
        text: The file.
        file: Its name, for messages.
        wanted: `Polygon` (also MultiPolygon) or `Point`.

    Raises:
        ScenarioError: no GeoJSON, or a feature of another kind; names file, feature and fix.
    """
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise ScenarioError(f"{file}: not valid JSON: {error}") from error
    features = content.get("features") if isinstance(content, dict) else None
    if not isinstance(features, list) or not features:
        raise ScenarioError(f"{file}: features: none found; give a GeoJSON FeatureCollection")
    return [_shape(item, f"{file}, feature {n}", wanted) for n, item in enumerate(features, 1)]


def projected(groups: list[list[Shape]], origin: Origin | None) -> list[list[Shape]]:
    """Return shapes in the city's plane, metres.

    Coordinates that all lie within ±180 and ±90 are degrees and are projected
    (equirectangular, true at the origin: 0.1 % off at 100 km); others are metres and stay.

    Args:
        groups: Shapes of one or more files, which share one origin.
        origin: Where the plane begins; None: at the south-west corner of all the shapes.
    """
    points = [ring for group in groups for shape in group for ring in (*shape.rings, shape.point)]
    if not points:
        return groups
    places = np.vstack([np.atleast_2d(ring) for ring in points])
    if not bool((np.abs(places) <= _FARTHEST_DEGREES).all()):
        return groups
    low = places.min(axis=0)
    start = np.array(origin if origin is not None else low, dtype=np.float64)
    degree_m = math.radians(1.0) * EARTH_M
    scale = degree_m * np.array([math.cos(math.radians(float(start[1]))), 1.0])

    def moved(ring: Floats) -> Floats:
        return np.asarray((ring - start) * scale, dtype=np.float64)

    return [
        [
            Shape(
                shape.where,
                shape.id,
                shape.properties,
                tuple(moved(ring) for ring in shape.rings),
                moved(shape.point),
            )
            for shape in group
        ]
        for group in groups
    ]


def with_districts(city: City, shapes: list[Shape]) -> City:
    """Return the city with districts from polygons, and each area in the one it lies in.

    An area belongs to the district that holds most of its nodes; one with no node in any
    polygon keeps the district it had.

    Raises:
        ScenarioError: no node lies in any of the polygons, or two have the same id.
    """
    nodes = city.rows("nodes")
    x_m = np.array([row["x_m"] for row in nodes])
    y_m = np.array([row["y_m"] for row in nodes])
    inside = np.array([is_inside(shape.rings, x_m, y_m) for shape in shapes])
    if not inside.any():
        reach = f"x {x_m.min():.0f} to {x_m.max():.0f} m, y {y_m.min():.0f} to {y_m.max():.0f} m"
        raise ScenarioError(
            f"{shapes[0].where.split(',')[0]}: no node of the city lies in a district; the city"
            f" covers {reach}; give the plane's origin with --origin LON,LAT"
        )
    ids = [shape.id or f"X{number:02d}" for number, shape in enumerate(shapes, 1)]
    for number, district in enumerate(ids):
        if district in ids[:number]:
            raise ScenarioError(f"{shapes[number].where}: id {district!r} is used twice; rename it")
    holder = np.where(inside.any(axis=0), np.argmax(inside, axis=0), -1)
    votes: dict[str, NDArray[np.int64]] = {}
    for row, district in zip(nodes, holder.tolist(), strict=True):
        if district >= 0:
            count = votes.setdefault(row["area"], np.zeros(len(ids), dtype=np.int64))
            count[district] += 1
    areas = [
        {**row, "district": ids[int(np.argmax(votes[row["id"]]))]} if row["id"] in votes else row
        for row in city.rows("areas")
    ]
    kept = {row["district"] for row in areas} - set(ids)
    districts: list[Row] = [
        {
            "id": district,
            "name": str(shape.properties.get("name") or district),
            "x_m": float(shape.point[0]),
            "y_m": float(shape.point[1]),
        }
        for district, shape in zip(ids, shapes, strict=True)
    ]
    districts += [row for row in city.rows("districts") if row["id"] in kept]
    return _replaced(city, {"areas": areas, "districts": districts})


def with_assets(city: City, shapes: list[Shape]) -> City:
    """Return the city with more assets: points with `kind`, and if known `domain`, `element`.

    An asset without an element belongs to the nearest node of its domain (of any without one),
    and takes the area of its element.

    Raises:
        ScenarioError: a feature has no kind, an unknown element or domain, or an id in use.
    """
    nodes = city.rows("nodes")
    links = {row["id"]: row for row in city.rows("links")}
    by_id = {row["id"]: row for row in nodes}
    x_m = np.array([row["x_m"] for row in nodes])
    y_m = np.array([row["y_m"] for row in nodes])
    domains = np.array([row["domain"] for row in nodes])
    assets = city.rows("assets")
    used = {row["id"] for row in assets}
    for number, shape in enumerate(shapes, 1):
        kind, domain = (str(shape.properties.get(key) or "") for key in ("kind", "domain"))
        if not kind:
            raise ScenarioError(f"{shape.where}: kind: missing; give each asset a kind")
        if domain and domain not in domains:
            known = ", ".join(sorted(set(domains.tolist())))
            raise ScenarioError(f"{shape.where}: domain: no {domain!r} here; use one of {known}")
        element = str(shape.properties.get("element") or "")
        if element and element not in by_id and element not in links:
            raise ScenarioError(f"{shape.where}: element: no {element!r} in the city; leave it out")
        if not element:
            away = np.hypot(x_m - shape.point[0], y_m - shape.point[1])
            away = np.where(domains == domain, away, np.inf) if domain else away
            element = str(nodes[int(np.argmin(away))]["id"])
        row = by_id.get(element) or links[element]
        asset = shape.id or f"{kind}-{number}"
        if asset in used:
            raise ScenarioError(f"{shape.where}: id {asset!r} is used already; rename it")
        used.add(asset)
        assets.append(
            {
                "id": asset,
                "kind": kind,
                "domain": domain or row["domain"],
                "area": row["area"],
                "element": element,
                "x_m": float(shape.point[0]),
                "y_m": float(shape.point[1]),
            }
        )
    return _replaced(city, {"assets": assets})


def is_inside(rings: tuple[Floats, ...], x_m: Floats, y_m: Floats) -> NDArray[np.bool_]:
    """Return which points lie inside the rings of a polygon, holes left out (even-odd rule)."""
    inside = np.zeros(len(x_m), dtype=bool)
    for ring in rings:
        ends = np.roll(ring, -1, axis=0)
        for (x_0, y_0), (x_1, y_1) in zip(ring.tolist(), ends.tolist(), strict=True):
            if y_0 == y_1:
                continue
            crosses = (y_m >= min(y_0, y_1)) & (y_m < max(y_0, y_1))
            inside ^= crosses & (x_m < x_0 + (y_m - y_0) * (x_1 - x_0) / (y_1 - y_0))
    return inside


def _shape(item: Any, where: str, wanted: str) -> Shape:
    geometry = item.get("geometry") if isinstance(item, dict) else None
    kind = geometry.get("type") if isinstance(geometry, dict) else None
    if not isinstance(geometry, dict) or kind not in (wanted, f"Multi{wanted}"):
        raise ScenarioError(f"{where}: geometry: {kind}; give a {wanted}")
    properties = item.get("properties") or {}
    identity = str(item.get("id") or properties.get("id") or "")
    rings: tuple[Floats, ...] = ()
    try:
        if wanted == "Point":
            point = _points([geometry["coordinates"]], 1)[0]
        else:
            parts = geometry["coordinates"]
            polygons = parts if kind == "MultiPolygon" else [parts]
            rings = tuple(_points(ring, 3) for polygon in polygons for ring in polygon)
            point = rings[0].mean(axis=0)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise ScenarioError(f"{where}: coordinates: {error}; give [x, y] numbers") from error
    return Shape(where, identity, dict(properties), rings, point)


def _points(ring: Any, least: int) -> Floats:
    points = np.array([place[:2] for place in ring], dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 2 or len(points) < least:
        raise ValueError(f"{len(points)} points of two numbers; {least} or more are needed")
    if not np.isfinite(points).all():
        raise ValueError("a coordinate is not finite")
    return points


def _replaced(city: City, rows: dict[str, list[Row]]) -> City:
    tables = {name: city.rows(name) if name not in rows else rows[name] for name in city.tables}
    return City.of_rows(city.id, city.name, tables, city.networks)
