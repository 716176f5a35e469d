"""What a rule made of each sample of a device: signal, limit, samples held and back inside."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from api.backtest.signals import fallen
from pipeline.ports import LogEntry
from pipeline.rules import Change, Direction, Function, Rule
from sensors.levels import Level
from sensors.readings import Floats, Quality, ReadingBatch

_MILDEST_FIRST = (Level.BLUE, Level.YELLOW, Level.ORANGE, Level.RED)
_LONGEST_HOLD = 8


@dataclass(frozen=True, slots=True)
class Weighed:
    """One sample as the rule saw it.

    Attributes:
        time_ms: Sample time.
        value: What the device showed.
        signal: What the rule compared; NaN where it said nothing.
        beyond: Worst level whose limit it is beyond, empty for none.
        level: Level in force: the one first reached, or that of the newest change before.
        held: Signals beyond its limit among the last n, as `m of n`; empty without a signal.
        inside: Signals in a row inside limit and deadband; of a fall, samples that recovered.
        quality: Doubts about the sample, empty for none.
    """

    time_ms: int
    value: float
    signal: float
    beyond: str
    level: str
    held: str
    inside: int
    quality: str


def weighed(
    rule: Rule,
    batch: ReadingBatch,
    signals: Mapping[int, Floats],
    story: Sequence[LogEntry],
) -> list[Weighed]:
    """Return each sample with what limit, hold and clear count of the level in force make of it.

    Args:
        rule: The rule.
        batch: Samples of one device, ascending.
        signals: Sample time → what the engine compared, by level or one for all. A sample without
            one was not judged and changes no count.
        story: The transitions of the alarm, as the log has them.
    """
    is_fall = rule.signal.function is Function.FALL
    if is_fall:
        signals = _falls(rule, signals, story)
    recovered = _recovered(rule, signals, story) if is_fall else {}
    sign = 1.0 if rule.direction is Direction.HIGH else -1.0
    changes = [(number_in(one, "sample_ms"), Level(number_in(one, "level"))) for one in story]
    recent: list[float] = []
    inside, rows = 0, list[Weighed]()
    level = changes[0][1]
    for time_ms, value, flags in zip(
        batch.time_ms.tolist(), batch.value.tolist(), batch.quality.tolist(), strict=True
    ):
        before = level
        level = next((one for at_ms, one in reversed(changes) if at_ms < time_ms), level)
        inside = inside if level is before else 0
        limit = sign * rule.thresholds.get(level, float("nan"))
        n = rule.holds[level].n if level in rule.holds else 1
        signal = signals.get(time_ms, np.array([np.nan]))
        by_level = dict(zip(_MILDEST_FIRST, np.broadcast_to(signal, (4,)).tolist(), strict=True))
        beyond = [
            one.colour
            for one in _MILDEST_FIRST
            if one in rule.thresholds and sign * by_level[one] >= sign * rule.thresholds[one]
        ]
        own, held = sign * by_level[level], ""
        if not np.isnan(own):
            recent = [*recent, own][-_LONGEST_HOLD:]
            inside = inside + 1 if own <= limit - rule.deadband else 0
            held = f"{sum(one >= limit for one in recent[-n:])} of {n}"
        rows.append(
            Weighed(
                time_ms=time_ms,
                value=value,
                signal=by_level[level],
                beyond=beyond[-1] if beyond else "",
                level=level.colour,
                held=held,
                inside=recovered.get(time_ms, 0) if is_fall else inside,
                quality=", ".join(flag.name.lower() for flag in Quality(flags) if flag.name),
            )
        )
    return rows


def number_in(entry: LogEntry, name: str) -> int:
    """Return a whole number of a log entry's data."""
    value = entry.data[name]
    assert isinstance(value, int)
    return value


def _falls(
    rule: Rule, values: Mapping[int, Floats], story: Sequence[LogEntry]
) -> dict[int, Floats]:
    """Return the fall at each sample: from one window before, or from before the alarm's fall."""
    times = sorted(values)
    shown = np.array([np.atleast_1d(values[one])[0] for one in times])
    falls = fallen(rule, np.array(times, np.int64), shown)
    seen_ms = number_in(story[0], "sample_ms")
    before = story[0].data.get("before")
    if isinstance(before, int | float):
        falls = np.where(np.array(times) >= seen_ms, before - shown, falls)
    return {time_ms: np.array([fall]) for time_ms, fall in zip(times, falls.tolist(), strict=True)}


def _recovered(
    rule: Rule, falls: Mapping[int, Floats], story: Sequence[LogEntry]
) -> dict[int, int]:
    """Return sample → samples in a row that have recovered, once the fall was seen.

    *Recovered* is back by the share that the rule asks of the deepest fall, or to within the
    deadband of the value before (`pipeline.warn.changes`).
    """
    share = 1.0 - (rule.change or Change()).recovered_share
    decided = {number_in(one, "sample_ms"): one for one in story}
    found: dict[int, int] = {}
    deepest, count = 0.0, 0
    for time_ms in (one for one in sorted(falls) if one >= min(decided)):
        fall = float(falls[time_ms][0])
        entry = decided.get(time_ms)
        count = count + 1 if fall <= max(rule.deadband, share * deepest) else 0
        if entry is not None:
            is_set = entry.data["state"] in ("provisional", "raised")
            deepest = fall if is_set else max(deepest, fall)
        found[time_ms] = count
    return found
