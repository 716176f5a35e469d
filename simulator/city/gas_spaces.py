"""Spaces beside gas pipes: manholes, valve wells, regulator stations and utility tunnels."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.city.drawing import Floats
from simulator.city.gas_rates import Air, GasRates
from simulator.city.gas_routes import Places, Routes
from simulator.city.gas_sizing import Mains
from simulator.city.ground import Ground
from simulator.physics.gas.model import Hearing, Spaces
from simulator.randomness import keys, stream, uniform


@dataclass(frozen=True)
class Sited:
    """Spaces and where they are.

    Attributes:
        spaces: As the model file has them.
        hearing: As the model file has it.
        corner: Corner of each space.
    """

    spaces: Spaces
    hearing: Hearing
    corner: Places


def site_spaces(
    ground: Ground, routes: Routes, rates: GasRates, mains: Mains, pipe_ids: Sequence[str]
) -> Sited:
    """Return the spaces of a network and which pipes send them gas.

    What is drawn for a space follows from the seed and its own id alone. A pipe that lies in a
    tunnel sends gas to the tunnel only.
    """
    yard = _Yard(ground, mains, pipe_ids)
    figures = rates.spaces
    tunnels, in_tunnel = _tunnels(yard, rates)
    yard.open_air = ~in_tunnel
    corners = np.arange(len(ground.x_m))
    manhole = [f"GH{corner + 1:05d}" for corner in corners]
    beside = corners[yard.draw("manhole", manhole, (0.0, 1.0)) < figures.manhole_share]
    manhole = [manhole[corner] for corner in beside]
    sewer = yard.draw("sewer", manhole, (0.0, 1.0)) < figures.sewer_share
    mains_at = np.unique(ground.ends[routes.medium])
    wells = mains_at[:: figures.well_every]
    parts = [
        yard.sited("manhole_space", figures.manhole, manhole, beside, np.ones_like(in_tunnel)),
        yard.sited(
            "valve_well", figures.well, [f"GV{c + 1:05d}" for c in wells], wells, mains.is_medium
        ),
        yard.sited(
            "station",
            figures.station,
            [f"GT{c + 1:05d}" for c in routes.regulators],
            routes.regulators,
            np.ones_like(in_tunnel),
        ),
        tunnels,
    ]
    _flow_biogas(parts[0].spaces, sewer, figures.sewer_biogas_m3_h)
    parts[1].spaces.node[:] = [f"GM{corner + 1:05d}" for corner in wells]
    return _joined(parts)


class _Yard:
    """Draws what spaces are like, and knows which pipes end at which corner."""

    def __init__(self, ground: Ground, mains: Mains, pipe_ids: Sequence[str]) -> None:
        self.ground, self.mains, self.pipe_ids = ground, mains, pipe_ids
        self.ends = ground.ends[mains.street]
        self.open_air = np.ones(len(pipe_ids), dtype=bool)

    def draw(self, purpose: str, ids: Sequence[str], bounds: tuple[float, float]) -> Floats:
        """Return a number between the bounds for each id, whatever the other ids."""
        if not ids:
            return np.zeros(0)
        low, high = bounds
        return low + (high - low) * uniform(keys(self.ground.seed, f"gas {purpose}", ids), 0)

    def sited(
        self, kind: str, air: Air, ids: list[str], corner: Places, heard: NDArray[np.bool_]
    ) -> Sited:
        """Return spaces of one kind at corners, each hearing the pipes that end there."""
        where = np.full(len(self.ground.x_m), -1)
        where[corner] = np.arange(len(corner))
        pipes = np.flatnonzero(self.open_air & heard)
        pipes = np.concatenate((pipes, pipes))
        place = where[self.ends[pipes[: len(pipes) // 2]].T.ravel()]
        pipes, place = pipes[place >= 0], place[place >= 0]
        order = np.lexsort((pipes, place))
        space = [ids[number] for number in place[order]]
        pipe = [self.pipe_ids[number] for number in pipes[order]]
        pairs = [f"{one} {other}" for one, other in zip(space, pipe, strict=True)]
        distance = np.round(self.draw("distance", pairs, air.distance_m), 2).tolist()
        spaces = _spaces(
            kind,
            ids,
            self.draw("volume", ids, air.volume_m3),
            self.draw("air", ids, air.changes_h),
            self.draw("wind", ids, air.wind_changes_h),
        )
        return Sited(spaces, Hearing(space=space, pipe=pipe, distance_m=distance), corner)


def _spaces(kind: str, ids: list[str], volume: Floats, changes: Floats, wind: Floats) -> Spaces:
    count = len(ids)
    return Spaces(
        id=ids,
        kind=[kind] * count,
        volume_m3=np.round(volume, 2).tolist(),
        air_changes_h=np.round(changes, 3).tolist(),
        wind_changes_h=np.round(wind, 3).tolist(),
        node=[""] * count,
        upstream=[""] * count,
        is_sewer=[False] * count,
        biogas_m3_h=[0.0] * count,
    )


def _flow_biogas(spaces: Spaces, sewer: NDArray[np.bool_], amount: float) -> None:
    spaces.is_sewer[:] = sewer.tolist()
    spaces.biogas_m3_h[:] = np.where(sewer, amount, 0.0).tolist()


def _tunnels(yard: _Yard, rates: GasRates) -> tuple[Sited, NDArray[np.bool_]]:
    """Return tunnels under runs of medium mains, one section a pipe, and which pipes they hold."""
    figures = rates.spaces
    ids: list[str] = []
    upstream: list[str] = []
    held: list[int] = []
    for tunnel in range(max(1, len(yard.ground.x_m) // figures.tunnel_corners)):
        run = _run(yard, tunnel, set(held), figures.tunnel_sections)
        for number, pipe in enumerate(run):
            upstream.append(ids[-1] if number else "")
            ids.append(f"GU{tunnel + 1:02d}S{number + 1}")
            held.append(pipe)
    pipes = np.array(held, dtype=np.int64)
    length_m = yard.ground.length_m[yard.mains.street[pipes]]
    changes = figures.tunnel_air_m_s * 3600 / length_m
    spaces = _spaces("tunnel", ids, length_m * figures.tunnel_m2, changes, np.zeros(len(ids)))
    spaces.upstream[:] = upstream
    hearing = Hearing(
        space=list(ids),
        pipe=[yard.pipe_ids[pipe] for pipe in held],
        distance_m=[0.0] * len(ids),
    )
    in_tunnel = np.zeros(len(yard.pipe_ids), dtype=bool)
    in_tunnel[pipes] = True
    return Sited(spaces, hearing, yard.ends[pipes, 0]), in_tunnel


def _run(yard: _Yard, tunnel: int, taken: set[int], most: int) -> list[int]:
    """Return medium mains one after the other, each the straightest way on."""
    random = stream(yard.ground.seed, "gas", "tunnel", str(tunnel))
    is_free = yard.mains.is_medium.copy()
    is_free[sorted(taken)] = False
    free = np.flatnonzero(is_free)
    if not len(free):
        return []
    pipe = int(free[random.integers(len(free))])
    last, corner = (int(end) for end in yard.ends[pipe])
    run, seen = [pipe], {last, corner}
    while len(run) < most:
        touching = free[(yard.ends[free] == corner).any(axis=1)]
        onward = yard.ends[touching].sum(axis=1) - corner
        best, straightest = -1, -np.inf
        for number, other in zip(touching.tolist(), onward.tolist(), strict=True):
            along = _along(yard.ground, last, corner, other)
            if other not in seen and along > straightest:
                best, straightest = number, along
        if best < 0:
            break
        last, corner = corner, int(yard.ends[best].sum() - corner)
        run.append(best)
        seen.add(corner)
    return run


def _along(ground: Ground, last: int, corner: int, onward: int) -> float:
    """Return how straight the way on is: 1 straight ahead, -1 back."""
    places = np.column_stack((ground.x_m, ground.y_m))
    before, after = places[corner] - places[last], places[onward] - places[corner]
    return float(before @ after / (np.linalg.norm(before) * np.linalg.norm(after) + 1e-9))


def _joined(parts: Sequence[Sited]) -> Sited:
    spaces = {
        key: [item for part in parts for item in getattr(part.spaces, key)]
        for key in Spaces.__struct_fields__
    }
    hearing = {
        key: [item for part in parts for item in getattr(part.hearing, key)]
        for key in Hearing.__struct_fields__
    }
    corner = np.concatenate([part.corner for part in parts])
    return Sited(Spaces(**spaces), Hearing(**hearing), corner)
