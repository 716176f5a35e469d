"""The rule engine: selection, durations, second devices, hot reload and what it says of itself."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import RuleError
from pipeline.messages import Alarm, AlarmState, Message, RulesChanged, RuleText
from pipeline.rules import Direction, Hold, Rule, RuleSet, Select
from pipeline.warn.engine import RuleEngine
from pipeline.warn.stage import WarnStage
from pipeline.warn.verdicts import AlarmReason
from sensors.levels import Level
from sensors.readings import Reading, ReadingBatch
from sensors.registry import Registry
from tests.conformance.pressure_devices import START_MS, pressure_device, samples_of
from tests.unit.warn_stories import HEAD, MINUTE_MS, RULES, P, R, W, X, feed, story

ORANGE, RED = Level.ORANGE, Level.RED
TOWN = Registry.of(
    pressure_device(n, area=f"D0{1 + n // 2}", element=f"n{n // 2}") for n in range(6)
)


def rules_of(*rules: Rule) -> RuleSet:
    return replace(RULES, rules={rule.id: rule for rule in rules}, couplings=())


def high(**changes: object) -> Rule:
    """Bad above 1, 2, 3, 4; orange and red at once, so provisional; one sample clears."""
    fields: dict[str, object] = {
        "direction": Direction.HIGH,
        "thresholds": {level: float(5 - level) for level in Level},
        "holds": {level: Hold(1, 1) if level <= ORANGE else Hold(2, 2) for level in Level},
        "clear_consecutive": 1,
        "deadband": 0.1,
        **changes,
    }
    return replace(RULES.rule(HEAD), **fields)  # type: ignore[arg-type]


def batch_of(*readings: tuple[int, int, float]) -> ReadingBatch:
    """Device, minute, value."""
    device, minute, value = zip(*readings, strict=True)
    times = [START_MS + one * MINUTE_MS for one in minute]
    return ReadingBatch.of(device, times, value).by_device_and_time()


# selection


@pytest.mark.parametrize(
    ("select", "devices"),
    [
        (Select(), [0, 1, 2, 3, 4, 5]),
        (Select(kinds=("network_*",), quantity="pressure"), [0, 1, 2, 3, 4, 5]),
        (Select(areas=("D02", "D03")), [2, 3, 4, 5]),
        (Select(areas=("D0?",), but=("*-0005",)), [0, 1, 2, 3, 4]),
        (Select(elements=("n[01]",), devices=("WP-D02-*",)), [2, 3]),
        (Select(domains=("gas",)), []),
    ],
)
def test_a_rule_watches_what_its_globs_match(select: Select, devices: list[int]) -> None:
    engine = RuleEngine(TOWN, rules_of(high(select=select)))
    watched = [one.columns.devices.tolist() for one in engine.running]
    assert watched == ([devices] if devices else [])


def test_a_rule_watches_the_sites_of_its_profiles() -> None:
    sites = ["public", "", "over100m", "public"]
    registry = Registry.of(
        replace(pressure_device(number), profile=site) for number, site in enumerate(sites)
    )
    rules = rules_of(
        high(id="water.a", select=Select(profiles=("public",))),
        high(id="water.b", select=Select(profiles=("over*", "none"))),
    )
    watched = {
        one.columns.rule.id: one.columns.devices.tolist()
        for one in RuleEngine(registry, rules).running
    }
    assert watched == {"water.a": [0, 3], "water.b": [2]}


def test_devices_of_several_quantities_need_one_named() -> None:
    registry = Registry.of([pressure_device(0), pressure_device(1, quantity="flow")])
    with pytest.raises(RuleError, match="measure flow, pressure; give one quantity"):
        RuleEngine(registry, rules_of(high(select=Select())))


def test_two_rules_over_parts_of_the_fleet_judge_their_own_samples_only() -> None:
    first = high(id="water.a", select=Select(areas=("D01", "D02")))
    second = high(id="water.b", select=Select(areas=("D02", "D03")))
    engine = RuleEngine(TOWN, rules_of(first, second))
    seen: dict[str, list[int]] = {}
    engine.tap = lambda columns, device, *_: seen.update({columns.rule.id: device.tolist()})
    engine.judge(batch_of((0, 0, 0.5), (3, 0, 0.5), (5, 0, 0.5)), START_MS)
    assert seen == {"water.a": [0, 3], "water.b": [3, 5]}


# durations


def lived(rule: Rule, samples: Sequence[tuple[int, float]]) -> list[tuple[AlarmState, Level, int]]:
    engine = RuleEngine(TOWN, rules_of(rule))
    told = [
        alarm
        for minute, value in samples
        for alarm in engine.judge(batch_of((0, minute, value)), START_MS)
    ]
    return [(one.state, one.level, (one.sample_ms - START_MS) // MINUTE_MS) for one in told]


def test_a_violation_must_last_and_a_break_begins_it_again() -> None:
    rule = high(holds_s={RED: 600.0, ORANGE: 300.0}, thresholds={RED: 4.0, ORANGE: 3.0})
    steady = [(minute, 5.0) for minute in range(12)]
    assert lived(rule, steady) == [(R, ORANGE, 5), (AlarmState.CHANGED, RED, 10)]
    broken = [(minute, 0.0 if minute == 4 else 5.0) for minute in range(11)]
    assert lived(rule, broken) == [(R, ORANGE, 10)]
    assert lived(rule, [(0, 5.0), (90, 0.0), (91, 5.0)]) == []


def test_a_duration_stands_beside_m_of_n() -> None:
    rule = high(holds={RED: Hold(3, 3)}, holds_s={RED: 60.0}, thresholds={RED: 4.0})
    assert lived(rule, [(0, 5.0), (10, 5.0), (20, 5.0)]) == [(R, RED, 20)]


# a second device at the element


def test_a_second_device_at_the_element_confirms_a_single_sample() -> None:
    engine = RuleEngine(TOWN, rules_of(high()))
    assert story(engine.judge(batch_of((0, 0, 5.0)), START_MS)) == [(P, RED)]
    assert engine.wants_resample().tolist() == [0]
    alarms = engine.judge(batch_of((1, 1, 3.5)), START_MS)
    assert [(one.device, one.state, one.level, one.reason) for one in alarms] == [
        (TOWN.ids[0], R, ORANGE, AlarmReason.SECOND_DEVICE_AGREES),
        (TOWN.ids[1], R, ORANGE, AlarmReason.SECOND_DEVICE_AGREES),
    ]
    assert alarms[0].value == 5.0
    assert engine.wants_resample().tolist() == []
    assert story(engine.judge(batch_of((0, 2, 5.0)), START_MS)) == [(AlarmState.CHANGED, RED)]


def test_a_device_elsewhere_confirms_nothing() -> None:
    engine = RuleEngine(TOWN, rules_of(high()))
    assert story(engine.judge(batch_of((0, 0, 5.0), (2, 0, 5.0)), START_MS)) == [(P, RED)] * 2


def test_a_device_that_has_come_back_confirms_nothing() -> None:
    engine = RuleEngine(TOWN, rules_of(high()))
    told = engine.judge(batch_of((0, 0, 5.0), (0, 1, 0.0), (1, 2, 5.0)), START_MS)
    assert story(told) == [(P, RED), (W, RED), (P, RED)]


walks = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 30), st.sampled_from([0.0, 1.5, 3.5, 5.0])),
    min_size=1,
    max_size=60,
    unique_by=lambda one: one[:2],
)


@given(walks)
@settings(max_examples=60)
def test_neighbours_in_one_batch_are_judged_like_sample_by_sample(
    walk: list[tuple[int, int, float]],
) -> None:
    rules = rules_of(high())
    whole, single = RuleEngine(TOWN, rules), RuleEngine(TOWN, rules)
    at_once = whole.judge(batch_of(*walk), START_MS)
    in_turn = sorted(walk, key=lambda one: (one[1], one[0]))
    one_by_one = [alarm for one in in_turn for alarm in single.judge(batch_of(one), START_MS)]
    assert sorted(map(str, at_once)) == sorted(map(str, one_by_one))


# hot reload


def text_of(text: str, number: int = 1, base: str = "national") -> RuleText:
    body = f"format: 1\nversion: 't{number}'\nextends: {base}\n{text}"
    return RuleText(f"T{number}", body, f"try{number}.yaml", "chief", START_MS + number)


def at(stage: WarnStage, minute: int, value: float, *more: Message) -> list[Message]:
    now_ms = START_MS + minute * MINUTE_MS
    return feed(stage, samples_of([Reading(0, now_ms, value)], now_ms), *more, now_ms=now_ms)


def alarms_in(said: Sequence[Message]) -> list[Alarm]:
    return [one for one in said if isinstance(one, Alarm) and one.rule == HEAD]


def changes_in(said: Sequence[Message]) -> list[RulesChanged]:
    return [one for one in said if isinstance(one, RulesChanged)]


LOWER = "rules:\n  water.pressure_head: {thresholds: {blue: 0.18}}\n"
DROPPED = "rules:\n  water.pressure_head: {enabled: false}\n"


def test_a_taken_file_keeps_what_was_counted() -> None:
    stage = WarnStage(TOWN, RULES)
    assert alarms_in(at(stage, 0, 0.17) + at(stage, 5, 0.17)) == []
    said = at(stage, 10, 0.17, text_of(LOWER))
    (change,) = changes_in(said)
    assert (change.is_taken, change.added, change.removed) == (True, (), ())
    assert change.changed == (HEAD,)
    assert story(alarms_in(said)) == [(R, Level.BLUE)]
    assert alarms_in(said)[0].limit == 0.18


def test_alarms_of_a_removed_rule_are_cleared() -> None:
    stage = WarnStage(TOWN, RULES)
    for minute in (0, 5, 10):
        at(stage, minute, 0.17)
    said = at(stage, 15, 0.17, text_of(DROPPED))
    (alarm,) = alarms_in(said)
    assert (alarm.state, alarm.reason) == (X, AlarmReason.RULE_REMOVED)
    assert changes_in(said)[0].removed == (HEAD,)
    assert alarms_in(at(stage, 20, 0.17)) == []


def test_a_standing_alarm_outlives_a_reload_and_clears_by_the_new_rule() -> None:
    stage = WarnStage(TOWN, RULES)
    for minute in (0, 5, 10):
        at(stage, minute, 0.17)
    feed(stage, text_of("rules:\n  water.pressure_head: {clear_consecutive: 2}\n"))
    said = at(stage, 15, 0.5) + at(stage, 20, 0.5)
    assert story(alarms_in(said)) == [(X, Level.BLUE)]


@pytest.mark.parametrize(
    "bad", ["rules: [", "rules:\n  water.pressure_head: {thresholds: {blue: 0.01}}\n"]
)
def test_a_bad_file_is_refused_whole(bad: str) -> None:
    stage = WarnStage(TOWN, RULES)
    at(stage, 0, 0.17)
    at(stage, 5, 0.17)
    said = at(stage, 10, 0.17, text_of(bad))
    (change,) = changes_in(said)
    assert not change.is_taken
    assert change.version == RULES.version
    assert "try1.yaml" in change.reason
    assert story(alarms_in(said)) == [(R, Level.BLUE)]
    assert stage.rules is RULES


def test_a_second_copy_of_a_file_is_ignored() -> None:
    stage = WarnStage(TOWN, RULES)
    assert changes_in(feed(stage, text_of(LOWER), text_of(LOWER)))[0].is_taken
    feed(stage, text_of(DROPPED, 2))
    assert changes_in(feed(stage, text_of(LOWER))) == []
    assert stage.rules.version == "t2"


def test_a_restart_after_a_reload_goes_on_by_the_new_rules() -> None:
    stage = WarnStage(TOWN, RULES)
    at(stage, 0, 0.17)
    at(stage, 5, 0.17, text_of(LOWER))
    stage.on_batch([text_of(DROPPED, 2)], START_MS)
    again = WarnStage(TOWN, RULES)
    again.restore(stage.snapshot())
    assert again.snapshot() == stage.snapshot()
    assert again.rules.version == "t1"
    assert at(again, 10, 0.17) == at(stage, 10, 0.17) != []
    assert again.rules.version == "t2"


def test_a_snapshot_from_before_a_reload_brings_the_old_rules_back() -> None:
    stage = WarnStage(TOWN, RULES)
    before = stage.snapshot()
    feed(stage, text_of(DROPPED))
    stage.restore(before)
    assert stage.rules is RULES
    assert stage.snapshot() == before


def test_provisional_alarms_ask_for_a_sample_unless_their_rule_does_not() -> None:
    for asks in (True, False):
        stage = WarnStage(TOWN, rules_of(high(asks_resample=asks)))
        at(stage, 0, 5.0)
        assert stage.wants_resample == ((0,) if asks else ())


def test_state_of_a_large_fleet_is_small() -> None:
    engine = RuleEngine(TOWN, RULES)
    for one in engine.running:
        rows = len(one.columns.devices)
        assert sum(array.nbytes for array in one.remembered.values()) <= 300 * rows, one.id
    assert np.shares_memory(
        engine.running[0].columns.limits[:, 0], engine.running[0].columns.limits
    )
