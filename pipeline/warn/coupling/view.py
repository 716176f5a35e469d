"""What a warning model is asked with: samples, alarms, calls and tables at one moment."""

from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np

from pipeline.messages import Alarm, AlarmState, HotlineReport
from pipeline.warn.coupling.memory import CouplingState
from pipeline.warn.coupling.site import Numbers, Site
from sensors.levels import Level
from sensors.readings import Floats, Int64s

MINUTE_MS = 60_000


class View:
    """One moment of the platform's knowledge; nothing in it is changed by a model.

    Attributes:
        site: Devices, permits and gatherings by place.
        memory: Newest samples as columns, one entry a registered device.
        now_ms: The moment.
    """

    def __init__(self, site: Site, memory: CouplingState, now_ms: int) -> None:
        """Look at `memory` at `now_ms`."""
        self.site, self.memory, self.now_ms = site, memory, now_ms
        self._found: dict[tuple[tuple[str, ...], Level], list[Alarm]] = {}
        self._columns: dict[int, tuple[Sequence[Alarm], Numbers, Int64s]] = {}

    @cached_property
    def standing(self) -> dict[str, list[Alarm]]:
        """Alarms that stand and are more than provisional, by rule, each by onset and id."""
        by_rule: dict[str, list[Alarm]] = {}
        number = self.site.registry.number
        for alarm in sorted(self.memory.alarms.values(), key=_by_onset):
            if alarm.state is not AlarmState.PROVISIONAL and alarm.device in number:
                by_rule.setdefault(alarm.rule, []).append(alarm)
        return by_rule

    def alarms(self, rules: Iterable[str], at_least: Level = Level.BLUE) -> list[Alarm]:
        """Return the alarms of some rules that stand at a level or worse, by onset and id."""
        key = tuple(rules), at_least
        if key not in self._found:
            found = [
                alarm
                for rule in key[0]
                for alarm in self.standing.get(rule, ())
                if alarm.level <= at_least
            ]
            self._found[key] = sorted(found, key=_by_onset)
        return self._found[key]

    def all_alarms(self) -> list[Alarm]:
        """Return every alarm that stands, by onset and id."""
        return self.alarms(sorted(self.standing))

    def number(self, alarm: Alarm) -> int:
        """Return the number of an alarm's device."""
        return self.site.registry.number[alarm.device]

    def element(self, alarm: Alarm) -> str:
        """Return the network element of an alarm's device."""
        return str(self.site.element[self.number(alarm)])

    def place(self, alarm: Alarm) -> tuple[float, float]:
        """Return where an alarm's device is."""
        return self.site.at(self.number(alarm))

    def beside(
        self,
        alarm: Alarm,
        others: Sequence[Alarm],
        reach_m: float,
        window_min: float | None = None,
    ) -> list[Alarm]:
        """Return which of `others` are near an alarm in place and, if asked, in time of onset."""
        if not others:
            return []
        here, site = self.number(alarm), self.site
        numbers, onset_ms = self._columns_of(others)
        away = site.place_m[numbers] - site.place_m[here]
        is_near = np.hypot(away[:, 0], away[:, 1]) <= reach_m
        if not site.is_whole:
            is_near &= site.area[numbers] == site.area[here]
        if window_min is not None:
            is_near &= np.abs(onset_ms - alarm.raised_ms) <= round(window_min * MINUTE_MS)
        return [others[row] for row in np.flatnonzero(is_near).tolist()]

    def _columns_of(self, alarms: Sequence[Alarm]) -> tuple[Numbers, Int64s]:
        """Return device numbers and onsets of alarms, worked out once a list."""
        known = self._columns.get(id(alarms))
        if known is None:  # the list is kept, so that its id stays its own
            number = self.site.registry.number
            numbers = np.array([number[one.device] for one in alarms], dtype=np.intp)
            onset_ms = np.array([one.raised_ms for one in alarms], dtype=np.int64)
            known = self._columns[id(alarms)] = alarms, numbers, onset_ms
        return known[1], known[2]

    def calls(self, window_min: float) -> list[HotlineReport]:
        """Return the calls taken within a window that ends now."""
        since_ms = self.now_ms - round(window_min * MINUTE_MS)
        return [one for one in self.memory.calls if since_ms < one.time_ms <= self.now_ms]

    def is_fresh(self, numbers: Numbers, age_min: float) -> Numbers:
        """Return those of some devices whose newest sample is not older than `age_min`."""
        since_s = max(self.now_ms // 1000 - round(age_min * 60), 1)
        fresh: Numbers = numbers[self.memory.time_s[numbers] >= since_s]
        return fresh

    def slope_h(self, number: int) -> float:
        """Return how fast a device's value changes, units an hour; NaN while not known."""
        memory = self.memory
        seconds = int(memory.time_s[number]) - int(memory.was_s[number])
        if not memory.was_s[number] or seconds <= 0:
            return float("nan")
        change = float(memory.value[number]) - float(memory.was[number])
        return change * 3600.0 / seconds

    def quality(self, number: int, step: float) -> float:
        """Return a device's quality: 1 less `step` for each kind of doubt against it."""
        doubts = int(self.memory.doubts[number]).bit_count()
        flags = int(self.memory.quality[number]).bit_count()
        return 1.0 - step * max(doubts, flags)

    def methane_vol(self, numbers: Numbers) -> Floats:
        """Return the newest methane of some devices in %VOL, NaN where there is none."""
        share: Floats = self.memory.value[numbers].astype(np.float64) * self.site.to_vol[numbers]
        return share


def _by_onset(alarm: Alarm) -> tuple[int, str]:
    return alarm.raised_ms, alarm.id


def one_worse(*levels: Level) -> Level:
    """Return one level worse than the worst of `levels`; red stays red."""
    return Level(max(Level.RED, min(levels) - 1))
