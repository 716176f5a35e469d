"""Where a warning holds, for CAP: hulls of areas and circles, in degrees."""

from dataclasses import dataclass
from math import cos, degrees, radians

import numpy as np
from numpy.typing import NDArray

from sensors.city import City

EARTH_M = 6_371_008.8
"""Mean radius of the earth (IUGG)."""
_LEAST_CORNERS = 3


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the point 0, 0 of the city's plane lies, degrees.

    A made-up city lies at 0, 0 in the Gulf of Guinea unless it is told otherwise, so that no
    exercise message covers a place where people live.
    """

    longitude: float = 0.0
    latitude: float = 0.0

    def degrees(self, x_m: float, y_m: float) -> tuple[float, float]:
        """Return latitude and longitude of a place of the plane (equirectangular)."""
        latitude = self.latitude + degrees(y_m / EARTH_M)
        shrink = max(cos(radians(self.latitude)), 1e-6)
        return latitude, self.longitude + degrees(x_m / (EARTH_M * shrink))


class CapPlaces:
    """Outlines of a city's areas."""

    def __init__(self, city: City, origin: Origin) -> None:
        nodes = city.tables["nodes"]
        self._area = np.array(nodes.column("area").to_pylist(), dtype=object)
        x_m = nodes.column("x_m").to_numpy(zero_copy_only=False)
        y_m = nodes.column("y_m").to_numpy(zero_copy_only=False)
        self._places = np.stack([x_m, y_m], axis=1).astype(np.float64).reshape(-1, 2)
        self._middles = {row["id"]: (row["x_m"], row["y_m"]) for row in city.rows("areas")}
        self._origin = origin
        self._outlines: dict[str, str] = {}

    def polygon(self, area: str) -> str:
        """Return the hull of an area's nodes as a CAP polygon; empty when they span none.

        An area the city does not have means the whole city.
        """
        if area not in self._outlines:
            inside = self._area == area
            places = self._places[inside] if inside.any() else self._places
            corners = hull(places)
            self._outlines[area] = " ".join(map(self._pair, (*corners, *corners[:1])))
        return self._outlines[area]

    def circle(self, x_m: float, y_m: float, radius_km: float) -> str:
        """Return a CAP circle: its middle in degrees and its radius in kilometres."""
        return f"{self._pair((x_m, y_m))} {radius_km:g}"

    def middle(self, area: str) -> tuple[float, float]:
        """Return the middle of an area; of the city's nodes for one it does not have."""
        if area in self._middles:
            return self._middles[area]
        if not len(self._places):
            return 0.0, 0.0
        x_m, y_m = self._places.mean(axis=0).tolist()
        return x_m, y_m

    def _pair(self, place: tuple[float, float]) -> str:
        latitude, longitude = self._origin.degrees(*place)
        return f"{latitude:.6f},{longitude:.6f}"


def hull(places: NDArray[np.float64]) -> tuple[tuple[float, float], ...]:
    """Return the corners of the convex hull, anticlockwise (monotone chain).

    Args:
        places: Easting and northing, one row a place.

    Returns:
        At least three corners, or none when the places lie on one line.
    """
    points = [(float(x), float(y)) for x, y in np.unique(places, axis=0)]
    lower, upper = _half(points), _half(points[::-1])
    corners = (*lower[:-1], *upper[:-1])
    return corners if len(corners) >= _LEAST_CORNERS else ()


def _half(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    chain: list[tuple[float, float]] = []
    for point in points:
        while len(chain) >= 2 and _turn(chain[-2], chain[-1], point) <= 0:
            chain.pop()
        chain.append(point)
    return chain


def _turn(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> float:
    """Return twice the area of a triangle, positive when it is walked anticlockwise."""
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
