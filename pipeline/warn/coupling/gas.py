"""Warning models of gas: neighbouring spaces, two slow decoys (biogas, drift), digging."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from pipeline.messages import Alarm, Cause, FindingEffect
from pipeline.warn.coupling.claims import Claim, claim_on
from pipeline.warn.coupling.site import Numbers, Site, Works
from pipeline.warn.coupling.view import View, one_worse
from sensors.levels import Level
from sensors.quantities import GAS_PRESSURE, METHANE, METHANE_LEL

_SPACES = ("gas.ch4_space", "gas.ch4_station")
_PRESSURE = ("gas.pressure_low", "gas.flow_z")
_SEWER_KINDS = ("manhole_methane",)
"""Kinds of device that hang where sewage may make gas of its own."""
_AIRED_KINDS = ("station_methane", "tunnel_methane")
"""Kinds of device in rooms that are aired: gas reaches its height there within hours."""
_HOUR_MS = 3_600_000
_METHANE = (METHANE.name, METHANE_LEL.name)


@dataclass(frozen=True, slots=True)
class LeakNeighbours:
    """Gas in two neighbouring spaces, or in one while pressure or flow tells the same."""

    site: Site
    figures: Mapping[str, float]

    def judge(self, view: View, now_ms: int) -> list[Claim]:
        """Return a finding for each group of foul spaces that is more than one signal."""
        foul = view.alarms(_SPACES, Level.YELLOW)
        claims: list[Claim] = []
        done: set[str] = set()
        pressure = view.alarms(_PRESSURE) if foul else []
        for first in foul:
            if first.id in done:
                continue
            group = self._group(first, foul, view)
            done.update(one.id for one in group)
            with_it = self._pressure(group, pressure, view)
            if with_it or len({view.element(one) for one in group}) > 1:
                claims.append(self._claim(group, with_it, view))
        return sorted(claims, key=lambda claim: claim.key)

    def _group(self, first: Alarm, foul: list[Alarm], view: View) -> list[Alarm]:
        """Return the foul spaces that hang together with one, by onset and id."""
        reach_m, window_min = self.figures["space_reach_m"], self.figures["space_window_min"]
        group, edge = {first.id: first}, [first]
        while edge:
            near = view.beside(edge.pop(), foul, reach_m, window_min)
            fresh = [one for one in near if one.id not in group]
            group |= {one.id: one for one in fresh}
            edge += fresh
        return sorted(group.values(), key=lambda one: (one.raised_ms, one.id))

    def _pressure(self, group: list[Alarm], pressure: list[Alarm], view: View) -> list[Alarm]:
        reach_m, window = self.figures["pressure_reach_m"], self.figures["pressure_window_min"]
        found = {
            one.id: one for foul in group for one in view.beside(foul, pressure, reach_m, window)
        }
        return [found[alarm] for alarm in sorted(found)]

    def _claim(self, group: list[Alarm], pressure: list[Alarm], view: View) -> Claim:
        return claim_on(
            view,
            [*group, *pressure],
            one_worse(*(one.level for one in group)),
            "spaces_and_pressure_agree" if pressure else "several_spaces_agree",
            self.figures["confidence"],
            cause=Cause.GAS_LEAK.value,
        )


@dataclass(frozen=True, slots=True)
class _SlowAndAlone:
    """Methane that rose for hours at one device and nowhere else: no leak does that."""

    site: Site
    figures: Mapping[str, float]
    KINDS: ClassVar[tuple[str, ...]] = ()
    CAUSE: ClassVar[Cause] = Cause.UNKNOWN
    REASON: ClassVar[str] = ""

    def judge(self, view: View, now_ms: int) -> list[Claim]:
        """Return a finding for each lone space that took hours to pass its limit."""
        foul = view.alarms(_SPACES)
        pressure = view.alarms(_PRESSURE) if foul else []
        claims: dict[str, Claim] = {}
        for alarm in foul:
            number, key = view.number(alarm), view.element(alarm)
            if key in claims or self.site.kind[number] not in self.KINDS:
                continue
            since_ms = self._since_ms(alarm, view)
            if not self._is_slow(since_ms, number, view) or not self._is_calm(alarm, number, view):
                continue
            window_min = self.figures.get("pressure_window_min")
            reach_m = self.figures["pressure_reach_m"]
            if self._has_company(alarm, number, view) or view.beside(
                alarm, pressure, reach_m, window_min
            ):
                continue
            others = [one for one in foul if view.element(one) == key and one is not alarm]
            claims[key] = claim_on(
                view,
                [alarm, *others],
                Level.BLUE,
                self.REASON,
                self.figures["confidence"],
                effect=FindingEffect.HOLD,
                cause=self.CAUSE.value,
            )
        return [claims[key] for key in sorted(claims)]

    def _since_ms(self, alarm: Alarm, view: View) -> int:
        """Return the moment by which it should have risen, were it gas of a leak."""
        return alarm.raised_ms

    def _is_slow(self, until_ms: int, number: int, view: View) -> bool:
        calm_ms = int(view.memory.calm_s[number]) * 1000
        return bool(calm_ms) and until_ms - calm_ms >= self.figures["rise_h"] * _HOUR_MS

    def _is_calm(self, alarm: Alarm, number: int, view: View) -> bool:
        """Return whether nothing the alarm says of itself speaks against it."""
        return True

    def _has_company(self, alarm: Alarm, number: int, view: View) -> bool:
        """Return whether another space near by is no longer clean."""
        reach_m, place = self.figures["space_reach_m"], self.site.at(number)
        for quantity in _METHANE:
            near = self.site.near("quantity", quantity, place, reach_m, alarm.area)
            near = near[self._is_other(near, number)]
            with np.errstate(invalid="ignore"):
                foul = int((view.methane_vol(near) >= self.figures["foul_vol"]).sum())
            if foul > self.figures.get("foul_share", 0.0) * len(near):
                return True
        return False

    def _is_other(self, near: Numbers, number: int) -> NDArray[np.bool_]:
        """Return which devices around one would show gas of their own if it were gas."""
        others: NDArray[np.bool_] = self.site.element[near] != self.site.element[number]
        return others


class Biogas(_SlowAndAlone):
    """Methane that rose slowly in one sewer space and nowhere else: sewage makes it."""

    __slots__ = ()
    KINDS = _SEWER_KINDS
    CAUSE = Cause.BIOGAS
    REASON = "slow_rise_in_one_space"


class DeviceDrift(_SlowAndAlone):
    """Methane that crept up at one device of an aired room and nowhere else: the device drifts."""

    __slots__ = ()
    KINDS = _AIRED_KINDS
    CAUSE = Cause.DEVICE_FAULT
    REASON = "slow_rise_of_one_device"

    def _since_ms(self, alarm: Alarm, view: View) -> int:
        """Return now: an alarm nobody believed at first gets no truer as the device creeps on."""
        return view.now_ms

    def _is_calm(self, alarm: Alarm, number: int, view: View) -> bool:
        """Return whether it did not leap of late and is not so high as to be red."""
        if alarm.level is Level.RED:
            return False
        rose = float(view.memory.value[number]) - float(view.memory.was[number])
        return not rose * self.site.to_vol[number] >= self.figures["leap_vol"]

    def _is_other(self, near: Numbers, number: int) -> NDArray[np.bool_]:
        """Return which devices around are not this one: a second in the same room counts."""
        others: NDArray[np.bool_] = near != number
        return others


@dataclass(frozen=True, slots=True)
class Digging:
    """A permit for works in force and gas that is lost at once near it: the works struck a pipe."""

    site: Site
    figures: Mapping[str, float]

    def judge(self, view: View, now_ms: int) -> list[Claim]:
        """Return a finding for each permit in force near gas or a fast drop of pressure."""
        works = [one for one in self.site.permits if one.is_on(now_ms)]
        if not works:
            return []
        alarms = view.alarms((*_SPACES, *_PRESSURE))
        claims = [self._claim(one, self._of(one, alarms, view), view) for one in works]
        return [claim for claim in claims if claim is not None]

    def _of(self, works: Works, alarms: list[Alarm], view: View) -> list[Alarm]:
        found = []
        for alarm in alarms:
            if alarm.raised_ms < works.start_ms:
                continue
            x_m, y_m = view.place(alarm)
            away_m = float(np.hypot(x_m - works.x_m, y_m - works.y_m))
            is_pressure = alarm.quantity == GAS_PRESSURE.name
            reach_m = self.figures["pressure_reach_m" if is_pressure else "permit_reach_m"]
            if away_m <= reach_m and (not is_pressure or self._is_fast(alarm, view)):
                found.append(alarm)
        return found

    def _is_fast(self, alarm: Alarm, view: View) -> bool:
        """Return whether the pressure fell by so much between two samples, or within `fast_min`."""
        number, memory = view.number(alarm), view.memory
        was, now = float(memory.was[number]), float(memory.value[number])
        seconds = int(memory.time_s[number]) - int(memory.was_s[number])
        if not was > 0.0 or seconds > self.figures["fast_min"] * 60:
            return False
        return (was - now) / was >= self.figures["drop_share"]

    def _claim(self, works: Works, alarms: list[Alarm], view: View) -> Claim | None:
        if not alarms:
            return None
        return claim_on(
            view,
            alarms,
            Level.ORANGE,
            "works_under_permit_and_fast_loss",
            self.figures["confidence"],
            key=works.id,
            cause=Cause.GAS_LEAK.value,
            evidence=(works.id,),
        )
