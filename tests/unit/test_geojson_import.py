"""Districts and assets from GeoJSON: projected, placed, refused with file and feature."""

import json
from typing import Any

import numpy as np
import pytest

from sensors.city import City
from simulator.city.geojson_import import (
    EARTH_M,
    is_inside,
    projected,
    read_shapes,
    with_assets,
    with_districts,
)
from simulator.errors import ScenarioError


def town() -> City:
    """Return four nodes in two areas, 1 km apart from west to east."""
    nodes = [
        {"id": f"J{n}", "domain": "water", "kind": "junction", "area": f"D{n // 3 + 1}",
         "x_m": 1000.0 * n, "y_m": 500.0}
        for n in range(1, 5)
    ]  # fmt: skip
    areas = [{"id": f"D{n}", "district": "X01", "x_m": 0.0, "y_m": 0.0} for n in (1, 2)]
    districts = [{"id": "X01", "name": "All", "x_m": 0.0, "y_m": 0.0}]
    return City.of_rows("t", "T", {"nodes": nodes, "areas": areas, "districts": districts})


def feature(shape: str, coordinates: Any, /, **properties: object) -> dict[str, Any]:
    geometry = {"type": shape, "coordinates": coordinates}
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def file_of(*features: Any) -> str:
    return json.dumps({"type": "FeatureCollection", "features": list(features)})


def box(west: float, east: float, south: float = 0.0, north: float = 1000.0) -> Any:
    return [[[west, south], [east, south], [east, north], [west, north], [west, south]]]


def test_areas_get_the_named_district_they_lie_in() -> None:
    text = file_of(
        feature("Polygon", box(0, 2500), id="west", name="West side"),
        feature("MultiPolygon", [box(2500, 3500), box(3500, 9000)], id="east"),
    )
    city = with_districts(town(), read_shapes(text, "d.geojson", "Polygon"))
    assert {row["id"]: row["district"] for row in city.rows("areas")} == {
        "D1": "west",
        "D2": "east",
    }
    assert [row["name"] for row in city.rows("districts")] == ["West side", "east"]


def test_an_area_outside_keeps_its_district() -> None:
    shapes = read_shapes(file_of(feature("Polygon", box(0, 2500), id="west")), "d", "Polygon")
    city = with_districts(town(), shapes)
    assert [row["district"] for row in city.rows("areas")] == ["west", "X01"]
    assert [row["id"] for row in city.rows("districts")] == ["west", "X01"]


def test_degrees_become_metres_from_the_origin() -> None:
    shapes = read_shapes(file_of(feature("Point", [120.01, 30.01], kind="x")), "a", "Point")
    (group,) = projected([shapes], (120.0, 30.0))
    degree_m = np.radians(0.01) * EARTH_M
    expected = [degree_m * np.cos(np.radians(30.0)), degree_m]
    np.testing.assert_allclose(group[0].point, expected, rtol=1e-9)


def test_without_an_origin_the_plane_begins_at_the_south_west_corner() -> None:
    zones = read_shapes(file_of(feature("Polygon", box(120.0, 120.1, 30.0, 30.1))), "d", "Polygon")
    zones, points = projected([zones, []], None)
    assert points == []
    assert zones[0].rings[0].min() == 0.0


def test_metres_stay_as_they_are() -> None:
    shapes = read_shapes(file_of(feature("Point", [4000.0, 500.0], kind="x")), "a", "Point")
    assert projected([shapes], None)[0][0].point.tolist() == [4000.0, 500.0]


def test_assets_join_the_nearest_element_and_its_area() -> None:
    text = file_of(feature("Point", [3900.0, 480.0], id="shop", kind="workshop"))
    (asset,) = with_assets(town(), read_shapes(text, "a.geojson", "Point")).rows("assets")
    assert (asset["id"], asset["element"], asset["area"]) == ("shop", "J4", "D2")
    assert asset["domain"] == "water"


def test_points_in_a_hole_are_outside() -> None:
    rings = (np.array(box(0, 9, 0, 9)[0]), np.array(box(3, 6, 3, 6)[0]))
    inside = is_inside(rings, np.array([1.0, 4.0, 20.0]), np.array([1.0, 4.0, 1.0]))
    assert inside.tolist() == [True, False, False]


@pytest.mark.parametrize(
    ("text", "wanted", "message"),
    [
        ("{", "Point", "f.geojson: not valid JSON"),
        ("[]", "Point", "f.geojson: features: none found"),
        (
            file_of(feature("Point", [1, 2])),
            "Polygon",
            "feature 1: geometry: Point; give a Polygon",
        ),
        (file_of(feature("Point", ["a", 2])), "Point", "feature 1: coordinates: "),
        (file_of(feature("Point", [1, 2], kind="x"), 3), "Point", "feature 2: geometry: None"),
        (file_of(feature("Polygon", [[[0, 0], [1, 1]]])), "Polygon", "feature 1: coordinates: "),
    ],
)
def test_a_wrong_file_is_refused_by_feature(text: str, wanted: str, message: str) -> None:
    with pytest.raises(ScenarioError, match=message.replace("(", r"\(")):
        read_shapes(text, "f.geojson", wanted)


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({}, "feature 1: kind: missing"),
        ({"kind": "x", "domain": "heat"}, "feature 1: domain: no 'heat' here; use one of water"),
        ({"kind": "x", "element": "J9"}, "feature 1: element: no 'J9' in the city"),
    ],
)
def test_a_wrong_asset_is_refused(properties: dict[str, object], message: str) -> None:
    shapes = read_shapes(file_of(feature("Point", [0, 0], **properties)), "f.geojson", "Point")
    with pytest.raises(ScenarioError, match=message):
        with_assets(town(), shapes)


def test_districts_far_from_the_city_are_refused_with_a_way_out() -> None:
    shapes = read_shapes(file_of(feature("Polygon", box(1e6, 2e6))), "d.geojson", "Polygon")
    with pytest.raises(ScenarioError, match=r"d\.geojson: no node .* --origin LON,LAT"):
        with_districts(town(), shapes)
