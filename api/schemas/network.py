"""Network elements as GeoJSON, in metres of the city's local plane."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from api.schemas.shown import shown
from sensors.city import City

_FEATURE: dict[str, Any] = {
    "type": "Feature",
    "id": "P0086",
    "geometry": {"type": "LineString", "coordinates": [[650.2, 795.0], [725.9, 795.0]]},
    "properties": {
        "kind": "pipe",
        "domain": "water",
        "area": "D01",
        "from_node": "J0066",
        "to_node": "J0067",
        "length_m": 75.7,
        "diameter_mm": 200.0,
    },
}


class Feature(BaseModel):
    """A node (point) or a link (line)."""

    type: Literal["Feature"] = "Feature"
    id: str
    geometry: dict[str, Any]
    properties: dict[str, Any]


class NetworkMap(BaseModel):
    """Network elements; `crs` says that coordinates are metres, not degrees."""

    model_config = shown(
        {"type": "FeatureCollection", "crs": "local plane, metres", "features": [_FEATURE]}
    )

    type: Literal["FeatureCollection"] = "FeatureCollection"
    crs: str = "local plane, metres"
    features: list[Feature] = Field(description="nodes, then links, by id")

    @classmethod
    def of(cls, city: City, kind: str | None, area: str | None) -> "NetworkMap":
        """Return a city's elements of a kind and an area; None means all."""
        nodes = {row["id"]: row for row in city.rows("nodes")}
        rows = [*_by_id(nodes.values()), *_by_id(city.rows("links"))]
        chosen = [
            row for row in rows if kind in (None, row["kind"]) and area in (None, row["area"])
        ]
        return cls(features=[_feature(row, nodes) for row in chosen])


def _by_id(rows: Any) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: str(row["id"]))


def _feature(row: dict[str, Any], nodes: dict[str, dict[str, Any]]) -> Feature:
    geometry: dict[str, Any]
    if "from_node" in row:
        ends = [nodes[row["from_node"]], nodes[row["to_node"]]]
        places = [[end["x_m"], end["y_m"]] for end in ends]
        geometry = {"type": "LineString", "coordinates": places}
    else:
        geometry = {"type": "Point", "coordinates": [row["x_m"], row["y_m"]]}
    properties = {key: row[key] for key in row if key not in ("id", "x_m", "y_m")}
    return Feature(id=row["id"], geometry=geometry, properties=properties)
