"""Ponding as it emerges: water that stands at a spot becomes a true hazard when deep enough."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sensors.ground_truth import TrueIncident, TrueKind
from sensors.levels import Level
from simulator.hazards.elements import Element
from simulator.incidents.limits import level_of, truth_limits
from simulator.incidents.plan import CAUSES
from simulator.incidents.truth import TruthKeeper

_HOUR_MS = 3_600_000
_CAUSES = CAUSES | {TrueKind.BURST, TrueKind.SLOW_LEAK}


class PondingWatch:
    """Follows the depth at all spots and tells the truth of each standing of water.

    It begins when water stands, is told when it passes the blue limit of its kind of spot,
    does harm from the harm depth on and ends when water stands no more. What is left below blue
    and has not risen for hours is a puddle: it no longer stands until it rises again.
    """

    def __init__(self, spots: Sequence[Element]) -> None:
        self._spots, limits = spots, truth_limits()
        ladders = {"underpass": limits.ponding_cm.underpass, "road": limits.ponding_cm.road}
        self._limits = np.array([ladders[spot.kind].limits for spot in spots]).reshape(-1, 4)
        self._stands = np.zeros(len(spots), dtype=bool)
        self._puddle_cm = np.zeros(len(spots))
        self._lowest_cm = np.full(len(spots), np.inf)
        self._risen_ms = np.zeros(len(spots), dtype=np.int64)
        self._rungs = np.zeros(len(spots), dtype=np.intp)
        self._is_harmful = np.zeros(len(spots), dtype=bool)
        self._count = np.zeros(len(spots), dtype=np.intp)

    def observe(self, time_ms: int, depth_cm: NDArray[np.float64], truth: TruthKeeper) -> None:
        """Take the depth at each spot, and tell what changed."""
        limits = truth_limits()
        depth_cm = np.nan_to_num(depth_cm)
        self._follow(time_ms, depth_cm)
        stands = depth_cm > limits.ponding_stands_cm + self._puddle_cm
        for spot in np.flatnonzero(stands & ~self._stands).tolist():
            self._begin(spot, time_ms, truth)
        rungs = np.where(stands, (depth_cm[:, None] >= self._limits).sum(axis=1), 0)
        for spot in np.flatnonzero(rungs > self._rungs).tolist():
            self._rise(spot, int(rungs[spot]), time_ms, truth)
        is_harmful = stands & (depth_cm > limits.ponding_harm_cm) & (self._rungs > 0)
        for spot in np.flatnonzero(is_harmful & ~self._is_harmful).tolist():
            truth.harmed(self._id(spot), time_ms)
        self._is_harmful |= is_harmful
        for spot in np.flatnonzero(~stands & self._stands).tolist():
            self._end(spot, time_ms, truth)
        self._stands = stands

    def stands(self, spot: int, depth_cm: float) -> bool:
        """Return whether water of this depth stands at a spot, a puddle left behind being none."""
        return depth_cm > truth_limits().ponding_stands_cm + float(self._puddle_cm[spot])

    def _follow(self, time_ms: int, depth_cm: NDArray[np.float64]) -> None:
        """Note where water has last risen, and how deep the puddles are."""
        limits = truth_limits()
        has_risen = depth_cm > self._lowest_cm + limits.ponding_rise_cm
        has_risen |= ~self._stands
        self._risen_ms[has_risen] = time_ms
        self._lowest_cm = np.where(has_risen, depth_cm, np.minimum(self._lowest_cm, depth_cm))
        is_shallow = depth_cm < self._limits[:, 0]
        rests = time_ms - self._risen_ms >= limits.ponding_rest_h * _HOUR_MS
        is_new = self._stands & is_shallow & rests
        self._puddle_cm = np.where(is_new, depth_cm, np.minimum(self._puddle_cm, depth_cm))

    def _begin(self, spot: int, time_ms: int, truth: TruthKeeper) -> None:
        self._count[spot] += 1
        where = self._spots[spot]
        truth.emerge(
            TrueIncident(
                id=self._id(spot),
                kind=TrueKind.PONDING,
                is_hazard=True,
                domain="flood",
                area=where.area,
                element=where.id,
                x_m=where.x_m,
                y_m=where.y_m,
                level=Level.BLUE,
                onset_ms=time_ms,
                detectable_ms={},
            )
        )

    def _rise(self, spot: int, rungs: int, time_ms: int, truth: TruthKeeper) -> None:
        name, level = self._id(spot), level_of(rungs)
        if self._rungs[spot] == 0:
            truth.reveal(name, _causes_near(self._spots[spot], truth))
        self._rungs[spot] = rungs
        if level is not None:
            truth.grade(name, level)

    def _end(self, spot: int, time_ms: int, truth: TruthKeeper) -> None:
        if self._rungs[spot] > 0:
            truth.repaired(self._id(spot), time_ms)
        else:
            truth.drop(self._id(spot))
        self._rungs[spot], self._is_harmful[spot] = 0, False

    def _id(self, spot: int) -> str:
        return f"PD-{self._spots[spot].id}-{self._count[spot]}"


def _causes_near(spot: Element, truth: TruthKeeper) -> str:
    """Return in words what acts nearby: storms and rivers anywhere, other causes within reach."""
    words = []
    for item in truth.active():
        if item.kind not in _CAUSES or item.end_ms is not None:
            continue
        distance_m = float(np.hypot(item.x_m - spot.x_m, item.y_m - spot.y_m))
        if item.kind in (TrueKind.STORM, TrueKind.RIVER_HIGH):
            words.append(f"{item.kind.value} {item.id}")
        elif distance_m <= truth_limits().ponding_causes_m:
            words.append(f"{item.kind.value} {item.id} at {distance_m:.0f} m")
    return "; ".join(words)
