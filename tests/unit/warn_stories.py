"""Plays samples to the warn stage and reads its alarms, for the tests of warn."""

from collections.abc import Sequence
from dataclasses import replace
from types import MappingProxyType

from pipeline.messages import (
    Alarm,
    AlarmState,
    Message,
)
from pipeline.rules import Rule, RuleSet, default_rules
from pipeline.warn.stage import WarnStage
from sensors.levels import Level
from sensors.readings import Reading
from tests.conformance.pressure_devices import (
    SAMPLE_MS,
    START_MS,
    pressure_registry,
    samples_of,
)

HEAD, DROP = "water.pressure_head", "water.pressure_drop"
MINUTE_MS = 60_000
RULES = default_rules()
P, R, C, X, W = (
    AlarmState.PROVISIONAL,
    AlarmState.RAISED,
    AlarmState.CHANGED,
    AlarmState.CLEARED,
    AlarmState.WITHDRAWN,
)


def with_rule(rule_id: str, **changes: object) -> RuleSet:
    """The default rules with one rule alone, changed."""
    rule: Rule = replace(RULES.rule(rule_id), **changes)  # type: ignore[arg-type]
    return replace(RULES, rules=MappingProxyType({rule_id: rule}))


ONLY_HEAD, ONLY_DROP = with_rule(HEAD), with_rule(DROP)


def feed(stage: WarnStage, *messages: Message, now_ms: int = START_MS) -> list[Message]:
    stage.on_batch(messages, now_ms)
    return list(stage.on_time(now_ms))


def alarms_of(
    values: Sequence[float],
    rules: RuleSet,
    gap_ms: int = SAMPLE_MS,
    quality: Sequence[int] | None = None,
    stage: WarnStage | None = None,
) -> list[Alarm]:
    """Alarms of one device given one value a tick."""
    stage = stage or WarnStage(pressure_registry(), rules)
    said: list[Message] = []
    for number, value in enumerate(values):
        now_ms = START_MS + number * gap_ms
        flag = quality[number] if quality else 0
        said += feed(stage, samples_of([Reading(0, now_ms, value, flag)], now_ms), now_ms=now_ms)
    return [one for one in said if isinstance(one, Alarm)]


def story(alarms: Sequence[Alarm]) -> list[tuple[AlarmState, Level]]:
    return [(alarm.state, alarm.level) for alarm in alarms]


def sample_numbers(alarms: Sequence[Alarm], gap_ms: int = SAMPLE_MS) -> list[int]:
    return [(alarm.sample_ms - START_MS) // gap_ms for alarm in alarms]
