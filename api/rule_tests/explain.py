"""Explains an alarm of a recorded run: samples, signal, limits, reasons, sources, consequences."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import groupby
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from api.bootstrap import build_stages
from api.replaying.recording import Recording
from api.rule_tests.weighing import Weighed, number_in, weighed
from api.warning_models import outside_models
from pipeline.errors import RuleError
from pipeline.messages import Samples
from pipeline.monitor.stage import MonitorStage
from pipeline.ports import LogEntry
from pipeline.rules import Rule, RuleSet, default_rules, rules_named
from pipeline.warn.compile import BY_MODEL, CompiledRule
from pipeline.warn.stage import WarnStage
from pipeline.warn.verdicts import Rows
from sensors.readings import Floats, Frame, FrameId, Int64s, ReadingBatch
from sensors.registry import Registry

ROWS_BEFORE = 4
"""Samples shown before the first that violated the limit."""
MOST_ROWS = 40
"""Samples shown."""
MOST_FOLLOWING = 30
"""Entries of the log shown of what followed."""
_FOLLOWERS = frozenset({"Incident", "WarningNotice", "Dispatch", "WorkOrder", "Slip", "Closure"})


@dataclass(frozen=True, slots=True)
class Explained:
    """Everything about one alarm.

    Attributes:
        alarm: Its id.
        story: Its transitions, as the log has them.
        rule: Its rule; None when a warning model raised it or the rule set lacks it.
        rules: The rule set.
        assumption: Said when the run's folder does not tell its rules, or a signal is not shown.
        samples: The samples that decided it.
        followed: Log entries that came of it.
        utc_offset_ms: The city's time minus UTC.
    """

    alarm: str
    story: tuple[LogEntry, ...]
    rule: Rule | None
    rules: RuleSet
    assumption: str
    samples: tuple[Weighed, ...]
    followed: tuple[LogEntry, ...]
    utc_offset_ms: int

    def plain(self) -> dict[str, Any]:
        """Return it as plain values for JSON."""
        return {
            "alarm": self.alarm,
            "rule": None if self.rule is None else self.rule.id,
            "rules": f"{self.rules.source} {self.rules.version}",
            "assumption": self.assumption,
            "story": [one.data for one in self.story],
            "samples": [
                {key: None if value != value else value for key, value in asdict(one).items()}
                for one in self.samples
            ],
            "followed": [
                {"time_ms": one.time_ms, "kind": one.kind, "subject": one.subject}
                | {"reason": one.reason}
                for one in self.followed
            ],
        }


def explained(wanted: str, folder: Path | None, rules: str | None = None) -> Explained:
    """Explain an alarm.

    Args:
        wanted: Its id, or a part of it.
        folder: Folder of the run; None for the newest in `runs`.
        rules: Rule set of the run, None for the one its folder names.

    Raises:
        RuleError: no alarm, or several, have `wanted` in their id; or there is no run.
    """
    recording = Recording.open(folder or _newest_run())
    entries = recording.entries()
    story = _story(entries, wanted, recording.folder)
    data = story[0].data
    found, assumption = _rules(recording, rules)
    rule = found.rules.get(str(data["rule"]))
    samples: tuple[Weighed, ...] = ()
    if rule is None:
        assumption += f" {data['rule']} is a warning model: it joins several signals."
    else:
        samples = _samples(recording, found, rule, story)
    return Explained(
        alarm=story[0].subject,
        story=tuple(story),
        rule=rule,
        rules=found,
        assumption=assumption.strip(),
        samples=samples,
        followed=tuple(_followed(entries, story[0].subject)),
        utc_offset_ms=recording.scenario.utc_offset_ms,
    )


def _newest_run() -> Path:
    runs = [one.parent for one in Path("runs").glob("*/manifest.json")]
    if not runs:
        raise RuleError("runs: no recorded run there; name one with --run FOLDER")
    return max(runs, key=lambda one: (one / "manifest.json").stat().st_mtime)


def _story(entries: Sequence[LogEntry], wanted: str, folder: Path) -> list[LogEntry]:
    alarms = [entry for entry in entries if entry.kind == "Alarm"]
    ids = sorted({entry.subject for entry in alarms if wanted in entry.subject})
    if wanted in ids:
        ids = [wanted]
    if len(ids) == 1:
        return [entry for entry in alarms if entry.subject == ids[0]]
    shown = ids or sorted({entry.subject for entry in alarms})
    some = "".join(f"\n  {name}" for name in shown[:12])
    more = f"\n  … and {len(shown) - 12} more" if len(shown) > 12 else ""
    problem = f"{len(ids)} alarms have that in their id" if ids else "no alarm has that in its id"
    fix = "give more of it" if ids else "choose one"
    raise RuleError(f"{folder}: alarm = {wanted!r}: {problem}; {fix}:{some}{more}")


def _rules(recording: Recording, wanted: str | None) -> tuple[RuleSet, str]:
    if wanted is not None:
        return rules_named(wanted), ""
    kept = recording.rules()
    if kept is not None:
        return kept, ""
    return default_rules(), "The run's folder does not say its rules: the national set is shown."


def _samples(
    recording: Recording, rules: RuleSet, rule: Rule, story: Sequence[LogEntry]
) -> tuple[Weighed, ...]:
    """Play the device's recorded readings to the rule alone and keep what it compared."""
    number = recording.registry.number[str(story[0].data["device"])]
    alone = replace(
        rules,
        rules=MappingProxyType({rule.id: replace(rule, is_chain_of="")}),
        couplings=tuple(replace(one, is_on=False) for one in rules.couplings),
        silences=(),
        inhibitions=(),
    )
    to_ms = max(number_in(entry, "sample_ms") for entry in story)
    if rule.signal.function in BY_MODEL:
        batch, signals = _scored_by_model(recording, alone, number, to_ms)
    else:
        batch, signals = _played_alone(recording, alone, number)
    rows = weighed(rule, batch, signals, story)
    raised_ms = min(number_in(entry, "raised_ms") for entry in story)
    times = [one.time_ms for one in rows]
    first = max(0, int(np.searchsorted(times, raised_ms)) - ROWS_BEFORE)
    last = int(np.searchsorted(times, to_ms, side="right"))
    chosen = rows[first:last]
    if len(chosen) > MOST_ROWS:
        chosen = [*chosen[: MOST_ROWS // 2], *chosen[-MOST_ROWS // 2 :]]
    return tuple(chosen)


def _played_alone(
    recording: Recording, rules: RuleSet, number: int
) -> tuple[ReadingBatch, dict[int, Floats]]:
    """Return the checked samples of a device and the signal of each, from its readings alone."""
    registry = Registry(recording.registry.table.slice(number, 1))
    monitor = MonitorStage(registry, rules.device)
    warn = WarnStage(
        registry,
        rules,
        utc_offset_ms=recording.scenario.utc_offset_ms,
        models=outside_models(rules),
    )
    frames = (
        Frame(
            FrameId("explain", 1, seq),
            frame.sent_ms,
            replace(frame.batch, device=np.zeros(len(frame.batch), np.int32)),
        )
        for seq, frame in enumerate(recording.reader.frames(devices=[number]))
    )
    return _tapped(monitor, warn, ((frame.sent_ms, [frame]) for frame in frames), 0)


def _scored_by_model(
    recording: Recording, rules: RuleSet, number: int, to_ms: int
) -> tuple[ReadingBatch, dict[int, Floats]]:
    """Return the same by the platform's network model, which needs the readings of all devices."""
    stages = build_stages(recording.plan, rules)
    monitor, warn = stages["monitor"], stages["warn"]
    assert isinstance(monitor, MonitorStage)
    assert isinstance(warn, WarnStage)
    start_ms, tick_ms = recording.start_ms, recording.tick_ms
    sent_ms = to_ms + round(recording.registry.numbers("upload_s")[number]) * 1000 + 2 * tick_ms
    frames = recording.reader.frames(to_ms=sent_ms)
    ticks = groupby(frames, lambda one: -(-(one.sent_ms - start_ms) // tick_ms))
    moments = ((start_ms + tick * tick_ms, list(some)) for tick, some in ticks)
    return _tapped(monitor, warn, moments, number)


def _tapped(
    monitor: MonitorStage,
    warn: WarnStage,
    moments: Iterable[tuple[int, Sequence[Frame]]],
    number: int,
) -> tuple[ReadingBatch, dict[int, Floats]]:
    """Play frames and return one device's checked samples and the signal of each."""
    signals: dict[int, Floats] = {}
    seen: list[ReadingBatch] = []

    def tap(columns: CompiledRule, device: Rows, times_ms: Int64s, signal: Floats) -> None:
        for place in np.flatnonzero(device == number).tolist():
            signals[int(times_ms[place])] = np.atleast_2d(signal)[:, place].copy()

    warn.engine.tap = tap
    for now_ms, frames in moments:
        monitor.on_batch(frames, now_ms)
        checked = monitor.on_time(now_ms)
        batches = [one.batch for one in checked if isinstance(one, Samples)]
        seen += [batch.take(batch.device == number) for batch in batches]
        warn.on_batch(checked, now_ms)
        warn.on_time(now_ms)
    return ReadingBatch.concat(seen).by_device_and_time(), signals


def _followed(entries: Sequence[LogEntry], alarm: str) -> Iterator[LogEntry]:
    """Yield warnings, incidents, orders and slips that came of an alarm, each change once."""
    about: set[str] = {alarm}
    told: set[tuple[str, str, str]] = set()
    count = 0
    for entry in entries:
        if entry.kind not in _FOLLOWERS:
            continue
        named = {str(entry.data.get(key, "")) for key in ("incident", "order", "subject")}
        alarms = entry.data.get("alarms")
        named |= {str(one) for one in alarms} if isinstance(alarms, list) else set()
        if not about & named and entry.subject not in about:
            continue
        about.add(entry.subject)
        key = (entry.kind, entry.subject, _status(entry))
        if key in told or count == MOST_FOLLOWING:
            continue
        told.add(key)
        count += 1
        yield entry


def _status(entry: LogEntry) -> str:
    words = (str(entry.data.get(name, "")) for name in ("status", "level", "cause", "team"))
    return " ".join(word for word in words if word)
