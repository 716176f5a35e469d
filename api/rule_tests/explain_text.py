"""Writes the explanation of an alarm as text for people."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from api.rule_tests.explain import Explained
from api.rule_tests.showing import page
from api.rule_tests.weighing import number_in
from pipeline.ports import LogEntry
from pipeline.rules import Change, Function, Rule
from sensors.levels import Level


def explained_lines(told: Explained) -> Iterator[str]:
    """Yield the explanation as text."""
    first = told.story[0].data
    yield f"{told.alarm}"
    yield f"  {first['device']} in area {first['area']}, {first['domain']}, {first['quantity']}"
    yield ""
    for entry in told.story:
        yield "  " + _transition(entry, told)
    if told.rule is not None:
        yield ""
        yield from page(told.rule, told.rules)
    if told.samples:
        yield ""
        yield from _table(told)
    if told.followed:
        yield ""
        yield "what followed"
        for entry in told.followed:
            yield f"  {_clock(entry.time_ms, told)} {_what(entry)}"
    if told.assumption:
        yield ""
        yield f"note: {told.assumption}"


def _what(entry: LogEntry) -> str:
    data = entry.data
    level = f" {Level(number_in(entry, 'level')).colour}" if data.get("level") else ""
    words = [str(data[name]) for name in ("status", "cause", "team") if data.get(name)]
    return f"{entry.kind} {entry.subject}{level} {' '.join(words)} ({entry.reason})"


def _transition(entry: LogEntry, told: Explained) -> str:
    data = entry.data
    level = Level(number_in(entry, "level"))
    unit = data.get("unit") or (told.rule.unit if told.rule else "")
    before = "" if data.get("before") is None else f", {data['before']:g} before"
    held = f", held: {data['held']}" if data.get("held") else ""
    sampled = _clock(number_in(entry, "sample_ms"), told)
    value = "?" if data.get("value") is None else f"{data['value']:g}"
    return (
        f"{_clock(entry.time_ms, told)} {data['state']} {level.colour} {level.roman}: "
        f"{value} {unit} against {data['limit']:g} (sample of {sampled}{before}{held}): "
        f"{entry.reason}"
    )


def _table(told: Explained) -> Iterator[str]:
    rule = told.rule
    assert rule is not None
    yield f"samples against the level in force; it clears after {_clearing(rule)}"
    yield (
        "  sampled              shown     signal  beyond  level   limit     held    inside  doubts"
    )
    decided = {number_in(entry, "sample_ms"): str(entry.data["state"]) for entry in told.story}
    for one in told.samples:
        mark = f"  ◀ {decided[one.time_ms]}" if one.time_ms in decided else ""
        limit = f"{rule.thresholds[Level.of_colour(one.level)]:g}"
        signal = "–" if one.signal != one.signal else f"{one.signal:.4g}"
        held = one.held or "–"
        yield (
            f"  {_clock(one.time_ms, told):<19}{one.value:>8.4g}  {signal:>9}  {one.beyond:<6}  "
            f"{one.level:<6}  {limit:<8}  {held:<6}  {one.inside:>6}  {one.quality}{mark}"
        )


def _clearing(rule: Rule) -> str:
    back = f"inside its limit by {rule.deadband:g} {rule.unit}"
    if rule.signal.function is Function.FALL:
        share = (rule.change or Change()).recovered_share
        near = f"{rule.deadband:g} {rule.unit} of the value before"
        back = f"that recovered {share:.0%} of the fall, or to within {near}"
    return f"{rule.clear_consecutive} samples in a row {back}"


def _clock(time_ms: int, told: Explained) -> str:
    moment = datetime.fromtimestamp(time_ms / 1000, UTC) + timedelta(
        milliseconds=told.utc_offset_ms
    )
    return moment.strftime("%Y-%m-%d %H:%M:%S")
