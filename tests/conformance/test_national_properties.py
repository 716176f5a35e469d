"""Monitor, warn and assess with the whole national set do not care how their work is cut up.

The days have all of it: the eighteen rules, the coupling models, the alarm desk with operators
at it, and rule files that come while the platform runs.
"""

import random
from functools import cache

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from pipeline.messages import (
    Alarm,
    AlarmHandling,
    Incident,
    Message,
    ModelFinding,
    RulesChanged,
    WarningNotice,
)
from sensors.registry import Registry
from tests.conformance.national_town import RULES, Chain, bad_day, registry
from tests.conformance.stage_properties import Script, canonical, split_by_area

TICKS = 28
TICKS_S = (60, 300, 3600)
"""Seconds a tick: fast enough for ponding, slow enough for nights."""

PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
"""A seed does not get simpler by being smaller."""

seeds = st.integers(0, 2**32 - 1)
steps = st.sampled_from(TICKS_S)


@cache
def town(tick_s: int) -> Registry:
    return registry(tick_s)


def day(seed: int, tick_s: int) -> Script:
    return bad_day(town(tick_s), seed, TICKS, tick_s)


def play(script: Script, tick_s: int, size: int | None = None, every: int = 0) -> list[Message]:
    """Return what the whole chain says; restarted after each `every` ticks, 0 for never."""
    chain, said = Chain(town(tick_s)), list[Message]()
    for number, (now_ms, messages) in enumerate(script):
        said += chain.tick(messages, now_ms, size)
        if every and number % every == every - 1:
            chain = chain.restarted()
    return said


def same(one: list[Message], other: list[Message]) -> None:
    for number, (a, b) in enumerate(zip(one, other, strict=False)):
        assert canonical(a) == canonical(b), f"message {number}: {a} became {b}"
    assert len(one) == len(other)


def test_the_days_are_worth_playing() -> None:
    said = [message for t in TICKS_S for message in play(day(t, t), t)]
    kinds = {type(message) for message in said}
    assert kinds >= {Alarm, AlarmHandling, ModelFinding, RulesChanged, WarningNotice, Incident}
    raised = {message.rule for message in said if isinstance(message, Alarm)}
    by_week = {"water.dma_cusum", "water.dma_night_ratio", "gas.flow_z", "water.dma_drift"}
    assert set(RULES.rules) - raised <= by_week
    assert any(message.is_taken for message in said if isinstance(message, RulesChanged))
    assert any(not message.is_taken for message in said if isinstance(message, RulesChanged))
    models = {message.model for message in said if isinstance(message, ModelFinding)}
    assert len(models) >= 3, models
    assert {message.held for message in said if isinstance(message, Alarm)} >= {"", "shelved"}


@settings(max_examples=3, phases=PHASES)
@given(seed=seeds, tick_s=steps, size=st.integers(1, 9))
def test_batching_changes_nothing(seed: int, tick_s: int, size: int) -> None:
    script = day(seed, tick_s)
    same(play(script, tick_s), play(script, tick_s, size))


@settings(max_examples=3, phases=PHASES)
@given(seed=seeds, tick_s=steps, every=st.integers(1, TICKS))
def test_restarts_change_nothing(seed: int, tick_s: int, every: int) -> None:
    script = day(seed, tick_s)
    same(play(script, tick_s), play(script, tick_s, every=every))


@settings(max_examples=3, phases=PHASES)
@given(seed=seeds, tick_s=steps, shuffle=seeds)
def test_order_and_repetition_within_a_tick_change_nothing(
    seed: int, tick_s: int, shuffle: int
) -> None:
    script, chance = day(seed, tick_s), random.Random(shuffle)
    shuffled = []
    for now_ms, messages in script:
        again = [*messages, *messages[::3]]
        shuffled.append((now_ms, chance.sample(again, len(again))))
    same(play(script, tick_s), play(shuffled, tick_s))


@settings(max_examples=3, phases=PHASES)
@given(seed=seeds, tick_s=steps, count=st.integers(2, 4))
def test_partitions_by_area_say_the_same_together(seed: int, tick_s: int, count: int) -> None:
    """Without the city's tables no model looks across areas: the stage may be one of several."""
    devices, script = town(tick_s), day(seed, tick_s)
    split = split_by_area(devices)
    whole = Chain(devices, is_whole=False)
    parts = [Chain(devices, part=(n, count), is_whole=False) for n in range(count)]
    for tick, (now_ms, messages) in enumerate(script):
        together: list[Message] = []
        for number, part in enumerate(parts):
            mine = [m for one in messages for to, m in split(one, count) if to == number]
            together += part.tick(mine, now_ms)
        expected = _counted(whole.tick(messages, now_ms))
        assert _counted(together) == expected, f"tick {tick} differs in {count} partitions"


def _counted(said: list[Message]) -> list[bytes]:
    """Return messages without order; that a rule file was taken, every partition says."""
    taken = {canonical(message) for message in said if isinstance(message, RulesChanged)}
    rest = [canonical(message) for message in said if not isinstance(message, RulesChanged)]
    return sorted([*taken, *rest])


def test_a_difference_is_shown_with_its_message() -> None:
    said = play(day(1, 300)[:8], 300)
    with pytest.raises(AssertionError, match="message 0"):
        same(said, said[1:])
