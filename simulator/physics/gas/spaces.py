"""Methane in underground spaces: boxes of mixed air, fed through the soil, aired by wind."""

import numpy as np
from numpy.typing import NDArray

from simulator.errors import PhysicsError
from simulator.physics.gas.laws import NORMAL_K, Floats
from simulator.physics.gas.model import GasModel
from simulator.physics.gas.soil import SoilPaths

_HOUR_S = 3600.0
_YEAR_DAYS = 365.2425
_SETTLED_S = 1e9


class Spaces:
    """The air of all spaces of a network, as columns in the order of the file.

    A space is one box of well-mixed air (a tunnel a row of them): fresh air F and escaping gas
    S come in, the mixture F + S leaves, V dc/dt = F c_in + m - (F + S) c with m the methane
    in S. For inputs that stay the same over a step the step is exact, whatever its length.
    Between pipe and space the soil is a store that fills and empties with a time constant in
    proportion to the distance; a step passes on what leaves the store, so methane is neither
    made nor lost.

    Attributes:
        soil: The soil between pipes and spaces.
        share: Share of methane in each space's air, 0 to 1.
        extra_changes_h: Air changes an hour by fans, on top of the natural ones.
        biogas_m3_h: Methane each sewage source is on its way to, on the warmest day.
        wind_m_s: Wind.
        entered_m3: Methane that entered all spaces since the start.
        left_m3: Methane that left them.
    """

    def __init__(self, model: GasModel) -> None:
        """Read the spaces of a network; their air is clean until `settle` or `step`."""
        spaces = model.spaces
        self.volume_m3: Floats = np.array(spaces.volume_m3, dtype=np.float64)
        count = len(self.volume_m3)
        self._still = np.array(spaces.air_changes_h, dtype=np.float64)
        self._by_wind = np.array(spaces.wind_changes_h, dtype=np.float64)
        self._place = {name: number for number, name in enumerate(spaces.id)}
        self._upstream = np.array([self._place.get(name, -1) for name in spaces.upstream], int)
        self._head, self._ranks = _rows(self._upstream)
        is_last = np.ones(count, dtype=bool)
        is_last[self._upstream[self._upstream >= 0]] = False
        self._is_last = is_last
        self._gas, self._season = model.gas, model.biogas
        self._expansion = model.gas.temperature_k / NORMAL_K
        self.soil = SoilPaths(model, self._place)
        self.wind_m_s = model.wind_m_s
        self.extra_changes_h = np.zeros(count)
        self.usual_biogas_m3_h: Floats = np.array(spaces.biogas_m3_h, dtype=np.float64)
        self.biogas_m3_h = self.usual_biogas_m3_h.copy()
        self._growing = self.biogas_m3_h.copy()
        self.share = np.zeros(count)
        self.entered_m3 = self.left_m3 = 0.0

    def settle(self, day: float) -> None:
        """Set every space to its steady state without leaks on a day of the year."""
        for _ in range(len(self._ranks)):
            self.step(_SETTLED_S, np.zeros(self.soil.pipes), np.zeros(len(self.share)), day)
        self.entered_m3 = self.left_m3 = 0.0

    def step(self, seconds: float, leak_nm3_h: Floats, well_nm3_h: Floats, day: float) -> None:
        """Advance by a step over which everything outside stays the same.

        Args:
            seconds: Length of the step.
            leak_nm3_h: Gas that leaks from each pipe.
            well_nm3_h: Gas that leaks right into each space, from its valve.
            day: Day of the year, for sewer gas.
        """
        hours = seconds / _HOUR_S
        gas = (self.soil.step(seconds, leak_nm3_h) + well_nm3_h) * self._expansion
        sewage = self._sewage(seconds) * self._warmth(day)
        inflow, methane = gas + sewage, gas * self._gas.methane_share + sewage
        self.entered_m3 += float(methane.sum()) * hours
        through = self._fresh_air() + inflow
        mean = np.zeros(len(self.share))
        for rank in self._ranks:
            up = self._upstream[rank]
            if len(up) and up[0] >= 0:
                through[rank] = through[up] + inflow[rank]
                methane[rank] += through[up] * mean[up]
            steady = methane[rank] / through[rank]
            turns = through[rank] * hours / self.volume_m3[rank]
            gone = -np.expm1(-turns)
            mean[rank] = steady + (self.share[rank] - steady) * gone / turns
            self.share[rank] += (steady - self.share[rank]) * gone
        self.left_m3 += float((through * mean)[self._is_last].sum()) * hours

    @property
    def methane_m3(self) -> float:
        """Methane in the air of all spaces now."""
        return float(self.share @ self.volume_m3)

    def _fresh_air(self) -> Floats:
        """Return the m3/h of outside air; fans anywhere in a tunnel drive its whole row."""
        natural = (self._still + self._by_wind * self.wind_m_s) * self.volume_m3
        fans = np.bincount(self._head, self.extra_changes_h * self.volume_m3, len(natural))
        return natural + fans

    def _sewage(self, seconds: float) -> Floats:
        """Let sewer gas grow toward its target and return the mean of the step, m3/h."""
        turns = seconds / self._season.rise_s
        gone = -float(np.expm1(-turns))
        target, now = self.biogas_m3_h, self._growing
        mean: Floats = target + (now - target) * (gone / turns)
        self._growing = now + (target - now) * gone
        return mean

    def _warmth(self, day: float) -> float:
        """Return sewer gas on a day as a share of the warmest day's."""
        season = self._season
        wave = np.cos(2 * np.pi * (day - season.warmest_day) / _YEAR_DAYS)
        return float(season.cold_factor + (1 - season.cold_factor) * (1 + wave) / 2)


def _rows(upstream: NDArray[np.int64]) -> tuple[NDArray[np.int64], list[NDArray[np.int64]]]:
    """Return the first section of each space's row, and spaces by their place in the row."""
    head = np.arange(len(upstream))
    rank = np.zeros(len(upstream), dtype=np.int64)
    at = upstream.copy()
    while (at >= 0).any():
        further = at >= 0
        if rank.max() > len(upstream):
            raise PhysicsError("gas network, spaces.upstream: a row of sections bites its tail")
        rank[further] += 1
        head[further] = at[further]
        at[further] = upstream[at[further]]
    return head, [np.flatnonzero(rank == number) for number in range(int(rank.max(initial=0)) + 1)]
