"""Where devices, permits and gatherings lie: what warning models look up by place."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from sensors.city import City, Row
from sensors.quantities import METHANE, METHANE_LEL, PUMP_STATE
from sensors.readings import Floats
from sensors.registry import Registry

VOL_PER_LEL = 0.05
"""%VOL of methane in one %LEL: its lower explosive limit is 5 %VOL."""
PONDING = ("road_ponding", "underpass_ponding")
Numbers = NDArray[np.intp]


@dataclass(frozen=True)
class Works:
    """A permit or a gathering: where, and from when to when."""

    id: str
    kind: str
    x_m: float
    y_m: float
    start_ms: int
    end_ms: int

    def is_on(self, now_ms: int) -> bool:
        """Return whether it is in force."""
        return self.start_ms <= now_ms <= self.end_ms


@dataclass(frozen=True)
class Site:
    """The devices as columns with what lies around them.

    Attributes:
        registry: The devices.
        kind, quantity, domain, area, element: Columns of the registry, one entry a device.
        place_m: Places, (devices, 2).
        to_vol: What turns each device's value into %VOL of methane; NaN where it is none.
        is_pump: Which devices watch a pump.
        permits: Permits for works.
        gatherings: Mass gatherings: permits of that kind.
        is_whole: Whether devices of different areas are coupled; not so without a city's tables,
            when the stage may be one of several partitions.
    """

    registry: Registry
    kind: NDArray[np.str_]
    quantity: NDArray[np.str_]
    domain: NDArray[np.str_]
    area: NDArray[np.str_]
    element: NDArray[np.str_]
    place_m: Floats
    to_vol: Floats
    is_pump: NDArray[np.bool_]
    permits: tuple[Works, ...]
    gatherings: tuple[Works, ...]
    is_whole: bool
    _trees: dict[tuple[str, str], tuple[Numbers, cKDTree | None]] = field(default_factory=dict)

    @classmethod
    def of(cls, registry: Registry, city: City | None) -> "Site":
        """Read the registry and the tables of `city`."""
        quantity = np.array(registry.texts("quantity"), dtype=str)
        to_vol = np.full(len(registry), np.nan)
        to_vol[quantity == METHANE.name] = 1.0
        to_vol[quantity == METHANE_LEL.name] = VOL_PER_LEL
        permits = () if city is None else _works(city)
        return cls(
            registry,
            np.array(registry.texts("kind"), dtype=str),
            quantity,
            np.array(registry.texts("domain"), dtype=str),
            np.array(registry.texts("area"), dtype=str),
            np.array(registry.texts("element"), dtype=str),
            np.column_stack([registry.numbers("x_m"), registry.numbers("y_m")]).reshape(-1, 2),
            to_vol,
            quantity == PUMP_STATE.name,
            tuple(one for one in permits if one.kind != "gathering"),
            tuple(one for one in permits if one.kind == "gathering"),
            city is not None,
        )

    def near(
        self, column: str, value: str, place: tuple[float, float], reach_m: float, area: str
    ) -> Numbers:
        """Return the devices whose `column` is `value` within a distance, ascending.

        `area` is where the question comes from: others are left out unless `is_whole`.
        """
        numbers, tree = self._tree(column, value)
        if tree is None:
            return numbers
        rows = np.sort(np.asarray(tree.query_ball_point(place, reach_m), dtype=np.intp))
        found: Numbers = numbers[rows]
        return found if self.is_whole else found[self.area[found] == area]

    def nearest(
        self, column: str, value: str, place: tuple[float, float], reach_m: float, area: str
    ) -> int | None:
        """Return the nearest such device, the first registered of several; None for none."""
        found = self.near(column, value, place, reach_m, area)
        if not len(found):
            return None
        away = self.place_m[found] - place
        return int(found[np.argmin(np.hypot(away[:, 0], away[:, 1]))])

    def distance_m(self, number: int, other: int) -> float:
        """Return the distance between two devices; inf where they may not be coupled."""
        if not self.is_whole and self.area[number] != self.area[other]:
            return float("inf")
        return float(np.hypot(*(self.place_m[number] - self.place_m[other])))

    def at(self, number: int) -> tuple[float, float]:
        """Return the place of a device."""
        x_m, y_m = self.place_m[number].tolist()
        return x_m, y_m

    def _tree(self, column: str, value: str) -> tuple[Numbers, cKDTree | None]:
        key = column, value
        if key not in self._trees:
            columns: Mapping[str, NDArray[np.str_]] = {
                "kind": self.kind,
                "quantity": self.quantity,
                "domain": self.domain,
            }
            numbers = np.flatnonzero(columns[column] == value)
            self._trees[key] = numbers, cKDTree(self.place_m[numbers]) if len(numbers) else None
        return self._trees[key]


def _works(city: City) -> tuple[Works, ...]:
    return tuple(_work(row) for row in sorted(city.rows("permits"), key=lambda row: str(row["id"])))


def _work(row: Row) -> Works:
    return Works(
        f"permits/{row['id']}",
        str(row.get("kind") or "permits"),
        float(row["x_m"]),
        float(row["y_m"]),
        int(row["start_ms"] or 0),
        int(row["end_ms"] or 2**62),
    )
