"""Streets, terrain, people and mains of a synthetic town, drawn from one random stream."""

import math
from dataclasses import dataclass, replace
from itertools import pairwise

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from simulator.city.drawing import Floats

DIAMETERS_MM = (100, 150, 200, 250, 300, 400, 500, 600, 800, 1000, 1200, 1400)
"""Sizes pipes come in."""
PERSON_L_DAY = 150.0
"""Water use of a person (proposed), as in the import."""

_BLOCK_M = 170.0
_JITTER = 0.22
_DROPPED = 0.25
_PEOPLE = 300.0
_RELIEF_M = 7.0
_SPEED_M_S = 0.9
_PEAK = 1.6
_SOURCE_SHARE = 0.75


@dataclass(frozen=True)
class Town:
    """A town before it has a pump station: junctions, pipes and where water comes from.

    Attributes:
        x_m: Easting of each junction.
        y_m: Northing of each junction.
        elevation_m: Ground level of each junction.
        demand_l_s: Mean demand of each junction.
        ends: Junctions at the two ends of each pipe, (pipes, 2).
        length_m: Length of each pipe.
        diameter_mm: Diameter of each pipe.
        roughness: Hazen-Williams coefficient of each pipe.
        station: Junction the pump station feeds.
        tower: Junction the water tower stands at.
    """

    x_m: Floats
    y_m: Floats
    elevation_m: Floats
    demand_l_s: Floats
    ends: NDArray[np.int64]
    length_m: Floats
    diameter_mm: NDArray[np.int64]
    roughness: Floats
    station: int
    tower: int

    def one_size_up(self) -> "Town":
        """Return the same town with every pipe one size larger."""
        sizes = np.array(DIAMETERS_MM)
        places = np.minimum(np.searchsorted(sizes, self.diameter_mm) + 1, len(sizes) - 1)
        return replace(self, diameter_mm=sizes[places])

    def flatter(self, factor: float) -> "Town":
        """Return the same town with its relief scaled by `factor`."""
        mean = self.elevation_m.mean()
        return replace(self, elevation_m=mean + (self.elevation_m - mean) * factor)


def lay_out(random: np.random.Generator, junctions: int) -> Town:
    """Return a town of so many junctions: a jittered street grid with some streets missing.

    Every junction is connected: a random spanning tree of the streets always stays.
    """
    x_m, y_m, streets = _streets(random, junctions)
    ends = _kept(random, streets, junctions)
    dx, dy = x_m[ends[:, 0]] - x_m[ends[:, 1]], y_m[ends[:, 0]] - y_m[ends[:, 1]]
    length_m = np.hypot(dx, dy) * random.uniform(1.0, 1.06, len(ends))
    people = _PEOPLE * random.lognormal(-0.08, 0.4, junctions)
    demand_l_s = people * PERSON_L_DAY / 86_400
    station = int(np.argmin(x_m + y_m))
    tower = int(np.argmax(x_m + y_m))
    return Town(
        x_m=x_m,
        y_m=y_m,
        elevation_m=_terrain(random, x_m, y_m),
        demand_l_s=demand_l_s,
        ends=ends,
        length_m=length_m,
        diameter_mm=_diameters(ends, length_m, demand_l_s, (station, tower)),
        roughness=random.uniform(110.0, 140.0, len(ends)),
        station=station,
        tower=tower,
    )


def _streets(
    random: np.random.Generator, junctions: int
) -> tuple[Floats, Floats, list[tuple[int, int]]]:
    columns = math.ceil(math.sqrt(junctions * 1.2))
    place = np.arange(junctions)
    jitter = random.uniform(-_JITTER, _JITTER, (2, junctions))
    x_m = (place % columns + jitter[0]) * _BLOCK_M
    y_m = (place // columns + jitter[1]) * _BLOCK_M
    east = [(n, n + 1) for n in range(junctions - 1) if (n + 1) % columns]
    north = [(n, n + columns) for n in range(junctions - columns)]
    return x_m - x_m.min(), y_m - y_m.min(), sorted(east + north)


def _kept(
    random: np.random.Generator, streets: list[tuple[int, int]], junctions: int
) -> NDArray[np.int64]:
    """Drop some streets, but none of a random spanning tree."""
    graph = nx.Graph()
    graph.add_nodes_from(range(junctions))
    weights = random.uniform(size=len(streets))
    graph.add_weighted_edges_from(
        (a, b, float(weight)) for (a, b), weight in zip(streets, weights, strict=True)
    )
    tree = {tuple(sorted(edge)) for edge in nx.minimum_spanning_edges(graph, data=False)}
    draws = random.uniform(size=len(streets))
    kept = [
        street
        for street, draw in zip(streets, draws, strict=True)
        if street in tree or draw >= _DROPPED
    ]
    return np.array(kept, dtype=np.int64).reshape(-1, 2)


def _terrain(random: np.random.Generator, x_m: Floats, y_m: Floats) -> Floats:
    """Return gentle hills: three long waves, a few metres high."""
    ground = np.full(len(x_m), 30.0)
    size = max(float(np.ptp(x_m)), float(np.ptp(y_m)), 1.0)
    for _ in range(3):
        angle, phase = random.uniform(0, 2 * np.pi, 2)
        wave_m = size * random.uniform(0.8, 1.8)
        along = x_m * math.cos(angle) + y_m * math.sin(angle)
        ground += _RELIEF_M / 3 * np.sin(2 * np.pi * along / wave_m + phase)
    return ground


def _diameters(
    ends: NDArray[np.int64], length_m: Floats, demand_l_s: Floats, sources: tuple[int, int]
) -> NDArray[np.int64]:
    """Size every pipe for the peak flow of the shortest-path trees from both sources."""
    pipe_of = {(int(a), int(b)): pipe for pipe, (a, b) in enumerate(ends)}
    graph = nx.Graph()
    for (a, b), pipe in pipe_of.items():
        graph.add_edge(a, b, weight=float(length_m[pipe]))
    peak_l_s = np.zeros(len(ends))
    for source in sources:
        flow = np.zeros(len(ends))
        for node, path in nx.single_source_dijkstra_path(graph, source).items():
            for a, b in pairwise(path):
                flow[pipe_of[min(a, b), max(a, b)]] += demand_l_s[node]
        peak_l_s = np.maximum(peak_l_s, flow * _PEAK * _SOURCE_SHARE)
    wanted_mm = np.sqrt(4 * peak_l_s / 1000 / (np.pi * _SPEED_M_S)) * 1000
    sizes = np.array(DIAMETERS_MM, dtype=np.int64)
    places = np.minimum(np.searchsorted(sizes, wanted_mm), len(sizes) - 1)
    fitting: NDArray[np.int64] = sizes[places]
    return fitting
