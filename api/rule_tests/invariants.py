"""What must hold of alarms whatever the devices show; no input may break it."""

from collections.abc import Iterator, Mapping

import msgspec
import numpy as np

from api.rule_tests.document import CaseTable
from api.rule_tests.durations import duration_words
from api.rule_tests.play import Handling, Played, play
from pipeline.errors import RuleError
from pipeline.messages import Alarm, AlarmState
from pipeline.rules import Function, RuleSet

_STANDS = frozenset({AlarmState.RAISED, AlarmState.CHANGED})
_OVER = frozenset({AlarmState.CLEARED, AlarmState.WITHDRAWN})
_AFTER: Mapping[AlarmState | None, frozenset[AlarmState]] = {
    None: frozenset({AlarmState.PROVISIONAL, AlarmState.RAISED}),
    AlarmState.PROVISIONAL: frozenset(
        {AlarmState.PROVISIONAL, AlarmState.RAISED, AlarmState.WITHDRAWN}
    ),
    AlarmState.RAISED: frozenset({AlarmState.CHANGED, AlarmState.CLEARED}),
    AlarmState.CHANGED: frozenset({AlarmState.CHANGED, AlarmState.CLEARED}),
}
"""State of an alarm → states that may follow; None is before an alarm and after its end."""
_HANDLINGS = (
    Handling(batch=1),
    Handling(batch=2, is_reversed=True),
    Handling(restart_every=1),
    Handling(restart_every=7, is_reversed=True),
)
_COUNTED = frozenset(Function) - {Function.FALL}
"""Functions whose levels go down by the clear count; a fall is judged by its recovery."""


def broken_invariant(test: CaseTable, rules: RuleSet, where: str) -> str:
    """Play a test as it is and in other batches, orders and with restarts.

    Returns:
        What does not hold, empty when all of it does: no exception; alarms alternate legally;
        no level goes down without its clear count; handling changes nothing.

    Raises:
        RuleError: the test itself is wrong.
    """
    try:
        played = play(test, rules, where)
        broken = next(_wrong(played, rules), "")
        if broken:
            return broken
        expected = _said(played)
        for handling in _HANDLINGS:
            again = _said(play(test, rules, where, handling=handling))
            if again != expected:
                return f"other alarms with {handling}: {_first_difference(expected, again)}"
    except RuleError:
        raise
    except Exception as error:
        return f"exception {type(error).__name__}: {error}"
    return ""


def _wrong(played: Played, rules: RuleSet) -> Iterator[str]:
    """Yield what is wrong with the sequence of alarms."""
    newest: dict[tuple[str, str], Alarm] = {}
    for alarm in played.said:
        if not isinstance(alarm, Alarm):
            continue
        key = (alarm.device, alarm.rule)
        before = newest.get(key)
        state = None if before is None or before.state in _OVER else before.state
        after = duration_words(alarm.time_ms - played.fleet.start_ms)
        what = f"{alarm.device} {alarm.rule} {alarm.state.value} at {after}"
        if alarm.state not in _AFTER[state]:
            yield f"{what} may not follow {'nothing' if state is None else state.value}"
        if before is not None and state in _STANDS:
            yield from _lowered(before, alarm, what, played, rules)
        newest[key] = alarm


def _lowered(
    before: Alarm, alarm: Alarm, what: str, played: Played, rules: RuleSet
) -> Iterator[str]:
    """Yield that a level went down too early."""
    is_lower = alarm.state is AlarmState.CLEARED or before.level.is_worse_than(alarm.level)
    rule = rules.rules.get(alarm.rule)
    if not is_lower or rule is None or rule.signal.function not in _COUNTED:
        return
    samples = _samples(played, alarm.device, before.sample_ms, alarm.sample_ms)
    if samples < rule.clear_consecutive:
        yield f"{what}: down after {samples} samples, {rule.clear_consecutive} are needed"


def _samples(played: Played, device: str, after_ms: int, to_ms: int) -> int:
    """Return how many samples a device made after a moment, up to another."""
    number = played.fleet.registry.number[device]
    for group in played.fleet.groups:
        place = number - group.first
        if 0 <= place < len(group.numbers):
            first_ms = played.fleet.start_ms + group.offset_ms
            times = first_ms + np.arange(len(group.series)) * group.interval_ms
            is_there = np.isfinite(group.series.base) & (times > after_ms) & (times <= to_ms)
            return int(np.count_nonzero(is_there))
    return 0


def _said(played: Played) -> list[str]:
    """Return messages as text, which takes NaN for equal and a word for its enumeration."""
    return [
        f"{type(message).__name__} {msgspec.json.encode(message).decode()}"
        for message in played.said
    ]


def _first_difference(expected: list[str], got: list[str]) -> str:
    for one, other in zip(expected, got, strict=False):
        if one != other:
            return f"{one} became {other}"
    more = len(got) - len(expected)
    some = (got[len(expected)] if more > 0 else expected[len(got)]) if more else ""
    return f"{abs(more)} {'more' if more > 0 else 'fewer'}, first {some}"
