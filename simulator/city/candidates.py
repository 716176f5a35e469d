"""Where a device of each kind can stand: the elements of a city, as columns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from sensors.city import City
from simulator.city.drawing import Floats

Texts = NDArray[np.str_]
"""Text columns are numpy arrays of type `str_`."""


@dataclass(frozen=True, slots=True)
class Place:
    """What a kind of device is fixed to.

    Attributes:
        table: `nodes` or `links`.
        domain: Domain of the element; a rain gauge is an element of the flood network.
        elements: Kinds of element, those equipped first before the others.
    """

    table: str
    domain: str
    elements: tuple[str, ...]


PLACES: Mapping[str, Place] = MappingProxyType(
    {
        "network_pressure": Place("nodes", "water", ("junction",)),
        "dma_flow": Place("links", "water", ("pipe", "pump", "valve")),
        "tank_level": Place("nodes", "water", ("tank",)),
        "pump_state": Place("links", "water", ("pump",)),
        "hydrant_pressure": Place("nodes", "fire", ("high_rise",)),
        "fire_tank_level": Place("nodes", "fire", ("high_rise",)),
        "manhole_methane": Place("nodes", "gas", ("manhole_space",)),
        "well_methane": Place("nodes", "gas", ("valve_well",)),
        "station_methane": Place("nodes", "gas", ("station",)),
        "tunnel_methane": Place("nodes", "gas", ("tunnel",)),
        "gas_pressure": Place("nodes", "gas", ("source", "regulator_out", "junction")),
        "gas_flow": Place("links", "gas", ("regulator", "pipe")),
        "rain_gauge": Place("nodes", "flood", ("rain_gauge",)),
        "road_ponding": Place("nodes", "flood", ("road",)),
        "underpass_ponding": Place("nodes", "flood", ("underpass",)),
        "drain_level": Place("nodes", "flood", ("manhole",)),
        "river_level": Place("nodes", "flood", ("river_gauge",)),
        "drain_pump_state": Place("links", "flood", ("pump",)),
    }
)
"""Device kind → where it stands. In the order in which a registry lists the kinds."""


@dataclass(frozen=True)
class Candidates:
    """Elements that a kind of device may stand at, as columns.

    Attributes:
        element: Node or link id.
        area: Its area.
        x_m: Easting, metres.
        y_m: Northing, metres.
        priority: Which to equip first: the lowest.
        range_high: Full scale of the instrument; NaN where the data sheet of the kind holds.
        alarm_low: Low limit of its own; NaN where the data sheet of the kind holds.
    """

    element: Texts
    area: Texts
    x_m: Floats
    y_m: Floats
    priority: Floats
    range_high: Floats
    alarm_low: Floats

    def __len__(self) -> int:
        return len(self.element)

    def take(self, rows: NDArray[np.int64]) -> "Candidates":
        """Return the chosen ones, in the order of `rows`."""
        return Candidates(
            self.element[rows],
            self.area[rows],
            self.x_m[rows],
            self.y_m[rows],
            self.priority[rows],
            self.range_high[rows],
            self.alarm_low[rows],
        )


class Elements:
    """The nodes and links of a city by domain and kind, with their places."""

    def __init__(self, city: City) -> None:
        nodes, links = city.tables["nodes"], city.tables["links"]
        self._columns: dict[str, dict[str, Texts]] = {
            table: {
                name: np.array(
                    [value or "" for value in rows.column(name).to_pylist()], dtype=np.str_
                )
                for name in ("id", "domain", "kind", "area")
            }
            for table, rows in (("nodes", nodes), ("links", links))
        }
        node_x, node_y = (nodes.column(name).to_numpy() for name in ("x_m", "y_m"))
        place = {node: row for row, node in enumerate(self._columns["nodes"]["id"].tolist())}
        ends = [
            np.array([place[node] for node in links.column(name).to_pylist()], dtype=np.int64)
            for name in ("from_node", "to_node")
        ]
        self._x = {"nodes": node_x, "links": (node_x[ends[0]] + node_x[ends[1]]) / 2}
        self._y = {"nodes": node_y, "links": (node_y[ends[0]] + node_y[ends[1]]) / 2}

    def at(self, place: Place) -> Candidates:
        """Return every element of a place, as the tables list them."""
        columns = self._columns[place.table]
        ranks = np.full(len(columns["id"]), -1, dtype=np.int64)
        is_domain = columns["domain"] == place.domain
        for rank, kind in enumerate(place.elements):
            ranks[is_domain & (columns["kind"] == kind)] = rank
        rows = np.flatnonzero(ranks >= 0)
        blank = np.full(len(rows), np.nan)
        return Candidates(
            columns["id"][rows],
            columns["area"][rows],
            self._x[place.table][rows],
            self._y[place.table][rows],
            ranks[rows].astype(np.float64),
            blank,
            blank,
        )

    def areas_of(self, table: str, ids: Sequence[str]) -> Texts:
        """Return the area of each of some elements."""
        columns = self._columns[table]
        area = dict(zip(columns["id"].tolist(), columns["area"].tolist(), strict=True))
        return np.array([area.get(item, "") for item in ids], dtype=np.str_)
