"""What signals rules worked out of a recording, at the devices somebody asks about."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np

from api.bootstrap import build_stages
from api.replaying.source import RecordedTick, Recording
from pipeline.loop import LOOP
from pipeline.rules import Function, Rule, RuleSet
from pipeline.runners.router import Router
from pipeline.warn.compile import CompiledRule
from pipeline.warn.recent import OLDEST, YOUNGEST
from pipeline.warn.stage import WarnStage
from pipeline.warn.verdicts import Rows
from sensors.readings import Floats, Int64s

_DETECTING = ("monitor", "warn")


@dataclass
class Course:
    """The signal of one rule at one device over time, worst level of windows by level.

    Attributes:
        time_ms: Sample times, ascending.
        signal: Signal by level (4, n), blue first, in the rule's unit; NaN where it says nothing.
        limits: Limit of each level as used at this device (4,); NaN where out of use.
    """

    time_ms: Int64s
    signal: Floats
    limits: Floats


@dataclass
class Tap:
    """Keeps what a rule engine shows it of some devices; hand `take` to `RuleEngine.tap`."""

    devices: Collection[int]
    _chosen: Rows = field(init=False)
    _parts: dict[str, list[tuple[Rows, Int64s, Floats]]] = field(default_factory=dict)
    _columns: dict[str, CompiledRule] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._chosen = np.array(sorted(self.devices), dtype=np.intp)

    def take(self, columns: CompiledRule, device: Rows, time_ms: Int64s, value: Floats) -> None:
        """Keep the samples of the devices asked about."""
        is_mine = np.isin(device, self._chosen)
        if is_mine.any():
            four = np.broadcast_to(value, (4, len(device)))[:, is_mine].copy()
            self._columns[columns.rule.id] = columns
            found = self._parts.setdefault(columns.rule.id, [])
            found.append((device[is_mine], time_ms[is_mine], four))

    def courses(self) -> dict[tuple[str, int], Course]:
        """Return (rule, device number) → its signal; falls are worked out from the samples."""
        found: dict[tuple[str, int], Course] = {}
        for rule, parts in sorted(self._parts.items()):
            columns = self._columns[rule]
            device = np.concatenate([part[0] for part in parts])
            time_ms = np.concatenate([part[1] for part in parts])
            signal = np.concatenate([part[2] for part in parts], axis=1)
            for number in np.unique(device).tolist():
                mine = np.flatnonzero(device == number)
                mine = mine[np.argsort(time_ms[mine], kind="stable")]
                limits = columns.sign * columns.limits[:, columns.row[number]]
                course = Course(
                    time_ms[mine], signal[:, mine], np.where(np.isfinite(limits), limits, np.nan)
                )
                found[rule, number] = _judged(course, columns.rule)
        return found


def tapped(
    recording: Recording, ticks: Sequence[RecordedTick], rules: RuleSet, devices: Collection[int]
) -> dict[tuple[str, int], Course]:
    """Return what every rule worked out at some devices over a recording.

    Args:
        recording: The recording.
        ticks: Its ticks.
        rules: The rule set.
        devices: Numbers of the devices.
    """
    built = build_stages(recording.plan, rules)
    running = {name: built[name] for name in _DETECTING}
    warn = running["warn"]
    assert isinstance(warn, WarnStage)
    tap = Tap(devices)
    warn.engine.tap = tap.take
    router = Router(running, [step for step in LOOP if step.name in running])
    for tick in ticks:
        router.run([*tick.frames, *tick.bodies], tick.now_ms)
    return tap.courses()


def fallen(rule: Rule, time_ms: Int64s, value: Floats) -> Floats:
    """Return the fall at each sample: the newest value about one window before, minus the value.

    Args:
        rule: A rule of falls.
        time_ms: Sample times of one device, ascending.
        value: What it showed.

    Returns:
        One fall a sample; NaN where nothing young enough came before.
    """
    window_ms = max(rule.windows_s.values(), default=rule.sample_s) * 1000.0
    place = np.searchsorted(time_ms, time_ms - YOUNGEST * window_ms, side="right") - 1
    before = np.where(place >= 0, value[np.maximum(place, 0)], np.nan)
    age_ms = time_ms - time_ms[np.maximum(place, 0)]
    fall: Floats = np.where(age_ms <= OLDEST * window_ms, before - value, np.nan)
    return fall


def _judged(course: Course, rule: Rule) -> Course:
    """Return a course as the rule judges it: of a rule of falls, the falls."""
    if rule.signal.function is not Function.FALL or not len(course.time_ms):
        return course
    fall = fallen(rule, course.time_ms, course.signal[0])
    return Course(course.time_ms, np.broadcast_to(fall, (4, len(fall))).copy(), course.limits)
