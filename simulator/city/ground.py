"""The ground a city stands on: streets, terrain, river, districts, areas and people."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.city.drawing import Floats
from simulator.city.people import areas, districts, people
from simulator.city.streets import lay_streets
from simulator.city.terrain import terrain, underpasses
from simulator.errors import PhysicsError

LEAST_CORNERS = 60
CORNERS_PER_UNDERPASS = 250
"""One underpass for so many corners (proposed)."""


@dataclass(frozen=True)
class Ground:
    """Streets and what lies between them, before any pipe is laid.

    A corner is where streets meet. Water mains, gas mains and drains lie in the streets, and
    their nodes at the corners, so everything built on the ground numbers them alike.

    Attributes:
        seed: Seed it was laid from.
        x_m: Easting of each corner.
        y_m: Northing of each corner.
        elevation_m: Ground level of each corner.
        people: People living round each corner.
        area: Area (district metered area) of each corner, such as `D001`; areas are connected
            by streets and hold about 50 corners.
        district: District id of each corner; an area lies in one district.
        ends: Corners at the two ends of each street, (streets, 2), first below second; every
            corner can be reached from every other.
        length_m: Length of each street.
        road_kind: `arterial`, `street` or `bridge` of each street.
        river_m: Middle line of the river, (points, 2), from its upper to its lower end.
        river_width_m: Width of the river.
        underpasses: Corners whose road dips below the ground around it, ascending.
    """

    seed: int
    x_m: Floats
    y_m: Floats
    elevation_m: Floats
    people: Floats
    area: tuple[str, ...]
    district: tuple[str, ...]
    ends: NDArray[np.int64]
    length_m: Floats
    road_kind: tuple[str, ...]
    river_m: Floats
    river_width_m: float
    underpasses: NDArray[np.int64]


def corner_id(corner: int) -> str:
    """Return the id of a corner as a node of the road graph: `N00001` for the first."""
    return f"N{corner + 1:05d}"


def street_id(street: int) -> str:
    """Return the id of a street as a link of the road graph: `R00001` for the first."""
    return f"R{street + 1:05d}"


def lay_ground(seed: int, corners: int) -> Ground:
    """Return the ground of a city of so many corners, the same for the same seed.

    Raises:
        PhysicsError: fewer than 60 corners are asked for.
    """
    if corners < LEAST_CORNERS:
        raise PhysicsError(f"a city of {corners} corners; ask for {LEAST_CORNERS} or more")
    streets = lay_streets(seed, corners)
    elevation_m = terrain(seed, streets)
    area = areas(streets)
    dips = underpasses(seed, streets, elevation_m, max(1, round(corners / CORNERS_PER_UNDERPASS)))
    return Ground(
        seed=seed,
        x_m=streets.x_m,
        y_m=streets.y_m,
        elevation_m=elevation_m,
        people=people(seed, streets),
        area=tuple(f"D{label + 1:03d}" for label in area.tolist()),
        district=tuple(f"X{label + 1:02d}" for label in districts(streets, area).tolist()),
        ends=streets.ends,
        length_m=streets.length_m,
        road_kind=streets.kind,
        river_m=streets.river_m,
        river_width_m=streets.river_width_m,
        underpasses=np.array(dips, dtype=np.int64),
    )
