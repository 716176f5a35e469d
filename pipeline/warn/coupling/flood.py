"""Warning models of floods: ponding to come from rain, drains and pumps; ponding from a burst."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pipeline.messages import Alarm, Cause
from pipeline.warn.coupling.claims import Claim, claim_on
from pipeline.warn.coupling.site import PONDING, Site
from pipeline.warn.coupling.view import MINUTE_MS, View, one_worse
from sensors.levels import Level
from sensors.quantities import FREEBOARD

_RAIN = ("rain.local_1h", "rain.national")
_DRAINS = ("flood.drain_fill", "flood.drain_freeboard")
_PONDING = ("flood.ponding_road", "flood.ponding_underpass")
_DROPS = ("water.pressure_drop",)


@dataclass(frozen=True, slots=True)
class RainLevelPump:
    """Ponding to come: heavy rain and full drains around a dip, worse with its pump stopped."""

    site: Site
    figures: Mapping[str, float]

    def judge(self, view: View, now_ms: int) -> list[Claim]:
        """Return a forecast for each dry dip between full drains under heavy rain."""
        rain = view.alarms(_RAIN, Level.YELLOW)
        rain = [one for one in rain if self._goes_on(one, view)]
        drains = view.alarms(_DRAINS, Level.YELLOW) if rain else []
        drains = [one for one in drains if not self._empties(one, view)]
        if not drains:
            return []
        wet = {view.element(alarm) for alarm in view.alarms(_PONDING)}
        at: dict[str, list[Alarm]] = {}
        for drain in drains:
            at.setdefault(view.element(drain), []).append(drain)
        full: dict[int, list[Alarm]] = {}
        for together in at.values():
            for number in self._dips(together[0], view):
                if str(self.site.element[number]) not in wet:
                    full.setdefault(number, []).extend(together)
        claims = [self._claim(number, full[number], rain, view) for number in sorted(full)]
        return [claim for claim in claims if claim is not None]

    def _goes_on(self, rain: Alarm, view: View) -> bool:
        """Return whether it still rains at a gauge, as far as its newest samples tell."""
        slope = view.slope_h(view.number(rain))
        return not slope < self.figures["still_mm_h"]

    def _empties(self, drain: Alarm, view: View) -> bool:
        """Return whether the water in a drain sinks; its freeboard grows then."""
        number = view.number(drain)
        is_freeboard = self.site.quantity[number] == FREEBOARD.name
        return bool(is_freeboard) and view.slope_h(number) > self.figures["falling_m_h"]

    def _dips(self, drain: Alarm, view: View) -> list[int]:
        """Return the first ponding device of each dip that a drain takes the water of."""
        reach_m, place = self.figures["drain_reach_m"], view.place(drain)
        first: dict[str, int] = {}
        for kind in PONDING:
            for number in self.site.near("kind", kind, place, reach_m, drain.area).tolist():
                first.setdefault(str(self.site.element[number]), number)
        return list(first.values())

    def _claim(
        self, number: int, drains: list[Alarm], rain: list[Alarm], view: View
    ) -> Claim | None:
        over = [one for one in rain if self._is_over(number, one, view)]
        if not over:
            return None
        wettest = min(over, key=lambda one: (one.level, one.raised_ms, one.id))
        since_ms = max(wettest.raised_ms, min(one.raised_ms for one in drains))
        pumps = self._stopped(number, since_ms, view)
        minutes = _minutes_to_ground(drains, view)
        x_m, y_m = self.site.at(number)
        ids, device = self.site.registry.ids, self.site.registry.ids[number]
        sure = self.figures["confidence_pump" if pumps else "confidence"]
        return Claim(
            key=str(self.site.element[number]),
            domain="flood",
            area=str(self.site.area[number]),
            level=Level.ORANGE if pumps else Level.YELLOW,
            devices=tuple(
                sorted({device, wettest.device, *(d.device for d in drains)}
                       | {ids[pump] for pump in pumps})
            ),
            elements=(str(self.site.element[number]),),
            evidence=tuple(sorted({wettest.id, *(one.id for one in drains)})),
            x_m=x_m,
            y_m=y_m,
            confidence=sure,
            reason="rain_drains_and_pump" if pumps else "rain_and_drains",
            at=device,
            cause=Cause.PONDING.value,
            value=minutes,
            unit="min",
            limit=self.figures["horizon_min"],
        )  # fmt: skip

    def _is_over(self, number: int, rain: Alarm, view: View) -> bool:
        gauge = view.number(rain)
        if self.site.area[gauge] == self.site.area[number]:
            return True
        return self.site.distance_m(gauge, number) <= self.figures["rain_reach_m"]

    def _stopped(self, number: int, since_ms: int, view: View) -> list[int]:
        """Return the pump devices of a dip when all of it is measured standing since the rain."""
        if view.now_ms < since_ms + round(self.figures["pump_wait_min"] * MINUTE_MS):
            return []
        place, area = self.site.at(number), str(self.site.area[number])
        reach_m = self.figures["pump_reach_m"]
        pumps = self.site.near("kind", "drain_pump_state", place, reach_m, area)
        pumps = view.is_fresh(pumps, self.figures["pump_age_min"])
        if not len(pumps):
            return []
        memory = view.memory
        has_run = (memory.value[pumps] > 0.5) | (memory.calm_s[pumps] > since_ms // 1000)
        return [] if has_run.any() else pumps.tolist()


@dataclass(frozen=True, slots=True)
class BurstPonding:
    """Water on a dry day beside a main that lost its pressure: the main has burst."""

    site: Site
    figures: Mapping[str, float]

    def judge(self, view: View, now_ms: int) -> list[Claim]:
        """Return a finding for each ponding beside an unrecovered drop without rain."""
        ponding = view.alarms(_PONDING)
        drops = view.alarms(_DROPS) if ponding else []
        claims: dict[str, Claim] = {}
        looked: set[str] = set()
        for alarm in ponding if drops else ():
            key = view.element(alarm)
            if key in looked:  # the first device with an alarm speaks for its element
                continue
            looked.add(key)
            near = view.beside(alarm, drops, self.figures["reach_m"], self.figures["window_min"])
            if near and not self._rains(alarm, view):
                claims[key] = self._claim(key, alarm, near, view)
        return [claims[key] for key in sorted(claims)]

    def _rains(self, ponding: Alarm, view: View) -> bool:
        reach_m = self.figures["rain_reach_m"]
        if view.beside(ponding, view.alarms(_RAIN), reach_m):
            return True
        place, area = view.place(ponding), ponding.area
        gauges = self.site.near("quantity", "rainfall", place, reach_m, area)
        return any(view.slope_h(n) >= self.figures["dry_mm_h"] for n in gauges.tolist())

    def _claim(self, key: str, ponding: Alarm, drops: list[Alarm], view: View) -> Claim:
        return claim_on(
            view,
            [ponding, *drops],
            one_worse(ponding.level, *(drop.level for drop in drops)),
            "pressure_lost_and_water_without_rain",
            self.figures["confidence"],
            key=key,
            cause=Cause.BURST.value,
        )


def _minutes_to_ground(drains: list[Alarm], view: View) -> float:
    """Return when the first of some drains runs over if its level goes on rising; NaN if none."""
    minutes = []
    for drain in drains:
        number = view.number(drain)
        slope, freeboard_m = view.slope_h(number), float(view.memory.value[number])
        if np.isfinite(slope) and slope < 0.0 and np.isfinite(freeboard_m):
            minutes.append(max(freeboard_m, 0.0) / -slope * 60.0)
    return round(min(minutes), 1) if minutes else float("nan")
