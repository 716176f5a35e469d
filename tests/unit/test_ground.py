"""The ground of a city: connected streets, bridges, a valley, areas within districts."""

from collections import Counter
from functools import cache

import networkx as nx
import numpy as np
import pytest

from simulator.city.ground import Ground, lay_ground
from simulator.errors import PhysicsError

CASES = [(seed, corners) for corners in (60, 80, 300) for seed in range(1, 7)] + [(1, 1000)]


@cache
def ground(seed: int, corners: int) -> Ground:
    return lay_ground(seed, corners)


def graph_of(laid: Ground) -> nx.Graph:
    graph = nx.Graph(laid.ends.tolist())
    graph.add_nodes_from(range(len(laid.x_m)))
    return graph


def off_the_river_m(laid: Ground, points: np.ndarray) -> np.ndarray:
    """Distance of points from the middle line of the river."""
    start, end = laid.river_m[:-1], laid.river_m[1:]
    along = end - start
    share = np.einsum("psk,sk->ps", points[:, None] - start, along) / (along**2).sum(axis=1)
    nearest = start + np.clip(share, 0, 1)[..., None] * along
    return np.hypot(*np.moveaxis(points[:, None] - nearest, -1, 0)).min(axis=1)


@pytest.mark.parametrize(("seed", "corners"), CASES)
def test_every_corner_reaches_every_other(seed: int, corners: int) -> None:
    laid = ground(seed, corners)
    assert len(laid.x_m) == corners
    assert (laid.ends[:, 0] < laid.ends[:, 1]).all()
    assert nx.is_connected(graph_of(laid))


@pytest.mark.parametrize(("seed", "corners"), CASES)
def test_the_river_is_crossed_by_bridges_only_and_by_two_at_least(seed: int, corners: int) -> None:
    laid = ground(seed, corners)
    assert laid.road_kind.count("bridge") >= 2
    places = np.column_stack((laid.x_m, laid.y_m))
    steps = np.linspace(0, 1, 21)[:, None]
    for (a, b), kind in zip(laid.ends, laid.road_kind, strict=True):
        if kind != "bridge":
            points = places[a] * (1 - steps) + places[b] * steps
            assert off_the_river_m(laid, points).min() > 0.4 * laid.river_width_m


@pytest.mark.parametrize(("seed", "corners"), CASES)
def test_areas_are_connected_and_lie_in_one_of_three_or_more_districts(
    seed: int, corners: int
) -> None:
    laid = ground(seed, corners)
    graph = graph_of(laid)
    names = np.array(laid.area)
    for area, size in Counter(laid.area).items():
        inside = np.flatnonzero(names == area).tolist()
        assert nx.is_connected(graph.subgraph(inside))
        assert len({laid.district[corner] for corner in inside}) == 1
        assert 10 <= size <= 110
    assert 3 <= len(set(laid.district)) <= 12


def test_the_ground_falls_toward_the_river_and_underpasses_lie_low() -> None:
    laid = ground(1, 1000)
    away_m = off_the_river_m(laid, np.column_stack((laid.x_m, laid.y_m)))
    near, far = np.quantile(away_m, [0.2, 0.8])
    rise_m = laid.elevation_m[away_m > far].mean() - laid.elevation_m[away_m < near].mean()
    assert 3 < rise_m < 40
    assert len(laid.underpasses) == 4
    assert laid.elevation_m[laid.underpasses].mean() < laid.elevation_m.mean()


def test_people_are_many_and_denser_in_the_middle() -> None:
    laid = ground(1, 1000)
    away = np.hypot(laid.x_m - laid.x_m.mean(), laid.y_m - laid.y_m.mean())
    assert laid.people.sum() == pytest.approx(300_000)
    assert laid.people[away < np.quantile(away, 0.1)].mean() > 1.5 * laid.people.mean()


def test_the_same_seed_gives_the_same_ground_and_another_another() -> None:
    first, again, other = lay_ground(5, 120), lay_ground(5, 120), lay_ground(6, 120)
    for name in ("x_m", "elevation_m", "people", "ends", "length_m", "river_m"):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
    assert first.area == again.area
    assert not np.array_equal(first.x_m, other.x_m)


def test_too_few_corners_are_refused() -> None:
    with pytest.raises(PhysicsError, match="60 or more"):
        lay_ground(1, 59)
