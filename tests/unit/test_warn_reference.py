"""The columnar rules against plain ones that look at one device and one sample at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.messages import Alarm
from pipeline.rules import Change, Direction, Hold, Rule, RuleSet, default_rules
from pipeline.warn.stage import WarnStage
from sensors.levels import Level
from sensors.readings import Quality, Reading
from tests.conformance.pressure_devices import START_MS, pressure_registry, samples_of

RULES = default_rules()
HEAD, DROP = RULES.rule("water.pressure_head"), RULES.rule("water.pressure_drop")
WORST_FIRST = (Level.RED, Level.ORANGE, Level.YELLOW, Level.BLUE)
Told = tuple[str, Level, int, int]
"""State, level, first sample of the alarm, sample that decided."""


class Sample(NamedTuple):
    time_ms: int
    value: float
    is_spike: bool


@dataclass
class PlainLevels:
    """One device under a level rule."""

    rule: Rule
    history: dict[Level, list[bool]] = field(default_factory=dict)
    level: Level | None = None
    provisional: Level | None = None
    clear: int = 0
    raised_ms: int = 0

    def is_beyond(self, level: Level, value: float, deadband: float = 0.0) -> bool:
        limit = self.rule.thresholds[level]
        if self.rule.direction is Direction.LOW:
            return value <= limit if not deadband else value < limit + deadband
        return value >= limit if not deadband else value > limit - deadband

    def needs_second(self, level: Level) -> bool:
        return level <= Level.ORANGE and self.rule.holds[level].n == 1

    def see(self, sample: Sample) -> Iterator[Told]:
        in_use = [level for level in WORST_FIRST if level >= self.rule.max_level_alone]
        beyond = {level: self.is_beyond(level, sample.value) for level in in_use}
        if not any(any(bits) for bits in self.history.values()) and not (
            self.level or self.provisional
        ):
            self.raised_ms = sample.time_ms
        for level in in_use:
            if not sample.is_spike or self.needs_second(level):
                n = 2 if self.needs_second(level) else self.rule.holds[level].n
                self.history[level] = [*self.history.get(level, []), beyond[level]][-n:]
        held = None if sample.is_spike else next((lv for lv in in_use if self.is_held(lv)), None)
        single = next((lv for lv in in_use if beyond[lv] and self.needs_second(lv)), None)
        if held and held.is_worse_than(self.level):
            yield ("changed" if self.level else "raised"), held, self.raised_ms, sample.time_ms
            self.level, self.provisional, self.clear = held, None, 0
        elif self.level:
            if not sample.is_spike:
                yield from self.go_down(sample, in_use)
        elif single and not self.provisional:
            self.provisional = single
            yield "provisional", single, self.raised_ms, sample.time_ms
        elif self.provisional and not single and not sample.is_spike:
            yield "withdrawn", self.provisional, self.raised_ms, sample.time_ms
            self.provisional, self.raised_ms = None, sample.time_ms

    def is_held(self, level: Level) -> bool:
        m = 2 if self.needs_second(level) else self.rule.holds[level].m
        return sum(self.history.get(level, [])) >= m

    def go_down(self, sample: Sample, in_use: Sequence[Level]) -> Iterator[Told]:
        assert self.level is not None
        is_inside = not self.is_beyond(self.level, sample.value, self.rule.deadband)
        self.clear = self.clear + 1 if is_inside else 0
        if self.clear < self.rule.clear_consecutive:
            return
        was, self.clear = self.level, 0
        self.level = next((level for level in in_use if level > was), None)
        for level in in_use:
            if self.level is None or level < self.level:
                self.history[level] = []
        state = "changed" if self.level else "cleared"
        yield state, self.level or was, self.raised_ms, sample.time_ms


@dataclass
class PlainDrop:
    """One device under a drop rule."""

    rule: Rule
    kept: list[tuple[int, float]] = field(default_factory=list)
    phase: str = "idle"
    level: Level = Level.BLUE
    before: float = 0.0
    deepest: float = 0.0
    raised_ms: int = 0
    later: int = 0
    last: Level | None = None
    recovered: int = 0
    milder: int = 0

    def level_of(self, fall: float) -> Level | None:
        return next((lv for lv in WORST_FIRST if fall >= self.rule.thresholds[lv]), None)

    def see(self, sample: Sample) -> Iterator[Told]:
        told = None
        if self.phase == "idle":
            told = self.idle(sample)
        elif not sample.is_spike:
            told = self.seen(sample) if self.phase == "seen" else self.standing(sample)
        if told:
            yield told, self.level, self.raised_ms, sample.time_ms
        window_ms = self.rule.windows_s[Level.BLUE] * 1000
        if not sample.is_spike and (
            not self.kept or sample.time_ms - self.kept[-1][0] >= 0.15 * window_ms
        ):
            self.kept.append((sample.time_ms, sample.value))

    def idle(self, sample: Sample) -> str | None:
        window_ms = self.rule.windows_s[Level.BLUE] * 1000
        fits = [v for t, v in self.kept if 0.9 <= (sample.time_ms - t) / window_ms <= 3.0]
        if not fits or (level := self.level_of(fits[-1] - sample.value)) is None:
            return None
        self.phase, self.level, self.before = "seen", level, fits[-1]
        self.deepest, self.raised_ms, self.later = fits[-1] - sample.value, sample.time_ms, 0
        return "provisional"

    def seen(self, sample: Sample) -> str | None:
        change = self.rule.change or Change()
        fall = self.before - sample.value
        self.deepest = max(self.deepest, fall)
        self.later += 1
        since_s = (sample.time_ms - self.raised_ms) / 1000
        level = self.level_of(fall)
        is_large = level is not None and level <= Level.ORANGE
        is_quick = is_large and self.later >= 2 and since_s >= 0.9 * change.resample_s
        if fall <= (1.0 - change.recovered_share) * self.deepest:
            self.phase = "idle"
            return "withdrawn"
        if self.later == 1 and since_s > 3 * self.rule.windows_s[Level.BLUE]:
            self.phase = "idle"
            return "withdrawn"
        if not is_quick and since_s < 0.9 * change.confirm_s:
            return None
        if fall < self.rule.thresholds[Level.BLUE] - self.rule.deadband:
            self.phase = "idle"
            return "withdrawn"
        self.phase, self.level, self.deepest = "standing", level or Level.BLUE, fall
        self.last, self.recovered, self.milder = self.level, 0, 0
        return "raised"

    def standing(self, sample: Sample) -> str | None:
        change = self.rule.change or Change()
        fall = self.before - sample.value
        now = self.level_of(fall)
        both = max(now, self.last) if now and self.last else None
        self.last = now
        near = max(self.rule.deadband, (1.0 - change.recovered_share) * self.deepest)
        self.recovered = self.recovered + 1 if fall <= near else 0
        inside = self.rule.thresholds[self.level] - self.rule.deadband
        self.milder = self.milder + 1 if fall <= inside else 0
        if self.recovered >= self.rule.clear_consecutive or (
            sample.time_ms - self.raised_ms > change.new_normal_s * 1000
        ):
            self.phase = "idle"
            if both and both < self.level:
                self.level = both
            return "cleared"
        if both and both < self.level:
            self.level, self.deepest = both, max(self.deepest, fall)
            return "changed"
        if self.milder >= self.rule.clear_consecutive and self.level < Level.BLUE:
            self.level, self.milder = Level(self.level + 1), 0
            return "changed"
        return None


def columnar(rule: Rule, walk: Sequence[Sample]) -> list[Told]:
    rules: RuleSet = replace(RULES, rules=MappingProxyType({rule.id: rule}))
    stage = WarnStage(pressure_registry(), rules)
    now_ms = walk[-1].time_ms
    readings = [
        Reading(0, one.time_ms, one.value, Quality.SPIKE if one.is_spike else 0) for one in walk
    ]
    stage.on_batch([samples_of(readings, now_ms)], now_ms)
    return [
        (one.state.value, one.level, one.raised_ms, one.sample_ms)
        for one in stage.on_time(now_ms)
        if isinstance(one, Alarm)
    ]


def walks(palette: Sequence[float], gaps_s: Sequence[int]) -> st.SearchStrategy[list[Sample]]:
    """Walks that stay at a value for a while, as holds and clear counts need."""
    runs = st.tuples(
        st.sampled_from(list(palette)),
        st.sampled_from(list(gaps_s)),
        st.integers(1, 7),
        st.sampled_from([False, False, False, True]),
    )

    def flat(stays: list[tuple[float, int, int, bool]]) -> list[Sample]:
        walk: list[Sample] = []
        time_ms = START_MS
        for value, gap_s, count, begins_with_spike in stays:
            for number in range(count):
                time_ms += gap_s * 1000
                walk.append(Sample(time_ms, value, begins_with_spike and number == 0))
        return walk

    return st.lists(runs, min_size=2, max_size=25).map(flat)


def held(**holds: Hold) -> Rule:
    levels = {Level.of_colour(colour): hold for colour, hold in holds.items()}
    return replace(HEAD, holds=MappingProxyType({**HEAD.holds, **levels}))


RISING = replace(
    HEAD,
    direction=Direction.HIGH,
    thresholds=MappingProxyType(dict(zip(WORST_FIRST, (0.3, 0.21, 0.15, 0.08), strict=True))),
)


@pytest.mark.parametrize(
    "rule",
    [
        HEAD,
        RISING,
        held(orange=Hold(1, 1), red=Hold(1, 1)),
        held(blue=Hold(2, 3), yellow=Hold(3, 5), orange=Hold(6, 8)),
        replace(HEAD, max_level_alone=Level.YELLOW, clear_consecutive=2),
        replace(held(orange=Hold(2, 8)), clear_consecutive=2),
    ],
    ids=["default", "rising", "at once", "m of n", "alone", "clears within its hold"],
)
@given(walk=walks([0.3, 0.22, 0.205, 0.19, 0.145, 0.12, 0.105, 0.08, 0.055, 0.02], [300]))
@settings(max_examples=80)
def test_columnar_level_rule_tells_what_the_plain_one_tells(rule: Rule, walk: list[Sample]) -> None:
    plain = PlainLevels(rule)
    assert columnar(rule, walk) == [told for sample in walk for told in plain.see(sample)]


PRESSURES = [0.6, 0.59, 0.585, 0.57, 0.56, 0.545, 0.52, 0.49, 0.44, 0.38, 0.3]


@given(walk=walks(PRESSURES, [60, 60, 120, 300, 300, 900, 1000, 20_000]))
@settings(max_examples=300)
def test_columnar_drop_rule_tells_what_the_plain_one_tells(walk: list[Sample]) -> None:
    plain = PlainDrop(DROP)
    assert columnar(DROP, walk) == [told for sample in walk for told in plain.see(sample)]


@pytest.mark.parametrize("rule", [HEAD, DROP])
def test_walks_reach_every_kind_of_transition(rule: Rule) -> None:
    chance = np.random.Generator(np.random.Philox(5))
    values = [0.6, 0.57, 0.5, 0.35, 0.19, 0.12, 0.08, 0.02]
    walk = [
        Sample(START_MS + number * 300_000, float(value), False)
        for number, value in enumerate(np.repeat(chance.choice(values, 200), 4))
    ]
    plain = PlainLevels(rule) if rule is HEAD else PlainDrop(rule)
    told = [one for sample in walk for one in plain.see(sample)]
    assert columnar(rule, walk) == told
    assert {state for state, *_ in told} >= {"raised", "changed", "cleared"}
