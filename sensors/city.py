"""The city as both halves know it: typed tables of areas, networks, roads, people and teams.

A `City` is a set of Arrow tables with fixed schemas plus the hydraulic model files of its
networks. It is written as a folder: `city.json`, one Parquet file a table, the network models,
and, for maps, one GeoJSON file for each table that has places (points) or ends (lines).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sensors.errors import RegistryError

_TEXT, _REAL, _INT = pa.string(), pa.float64(), pa.int64()
_ID = pa.field("id", _TEXT, nullable=False)
_PLACE = [pa.field("x_m", _REAL, nullable=False), pa.field("y_m", _REAL, nullable=False)]

SCHEMAS: Mapping[str, pa.Schema] = MappingProxyType(
    {
        "districts": pa.schema([_ID, ("name", _TEXT), *_PLACE]),
        "areas": pa.schema([_ID, ("name", _TEXT), ("kind", _TEXT), ("district", _TEXT), *_PLACE]),
        "nodes": pa.schema(
            [
                _ID,
                ("domain", _TEXT),
                ("kind", _TEXT),
                ("area", _TEXT),
                *_PLACE,
                ("elevation_m", _REAL),
                ("base_demand_m3_h", _REAL),
                ("people", _REAL),
            ]
        ),
        "links": pa.schema(
            [
                _ID,
                ("domain", _TEXT),
                ("kind", _TEXT),
                ("area", _TEXT),
                pa.field("from_node", _TEXT, nullable=False),
                pa.field("to_node", _TEXT, nullable=False),
                ("length_m", _REAL),
                ("diameter_mm", _REAL),
            ]
        ),
        "roads": pa.schema(
            [_ID, ("from_node", _TEXT), ("to_node", _TEXT), ("length_m", _REAL), ("kind", _TEXT)]
        ),
        "key_sites": pa.schema([_ID, ("name", _TEXT), ("kind", _TEXT), *_PLACE]),
        "teams": pa.schema(
            [
                _ID,
                ("name", _TEXT),
                ("skills", pa.list_(_TEXT)),
                *_PLACE,
                ("speed_km_h", _REAL),
                ("unit", _TEXT),
            ]
        ),
        "stores": pa.schema([_ID, ("name", _TEXT), *_PLACE, ("stock", _TEXT)]),
        "shelters": pa.schema([_ID, ("name", _TEXT), *_PLACE, ("capacity", _INT)]),
        "assets": pa.schema(
            [_ID, ("kind", _TEXT), ("domain", _TEXT), ("area", _TEXT), ("element", _TEXT), *_PLACE]
        ),
        "river": pa.schema([_ID, *_PLACE, ("width_m", _REAL)]),
        "experts": pa.schema([_ID, ("name", _TEXT), ("domain", _TEXT), ("unit", _TEXT)]),
        "permits": pa.schema(
            [
                _ID,
                ("kind", _TEXT),
                ("element", _TEXT),
                ("area", _TEXT),
                *_PLACE,
                ("start_ms", _INT),
                ("end_ms", _INT),
                ("holder", _TEXT),
            ]
        ),
        "risk_points": pa.schema(
            [
                _ID,
                ("element", _TEXT),
                ("domain", _TEXT),
                ("area", _TEXT),
                *_PLACE,
                ("responsible_body", _TEXT),
                ("custodian", _TEXT),
                ("status", _TEXT),
                ("maintenance", _TEXT),
                ("team", _TEXT),
                ("plan", _TEXT),
                ("likelihood", _INT),
                ("consequence", _INT),
            ]
        ),
    }
)
"""Schema of every table. `risk_points` carries Chongqing's six fields (responsible body,
custodian, status, maintenance, team, plan) and static likelihood × consequence, 1 to 5.
`river` holds the points of the river's middle line, downstream in the order of their ids."""

Row = dict[str, Any]

_OWN_MODELS = frozenset({"gas", "fire"})


@dataclass(frozen=True, slots=True)
class Team:
    """One team: where it waits, what it can do, how fast it travels."""

    id: str
    name: str
    skills: tuple[str, ...]
    x_m: float
    y_m: float
    speed_km_h: float
    unit: str


@dataclass(frozen=True)
class City:
    """A city: id, name, tables by name and network model files (`.inp` text) by domain."""

    id: str
    name: str
    tables: Mapping[str, pa.Table]
    networks: Mapping[str, str]

    @classmethod
    def of_rows(
        cls,
        city_id: str,
        name: str,
        rows: Mapping[str, list[Row]],
        networks: Mapping[str, str] | None = None,
    ) -> "City":
        """Build a city from lists of rows; tables left out are empty.

        Raises:
            RegistryError: a table is unknown, a column has the wrong type or an id is doubled.
        """
        unknown = sorted(set(rows) - set(SCHEMAS))
        if unknown:
            raise RegistryError(f"city {city_id}: unknown tables {unknown}; known: {list(SCHEMAS)}")
        tables = {}
        for table, schema in SCHEMAS.items():
            try:
                tables[table] = pa.Table.from_pylist(rows.get(table, []), schema=schema)
            except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
                raise RegistryError(f"city {city_id}, table {table}: {error}") from error
            ids = tables[table].column("id").to_pylist()
            if len(set(ids)) != len(ids):
                doubled = sorted({item for item in ids if ids.count(item) > 1})[:5]
                raise RegistryError(f"city {city_id}, table {table}: ids used twice: {doubled}")
        return cls(city_id, name, MappingProxyType(tables), MappingProxyType(dict(networks or {})))

    def rows(self, table: str) -> list[Row]:
        """Return a table as a list of dicts (for small tables and edges, not hot paths)."""
        rows: list[Row] = self.tables[table].to_pylist()
        return rows

    def teams(self) -> tuple[Team, ...]:
        """Return the teams in the order of their ids."""
        rows = sorted(self.rows("teams"), key=lambda row: str(row["id"]))
        return tuple(
            Team(
                id=row["id"],
                name=row["name"],
                skills=tuple(row["skills"]),
                x_m=row["x_m"],
                y_m=row["y_m"],
                speed_km_h=row["speed_km_h"],
                unit=row["unit"],
            )
            for row in rows
        )

    def save(self, folder: Path) -> None:
        """Write the city into `folder` (made when missing): JSON, Parquet, GeoJSON, `.inp`."""
        (folder / "networks").mkdir(parents=True, exist_ok=True)
        for name, table in self.tables.items():
            pq.write_table(table, folder / f"{name}.parquet")
            if "x_m" in table.column_names or "from_node" in table.column_names:
                text = json.dumps(geojson(table, self.tables["nodes"]), ensure_ascii=False)
                (folder / f"{name}.geojson").write_text(text, encoding="utf-8")
        for domain, text in self.networks.items():
            _network_file(folder, domain).write_text(text, encoding="utf-8")
        head = {"id": self.id, "name": self.name, "format": 1, "networks": sorted(self.networks)}
        (folder / "city.json").write_text(
            json.dumps(head, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
        )

    @classmethod
    def load(cls, folder: Path) -> "City":
        """Read a city folder written by `save`.

        Raises:
            RegistryError: the folder is not a city, or a table does not follow its schema.
        """
        head_file = folder / "city.json"
        if not head_file.is_file():
            raise RegistryError(
                f"{folder}: no city.json; make one with `tocsin city import` or `city generate`, "
                "or name a size: town, city, metropolis"
            )
        head = json.loads(head_file.read_text(encoding="utf-8"))
        tables = {}
        for name, schema in SCHEMAS.items():
            file = folder / f"{name}.parquet"
            if not file.is_file():
                raise RegistryError(f"{file}: missing; import the city again")
            table = pq.read_table(file)
            if not table.schema.equals(schema):
                raise RegistryError(f"{file}: columns {table.column_names}, need {schema.names}")
            tables[name] = table
        networks = {
            domain: _network_file(folder, domain).read_text(encoding="utf-8")
            for domain in head["networks"]
        }
        return cls(head["id"], head["name"], MappingProxyType(tables), MappingProxyType(networks))


def _network_file(folder: Path, domain: str) -> Path:
    """Return where a network's model lies: `.inp` of EPANET or SWMM, `.json` for our own."""
    suffix = "json" if domain in _OWN_MODELS else "inp"
    return folder / "networks" / f"{domain}.{suffix}"


def geojson(table: pa.Table, nodes: pa.Table) -> dict[str, Any]:
    """Return a table as a GeoJSON FeatureCollection.

    A table with `x_m`, `y_m` gives points; one with `from_node`, `to_node` gives lines between
    those nodes, without a geometry where a node is unknown. Coordinates are metres in the
    city's local plane, not degrees; the `crs` member says so.
    """
    shapes: list[dict[str, Any] | None]
    if "x_m" in table.column_names:
        shapes = [
            {"type": "Point", "coordinates": place}
            for place in zip(_listed(table, "x_m"), _listed(table, "y_m"), strict=True)
        ]
    else:
        columns = [_listed(nodes, name) for name in ("id", "x_m", "y_m")]
        at = {node: (x, y) for node, x, y in zip(*columns, strict=True)}
        ends = zip(_listed(table, "from_node"), _listed(table, "to_node"), strict=True)
        shapes = [
            {"type": "LineString", "coordinates": (at[a], at[b])} if a in at and b in at else None
            for a, b in ends
        ]
    kept = table.select([name for name in table.column_names if name not in ("x_m", "y_m")])
    features = [
        {"type": "Feature", "id": row["id"], "geometry": shape, "properties": row}
        for row, shape in zip(kept.to_pylist(), shapes, strict=True)
    ]
    return {"type": "FeatureCollection", "crs": "local plane, metres", "features": features}


def _listed(table: pa.Table, column: str) -> list[Any]:
    values: list[Any] = table.column(column).to_pylist()
    return values
