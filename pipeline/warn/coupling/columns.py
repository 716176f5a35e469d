"""Warning models that score the newest values of an element's devices: trained models."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.messages import FindingEffect
from pipeline.warn.coupling.claims import Claim
from pipeline.warn.coupling.site import Numbers, Site
from pipeline.warn.coupling.view import View
from sensors.levels import Level
from sensors.readings import Floats


class Scorer(Protocol):
    """A trained model as a function of columns."""

    def score(self, features: Floats) -> Floats:
        """Return the probability, (n,) 0 to 1, for features (n, quantities)."""
        ...


@dataclass(frozen=True)
class ColumnModel:
    """Scores the newest value of each of some quantities at every element that has them all.

    Attributes:
        quantities: Quantities in the order of the scorer's features.
        threshold: Probability from which on it speaks.
        age_min: A value older than this is none.
        level: Level it speaks for.
    """

    site: Site
    scorer: Scorer
    quantities: tuple[str, ...]
    threshold: float
    age_min: float
    level: Level
    _devices: list[NDArray[np.intp]] = field(default_factory=list)

    def judge(self, view: View, now_ms: int) -> list[Claim]:
        """Return a finding for each element whose probability reaches the threshold."""
        devices = self._table()
        if not len(devices):
            return []
        since_s = max(now_ms // 1000 - round(self.age_min * 60), 1)
        is_known = (view.memory.time_s[devices] >= since_s).all(axis=1)
        rows = np.flatnonzero(is_known)
        if not len(rows):
            return []
        features = view.memory.value[devices[rows]].astype(np.float64)
        scores = self.scorer.score(features)
        spoken = np.flatnonzero(scores >= self.threshold)
        claims = [self._claim(devices[rows[row]], float(scores[row])) for row in spoken.tolist()]
        return sorted(claims, key=lambda claim: claim.key)

    def _claim(self, devices: Numbers, score: float) -> Claim:
        first = int(devices[0])
        x_m, y_m = self.site.at(first)
        element, ids = str(self.site.element[first]), self.site.registry.ids
        return Claim(
            key=element,
            domain=str(self.site.domain[first]),
            area=str(self.site.area[first]),
            level=self.level,
            devices=tuple(sorted(ids[number] for number in devices.tolist())),
            elements=(element,),
            evidence=(),
            x_m=x_m,
            y_m=y_m,
            confidence=round(score, 3),
            reason="trained_model_speaks",
            effect=FindingEffect.RAISE,
            value=round(score, 3),
            unit="1",
            limit=self.threshold,
        )

    def _table(self) -> NDArray[np.intp]:
        """Return the first device of each quantity at each element with all, (elements, k)."""
        if not self._devices:
            self._devices.append(_table(self.site, self.quantities))
        return self._devices[0]


def level_figure(figures: Mapping[str, float], default: Level) -> Level:
    """Return the level a figure `level` names by its number, 1 red to 4 blue."""
    return Level(round(figures["level"])) if figures.get("level") else default


def _table(site: Site, quantities: Sequence[str]) -> NDArray[np.intp]:
    firsts: list[dict[str, int]] = []
    for quantity in quantities:
        numbers = np.flatnonzero(site.quantity == quantity)
        names, at = np.unique(site.element[numbers], return_index=True)
        firsts.append(dict(zip(names.tolist(), numbers[at].tolist(), strict=True)))
    shared = sorted(set(firsts[0]).intersection(*firsts[1:])) if firsts else []
    rows = [[first[element] for first in firsts] for element in shared]
    return np.array(rows, dtype=np.intp).reshape(-1, len(firsts))
