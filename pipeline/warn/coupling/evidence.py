"""Warning models of any domain: crowds, hotline calls, and what speaks against a lone device."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from scipy.spatial import cKDTree

from pipeline.messages import Alarm, FindingEffect, HotlineReport
from pipeline.warn.coupling.claims import Claim, claim_on
from pipeline.warn.coupling.site import Site
from pipeline.warn.coupling.view import View, one_worse
from sensors.levels import Level

_DOMAINS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "gas_smell": ("gas",),
        "no_water": ("water",),
        "water_on_road": ("flood", "water"),
        "road_flooded": ("flood", "water"),
    }
)
"""Subject of a call → domains of the alarms it speaks for."""
_OPENS: Mapping[str, tuple[tuple[str, str], ...]] = MappingProxyType(
    {
        "gas": (("quantity", "methane"), ("quantity", "methane_lel")),
        "flood": (("quantity", "ponding_depth"),),
    }
)
"""Domain → devices on which calls alone may raise an alarm, as column and value."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """An alarm from yellow on at a mass gathering: more people are exposed than live there."""

    site: Site
    figures: Mapping[str, float]

    def judge(self, view: View, now_ms: int) -> list[Claim]:
        """Return a finding for each element with an alarm near a gathering that is on."""
        crowds = [one for one in self.site.gatherings if one.is_on(now_ms)]
        claims: dict[str, Claim] = {}
        for alarm in view.all_alarms() if crowds else ():
            if alarm.level > Level.YELLOW:
                continue
            x_m, y_m = view.place(alarm)
            near = [
                one.id
                for one in crowds
                if np.hypot(one.x_m - x_m, one.y_m - y_m) <= self.figures["reach_m"]
            ]
            key = f"{alarm.domain}/{view.element(alarm)}"
            if near and key not in claims:
                claims[key] = claim_on(
                    view,
                    [alarm],
                    alarm.level,
                    "gathering_near",
                    self.figures["confidence"],
                    key=key,
                    effect=FindingEffect.CONSEQUENCE,
                    evidence=tuple(near),
                )
        return [claims[key] for key in sorted(claims)]


@dataclass(frozen=True, slots=True)
class Hotline:
    """Several calls close in time and place are one more sensor that agrees, or opens."""

    site: Site
    figures: Mapping[str, float]

    def judge(self, view: View, now_ms: int) -> list[Claim]:
        """Return a finding for calls at alarms, an alarm for calls where none stands."""
        calls = view.calls(self.figures["window_min"])
        if len(calls) < self.figures["calls"]:
            return []
        claims: dict[str, Claim] = {}
        for _, about in sorted(self._apart(calls).items()):
            for cluster in self._clusters(about):
                claim = self._claim(cluster, view)
                if claim is not None:
                    claims.setdefault(claim.key, claim)
        return [claims[key] for key in sorted(claims)]

    def _apart(self, calls: list[HotlineReport]) -> dict[tuple[str, str], list[HotlineReport]]:
        """Return calls by subject, and by area where areas are not coupled."""
        found: dict[tuple[str, str], list[HotlineReport]] = {}
        for call in calls:
            key = call.subject, "" if self.site.is_whole else call.area
            found.setdefault(key, []).append(call)
        return found

    def _clusters(self, calls: list[HotlineReport]) -> list[list[HotlineReport]]:
        """Return groups of enough calls within reach of one of them; each call is in one."""
        if len(calls) < self.figures["calls"]:
            return []
        place_m = np.array([(call.x_m, call.y_m) for call in calls])
        around = cKDTree(place_m).query_ball_point(place_m, self.figures["reach_m"])
        free = set(range(len(calls)))
        clusters: list[list[HotlineReport]] = []
        for rows in sorted(around, key=lambda rows: (-len(rows), min(rows))):
            left = sorted(free.intersection(rows))
            if len(left) >= self.figures["calls"]:
                clusters.append([calls[row] for row in left])
                free.difference_update(left)
        return clusters

    def _claim(self, cluster: list[HotlineReport], view: View) -> Claim | None:
        first = cluster[0]
        domains = _DOMAINS.get(first.subject, ())
        middle = (
            float(np.mean([call.x_m for call in cluster])),
            float(np.mean([call.y_m for call in cluster])),
        )
        away = {alarm.id: _away_m(alarm, middle, view) for alarm in view.all_alarms()}
        about = [one for one in view.all_alarms() if one.domain in domains]
        if not self.site.is_whole:
            about = [one for one in about if one.area == first.area]
        near = [one for one in about if away[one.id] <= self.figures["device_reach_m"]]
        told = tuple(call.id for call in cluster)
        if near:
            key = f"{near[0].domain}/{view.element(near[0])}"
            near = [one for one in near if one.domain == near[0].domain]
            return claim_on(
                view,
                near,
                one_worse(*(one.level for one in near)),
                "citizens_tell_the_same",
                self.figures["confidence"],
                key=key,
                evidence=told,
            )
        if any(away[one.id] <= self.figures["clear_m"] for one in about):
            return None
        return self._opening(first, middle, told, domains)

    def _opening(
        self,
        first: HotlineReport,
        middle: tuple[float, float],
        told: tuple[str, ...],
        domains: tuple[str, ...],
    ) -> Claim | None:
        domain = next((one for one in domains if one in _OPENS), "")
        reach_m = self.figures["device_reach_m"]
        for column, value in _OPENS.get(domain, ()):
            number = self.site.nearest(column, value, middle, reach_m, first.area)
            if number is None:
                continue
            device = self.site.registry.ids[number]
            return Claim(
                key=f"{domain}/{self.site.element[number]}",
                domain=domain,
                area=str(self.site.area[number]),
                level=Level.YELLOW if len(told) >= 2 * self.figures["calls"] else Level.BLUE,
                devices=(device,),
                elements=(str(self.site.element[number]),),
                evidence=tuple(sorted(told)),
                x_m=middle[0],
                y_m=middle[1],
                confidence=self.figures["confidence"],
                reason="citizens_tell",
                at=device,
                value=float(len(told)),
                unit="1",
                limit=self.figures["calls"],
            )
        return None


@dataclass(frozen=True, slots=True)
class NoCorroboration:
    """One doubtful device and nothing near it that says the same: one level lower."""

    site: Site
    figures: Mapping[str, float]

    def judge(self, view: View, now_ms: int) -> list[Claim]:
        """Return a finding for each lone alarm of a doubtful device, never for red.

        Its own figure is the largest C at which it counts.
        """
        if not (view.memory.doubts.any() or view.memory.quality.any()):
            return []
        claims: list[Claim] = []
        alarms = view.all_alarms()
        for alarm in alarms:
            number = view.number(alarm)
            quality = view.quality(number, self.figures["quality_step"])
            if quality >= self.figures["quality"] or alarm.level is Level.RED:
                continue
            near = view.beside(alarm, alarms, self.figures["reach_m"])
            if any(one.domain == alarm.domain and one.device != alarm.device for one in near):
                continue
            claims.append(
                claim_on(
                    view,
                    [alarm],
                    Level(min(Level.BLUE, alarm.level + 1)),
                    "one_uncorroborated_doubtful_sensor",
                    self.figures["confidence"],
                    key=f"{alarm.rule}/{alarm.device}",
                    effect=FindingEffect.LOWER,
                    value=self.figures["consequence"],
                )
            )
        return sorted(claims, key=lambda claim: claim.key)


def _away_m(alarm: Alarm, place: tuple[float, float], view: View) -> float:
    x_m, y_m = view.place(alarm)
    return float(np.hypot(x_m - place[0], y_m - place[1]))
