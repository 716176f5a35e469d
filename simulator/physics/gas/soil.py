"""The way of escaping gas through the soil: which share reaches which space, and how late."""

from collections.abc import Mapping

import numpy as np

from simulator.physics.gas.laws import Floats
from simulator.physics.gas.model import GasModel

_DRY = 1e-6


class SoilPaths:
    """Paths from pipes to spaces, as columns; each is a store with a time constant.

    A store that is fed the rate q gives off s with ds/dt = (q - s) / lag and so holds s · lag.
    The share of a leak that takes a path falls with its length; what no path takes reaches the
    open air. A pipe that lies in a space (distance 0) gives that space all, at once.

    Attributes:
        pipes: Number of pipes of the network.
        share: Share of its pipe's leak that takes each path.
        lag_s: Time constant of each path.
    """

    def __init__(self, model: GasModel, space_places: Mapping[str, int]) -> None:
        """Read the paths of a network; `space_places` are the positions of its spaces."""
        pipe_places = {name: number for number, name in enumerate(model.pipes.id)}
        self.pipes = len(pipe_places)
        self._spaces = len(space_places)
        self._pipe = np.array([pipe_places[name] for name in model.hearing.pipe], dtype=np.int64)
        self._space = np.array([space_places[name] for name in model.hearing.space], dtype=np.int64)
        distance_m = np.array(model.hearing.distance_m, dtype=np.float64)
        soil, is_inside = model.soil, distance_m == 0
        self.lag_s: Floats = np.maximum(distance_m * soil.lag_s_per_m, 1e-3)
        inside = np.bincount(self._pipe, is_inside, self.pipes)
        wanted = np.where(is_inside, 1.0, soil.share * np.exp(-distance_m / soil.decay_m))
        wanted[~is_inside & (inside[self._pipe] > 0)] = 0.0
        together = np.bincount(self._pipe, wanted, self.pipes)
        most = np.where(inside > 0, 1.0, soil.most)
        shrink = np.where(inside > 0, most / np.maximum(inside, 1.0), 1.0)
        shrink = np.minimum(shrink, most / np.maximum(together, 1e-12))
        self.share: Floats = wanted * shrink[self._pipe]
        self._given = np.zeros(len(self._pipe))
        self._is_dry = True

    @property
    def held_nm3(self) -> float:
        """Gas on its way through the soil now."""
        return float(self._given @ self.lag_s) / 3600

    def step(self, seconds: float, leak_nm3_h: Floats) -> Floats:
        """Return the mean Nm3/h that reaches each space over a step of steady leaks."""
        if self._is_dry and not leak_nm3_h.any():
            return np.zeros(self._spaces)
        fed = self.share * leak_nm3_h[self._pipe]
        turns = seconds / self.lag_s
        gone = -np.expm1(-turns)
        reached = fed + (self._given - fed) * gone / turns
        self._given += (fed - self._given) * gone
        if not fed.any() and self._given.max(initial=0.0) < _DRY:
            self._given[:] = 0.0
            self._is_dry = True
        else:
            self._is_dry = False
        return np.bincount(self._space, reached, self._spaces).astype(np.float64)
