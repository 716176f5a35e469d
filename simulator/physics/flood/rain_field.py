"""What rains where: the sum of the storms over the city, exact in its integral."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from simulator.physics.flood.storm import Storm

Floats = NDArray[np.float64]

_CELL_MS = 60_000
_HOUR_MS = 3_600_000


class RainField:
    """What rains where: the sum of storms that come, pass and go.

    Within each minute of a storm its centre stands still at the place of the minute's middle,
    so the intensity at a point is piecewise constant and what falls is its exact integral.
    A Gaussian around the centre gives the rain beside it: exp(-(distance / radius)²).
    """

    def __init__(self, storms: Iterable[Storm] = ()) -> None:
        """Start with these storms; more may be added while time passes."""
        self._storms = list(storms)

    @property
    def storms(self) -> tuple[Storm, ...]:
        """The storms, in the order they were given."""
        return tuple(self._storms)

    def add(self, storm: Storm) -> None:
        """Add a storm; it should begin no earlier than what has been read from the field."""
        self._storms.append(storm)

    def intensity_mm_h(self, time_ms: int, x_m: Floats, y_m: Floats) -> Floats:
        """Return the intensity at points (n,) at one moment, mm/h."""
        total = np.zeros(len(x_m))
        for storm in self._storms:
            if storm.start_ms <= time_ms < storm.end_ms:
                step = (time_ms - storm.start_ms) // (storm.step_s * 1000)
                cell = (time_ms - storm.start_ms) // _CELL_MS
                total += storm.rate_mm_h[step] * _share(storm, np.array([cell]), x_m, y_m)[0]
        return total

    def fallen_mm(self, from_ms: int, to_ms: int, x_m: Floats, y_m: Floats) -> Floats:
        """Return the rain that falls at points (n,) between two moments, mm."""
        total = np.zeros(len(x_m))
        for storm in self._storms:
            start, end = max(from_ms, storm.start_ms), min(to_ms, storm.end_ms)
            if start < end:
                cells, depth_mm = _cells(storm, start - storm.start_ms, end - storm.start_ms)
                total += depth_mm @ _share(storm, cells, x_m, y_m)
        return total

    def next_rain_ms(self, time_ms: int) -> int | None:
        """Return when rain is due next, `time_ms` itself while it rains, None: no more storm.

        It is rain at the centre that counts, so it may come earlier than rain at any gauge.
        """
        due = [moment for storm in self._storms if (moment := _next(storm, time_ms)) is not None]
        return min(due, default=None)


def _next(storm: Storm, time_ms: int) -> int | None:
    """Return the first moment from `time_ms` on at which the storm rains."""
    step_ms = storm.step_s * 1000
    first = max((time_ms - storm.start_ms) // step_ms, 0)
    for step in range(first, len(storm.rate_mm_h)):
        if storm.rate_mm_h[step] > 0:
            return max(storm.start_ms + step * step_ms, time_ms)
    return None


def _cells(storm: Storm, start_ms: int, end_ms: int) -> tuple[NDArray[np.int64], Floats]:
    """Return the minutes a span of the storm touches and the depth at the centre in each, mm.

    Spans are cut where a minute or a step of the storm ends.
    """
    minutes = np.arange(start_ms // _CELL_MS + 1, (end_ms - 1) // _CELL_MS + 1) * _CELL_MS
    step_ms = storm.step_s * 1000
    steps = np.arange(start_ms // step_ms + 1, (end_ms - 1) // step_ms + 1) * step_ms
    cuts = np.unique(np.concatenate(([start_ms], minutes, steps, [end_ms])))
    rates = np.array(storm.rate_mm_h)[cuts[:-1] // step_ms]
    return cuts[:-1] // _CELL_MS, rates * np.diff(cuts) / _HOUR_MS


def _share(storm: Storm, cells: NDArray[np.int64], x_m: Floats, y_m: Floats) -> Floats:
    """Return the share of the centre's rain at each point, (cells, points)."""
    if not np.isfinite(storm.radius_m):
        return np.ones((len(cells), len(x_m)))
    time_s = (cells[:, None] + 0.5) * (_CELL_MS / 1000)
    dx = x_m[None, :] - (storm.x_m + storm.vx_m_s * time_s)
    dy = y_m[None, :] - (storm.y_m + storm.vy_m_s * time_s)
    share: Floats = np.exp(-(dx**2 + dy**2) / storm.radius_m**2)
    return share
