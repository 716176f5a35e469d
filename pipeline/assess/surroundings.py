"""What lies around a point: gas pipes and spaces, drainage pumps, people; looked up by place."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sensors.city import City, Row
from sensors.quantities import GAS_PRESSURE, METHANE, METHANE_LEL, PUMP_STATE, WATER_LEVEL
from sensors.readings import Floats, Int64s
from sensors.registry import Registry

VOL_PER_LEL = 0.05
"""%VOL of methane in one %LEL: its lower explosive limit is 5 %VOL."""

Place = tuple[float, float]


@dataclass(frozen=True)
class Surroundings:
    """Elements, pumps and people of one city, as columns.

    Attributes:
        kind: Kind of each device.
        domain: Domain of each device.
        methane: Numbers of the devices that measure methane, ascending.
        to_vol: What turns each device's value into %VOL; NaN where it is no methane.
        gas_pipes: Ids of the gas pipes.
        gas_from_m, gas_to_m: Ends of the gas pipes, (pipes, 2).
        places: Node id → place.
        pumps_at: Node id → drainage pumps that draw from it, by id.
        pump_m: Drainage pump id → place.
        pump_device: Drainage pump id → number of the device that watches it.
        roof_tank: High building → number of the device that watches its roof tank.
        side_by_side: Devices sorted so that those of one element and quantity are together.
        group: Rows of `side_by_side` in which each device's group begins and ends, (devices, 2).
        pressure: Numbers of the devices that measure gas pressure, ascending.
        pressure_m: Their places, (devices that measure gas pressure, 2).
        set_low: The low limit set in each of them: one step of pressure, one limit.
        people: People at the nodes that hold them.
        people_at_m: Places of those nodes, (nodes, 2).
        known_pumps: Answers of `pumps_of` given before; the city does not change.
    """

    kind: tuple[str, ...]
    domain: tuple[str, ...]
    methane: Int64s
    to_vol: Floats
    gas_pipes: tuple[str, ...]
    gas_from_m: Floats
    gas_to_m: Floats
    places: Mapping[str, Place]
    pumps_at: Mapping[str, tuple[str, ...]]
    pump_m: Mapping[str, Place]
    pump_device: Mapping[str, int]
    roof_tank: Mapping[str, int]
    side_by_side: Int64s
    group: Int64s
    pressure: Int64s
    pressure_m: Floats
    set_low: Floats
    people: Floats
    people_at_m: Floats
    known_pumps: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, registry: Registry, city: City) -> "Surroundings":
        """Read the tables of `city` and the devices of `registry`."""
        nodes, links = city.rows("nodes"), city.rows("links")
        places = {row["id"]: (float(row["x_m"]), float(row["y_m"])) for row in nodes}
        links = [row for row in links if row["from_node"] in places and row["to_node"] in places]
        gas = [row for row in links if row["domain"] == "gas" and row["kind"] == "pipe"]
        pumps = [row for row in links if row["domain"] == "flood" and row["kind"] == "pump"]
        pumps_at: dict[str, tuple[str, ...]] = {}
        for row in sorted(pumps, key=lambda row: str(row["id"])):
            pumps_at[row["from_node"]] = (*pumps_at.get(row["from_node"], ()), row["id"])
        quantity = np.array(registry.texts("quantity"), dtype=str)
        to_vol = np.full(len(registry), np.nan)
        to_vol[quantity == METHANE.name] = 1.0
        to_vol[quantity == METHANE_LEL.name] = VOL_PER_LEL
        domain, element = registry.texts("domain"), registry.texts("element")
        watches = np.flatnonzero(quantity == PUMP_STATE.name).tolist()
        levels = np.flatnonzero(quantity == WATER_LEVEL.name).tolist()
        crowd = _crowd(nodes)
        pressure = np.flatnonzero(quantity == GAS_PRESSURE.name).astype(np.int64)
        x_m, y_m = registry.numbers("x_m")[pressure], registry.numbers("y_m")[pressure]
        side_by_side, group = _side_by_side(np.array(element, dtype=str), quantity)
        return cls(
            kind=tuple(registry.texts("kind")),
            domain=tuple(domain),
            methane=np.flatnonzero(np.isfinite(to_vol)).astype(np.int64),
            to_vol=to_vol,
            gas_pipes=tuple(row["id"] for row in gas),
            gas_from_m=_points([places[row["from_node"]] for row in gas]),
            gas_to_m=_points([places[row["to_node"]] for row in gas]),
            places=places,
            pumps_at=pumps_at,
            pump_m={row["id"]: places[row["from_node"]] for row in pumps},
            pump_device={element[n]: n for n in watches if domain[n] == "flood"},
            roof_tank={element[n]: n for n in levels if domain[n] == "fire"},
            side_by_side=side_by_side,
            group=group,
            pressure=pressure,
            pressure_m=np.column_stack([x_m, y_m]),
            set_low=registry.numbers("alarm_low")[pressure],
            people=np.array([row["people"] for row in crowd], dtype=np.float64),
            people_at_m=_points([places[row["id"]] for row in crowd]),
        )

    def colleagues(self, number: int) -> Int64s:
        """Return the other devices that measure the same quantity at the same element."""
        begin, end = self.group[number].tolist()
        together = self.side_by_side[begin:end]
        others: Int64s = together[together != number]
        return others

    def beside(self, number: int, distance_m: float) -> Int64s:
        """Return the devices that would show it too if what a device shows were so.

        Of gas pressure they are those of the same step within a distance, because pipes that are
        joined fall together; else those at the same element (`colleagues`).
        """
        place = int(np.searchsorted(self.pressure, number))
        if place == len(self.pressure) or self.pressure[place] != number:
            return self.colleagues(number)
        here_m, low = self.pressure_m[place], self.set_low[place]
        is_near = _distance_m(self.pressure_m, (here_m[0], here_m[1])) <= distance_m
        is_near &= (self.set_low == low) | (np.isnan(self.set_low) & np.isnan(low))
        is_near[place] = False
        found: Int64s = self.pressure[is_near]
        return found

    def people_near(self, place: Place, distance_m: float) -> float:
        """Return how many people live within a distance of a place."""
        if not len(self.people):
            return 0.0
        return float(self.people[_distance_m(self.people_at_m, place) <= distance_m].sum())

    def pipes_near(self, place: Place, distance_m: float) -> NDArray[np.intp]:
        """Return the rows of the gas pipes that pass within a distance of a place."""
        if not self.gas_pipes:
            return np.zeros(0, np.intp)
        rows = np.arange(len(self.gas_pipes))
        return np.flatnonzero(self.pipe_distance_m(rows, place) <= distance_m)

    def pipe_distance_m(self, rows: NDArray[np.intp], place: Place) -> Floats:
        """Return the distance of a place from each of some gas pipes."""
        return _distance_m(self.feet_m(rows, place), place)

    def feet_m(self, rows: NDArray[np.intp], place: Place) -> Floats:
        """Return the point of each of some gas pipes that is nearest to a place, (rows, 2)."""
        first, way = self.gas_from_m[rows], self.gas_to_m[rows] - self.gas_from_m[rows]
        length = np.maximum((way**2).sum(axis=1), 1e-9)
        share = (((np.asarray(place) - first) * way).sum(axis=1) / length).clip(0.0, 1.0)
        feet: Floats = first + share[:, None] * way
        return feet

    def pumps_of(self, element: str, reach_m: float) -> tuple[str, ...]:
        """Return the drainage pumps of a spot: those that draw from it, else the nearest ones."""
        if element not in self.known_pumps:
            self.known_pumps[element] = self._find_pumps(element, reach_m)
        return self.known_pumps[element]

    def _find_pumps(self, element: str, reach_m: float) -> tuple[str, ...]:
        own = self.pumps_at.get(element, ())
        here = self.places.get(element)
        if own or here is None:
            return own
        near = {
            pump: float(np.hypot(place[0] - here[0], place[1] - here[1]))
            for pump, place in self.pump_m.items()
        }
        closest = min(near.values(), default=np.inf)
        if closest > reach_m:
            return ()
        return tuple(sorted(pump for pump, metres in near.items() if metres <= closest + 1.0))


def _side_by_side(element: NDArray[np.str_], quantity: NDArray[np.str_]) -> tuple[Int64s, Int64s]:
    """Return devices sorted by element and quantity, and where each one's group lies in that."""
    if not len(element):
        return np.zeros(0, np.int64), np.zeros((0, 2), np.int64)
    order = np.lexsort((quantity, element)).astype(np.int64)
    at, what = element[order], quantity[order]
    is_first = np.r_[True, (at[1:] != at[:-1]) | (what[1:] != what[:-1])]
    begins = np.flatnonzero(is_first)
    ends = np.r_[begins[1:], len(order)]
    run = np.cumsum(is_first) - 1
    group = np.empty((len(order), 2), np.int64)
    group[order] = np.column_stack([begins[run], ends[run]])
    return order, group


def _crowd(nodes: list[Row]) -> list[Row]:
    """Return the nodes that hold people, of the one domain that counts most of them.

    Water, gas and high-rise tables may each say where the same people live.
    """
    total: dict[str, float] = {}
    for row in nodes:
        total[row["domain"]] = total.get(row["domain"], 0.0) + (row["people"] or 0.0)
    most = max(sorted(total), key=lambda domain: total[domain], default="")
    return [row for row in nodes if row["domain"] == most and (row["people"] or 0.0) > 0]


def _points(places: list[Place]) -> Floats:
    return np.array(places, dtype=np.float64).reshape(-1, 2)


def _distance_m(points: Floats, place: Place) -> Floats:
    metres: Floats = np.hypot(points[:, 0] - place[0], points[:, 1] - place[1])
    return metres
