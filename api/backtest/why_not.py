"""Why an event was missed: margins of every rule, the smallest change that catches it, its cost."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from api.backtest.figures import HOLD, Base, base_of, variant
from api.backtest.margins import Margin, margins
from api.backtest.signals import tapped
from api.backtest.writing import clock
from api.detection.record import Said, lost_at
from api.detection.writing import grid
from api.replaying.source import DetectionResult, RecordedTick, Recording, replay_detection
from pipeline.errors import RuleError
from pipeline.evaluate.matching import events
from pipeline.rules import Direction, Function, Rule, RuleSet
from sensors.ground_truth import TrueIncident
from sensors.levels import Level

MOST_TRIALS = 8
"""Changes that are tried; each runs detection over the whole recording once (proposed)."""
_EASIER = (1.0, 0.9, 0.75)
"""A threshold that is just met may still be lost to the clear count or to grouping: the next."""
_MOST_ROWS = 15


@dataclass(frozen=True, slots=True)
class Change:
    """One figure changed, and what it does on the same recording.

    Attributes:
        rule: The rule.
        figure: Path of the figure.
        before: Figure in use.
        after: Figure tried.
        is_caught: Whether the event is found with it.
        false: False incidents more (negative: fewer).
        alarms: Alarms raised more.
        hits: Events found more, the one in question included.
        fragment: Rule file to paste; empty when the change was refused.
        refused: Why it contradicts the rest of the file.
    """

    rule: str
    figure: str
    before: float
    after: float
    is_caught: bool = False
    false: int = 0
    alarms: int = 0
    hits: int = 0
    fragment: str = ""
    refused: str = ""

    @property
    def share(self) -> float:
        """How far the figure moved, as a share of what it was."""
        return abs(self.after - self.before) / max(abs(self.before), 1e-12)


@dataclass(frozen=True)
class Explanation:
    """Why one event was missed.

    Attributes:
        event: Its id.
        kind: What it was.
        onset_ms: When it began.
        rules: The rule set it was looked at with, for people.
        devices: Devices it moved by more than twice their noise.
        found_by: The incident that matched it, empty for a miss.
        lost_at: Where a miss was lost.
        margins: Nearest margin of each rule and level, nearest rules first.
        silent: Rules that watch a moved device and worked out nothing there: still learning, or
            without the model or constants they need.
        tried: Changes tried, in the order they were.
        best: The smallest of those that caught it; None when none did.
        utc_offset_ms: The city's time minus UTC.
    """

    event: str
    kind: str
    onset_ms: int
    rules: str
    devices: tuple[str, ...]
    found_by: str
    lost_at: str
    margins: tuple[Margin, ...]
    silent: tuple[str, ...]
    tried: tuple[Change, ...]
    best: Change | None
    utc_offset_ms: int = 0


def explain_miss(folder: Path, event: str, rules: str = "") -> Explanation:
    """Explain why a true event of a recording is missed under a rule set.

    Args:
        folder: The recording, with its truth.
        event: Id of the true event.
        rules: Rule set by name or file; empty for the one the recording was made with.

    Raises:
        RuleError: the recording has no such event, or there is no such rule set.
        TransportError: the folder is no recording.
    """
    recording = Recording.open(folder)
    happened = events(recording.truths())
    if event not in happened:
        known = ", ".join(sorted(happened)) or "none"
        raise RuleError(f"{folder}: no true event {event!r} to be found; it has {known}")
    base = base_of(recording, rules)
    truth, chosen = happened[event], base.rules
    ticks = list(recording.ticks())
    now = replay_detection(recording, chosen, ticks=ticks)
    said = _said(now)
    found_by = said.matches.get(event, "")
    near, silent = _margins(recording, ticks, chosen, truth, now.end_ms)
    tried: list[Change] = []
    if not found_by and truth.detectable_ms:
        tried = _tried(recording, ticks, base, near, event, now)
    caught = [one for one in tried if one.is_caught]
    return Explanation(
        event=event,
        kind=truth.kind.value,
        onset_ms=truth.onset_ms,
        rules=base.words,
        devices=tuple(sorted(truth.detectable_ms)),
        found_by=found_by,
        lost_at="" if found_by else lost_at(truth, said, now.end_ms),
        margins=tuple(near),
        silent=silent,
        tried=tuple(tried),
        best=min(caught, key=lambda one: (one.share, one.false, one.rule), default=None),
        utc_offset_ms=recording.scenario.utc_offset_ms,
    )


def explanation_text(told: Explanation) -> str:
    """Return an explanation for people."""
    head = f"{told.event} ({told.kind}) began {clock(told.onset_ms, told.utc_offset_ms)}"
    parts = [f"{head} and moved {len(told.devices)} devices by more than twice their noise."]
    parts[0] += f"\nRules: {told.rules}."
    if not told.devices:
        return f"{parts[0]}\nNo rule could have found it: change the devices, not the rules."
    if told.found_by:
        parts.append(f"It was found: {told.found_by}. What follows is how near each rule came.")
    else:
        parts.append(f"Lost at {told.lost_at}.")
    head_row = ["rule", "device", "level", "limit", "reached", "at", "short by", "held"]
    parts.append(
        grid(head_row, [_row(one, told.utc_offset_ms) for one in told.margins[:_MOST_ROWS]])
    )
    if told.silent:
        parts.append(f"Watched and worked out nothing (still learning?): {', '.join(told.silent)}.")
    if told.tried:
        changes = [_change_row(one) for one in told.tried]
        parts.append("Changes tried on the whole recording:")
        parts.append(grid(["rule", "figure", "now", "tried", "caught", "false", "alarms"], changes))
    if told.best is not None:
        one = told.best
        parts.append(
            f"Smallest change that catches it: {one.rule} {one.figure} {one.before:g} -> "
            f"{one.after:g}; it costs {one.false:+d} false incidents and {one.alarms:+d} alarms "
            f"on this recording.\n\n{one.fragment}"
        )
    elif not told.found_by:
        parts.append("No single change of a figure that was tried catches it.")
    return "\n\n".join(parts)


def _margins(
    recording: Recording,
    ticks: Sequence[RecordedTick],
    rules: RuleSet,
    truth: TrueIncident,
    end_ms: int,
) -> tuple[list[Margin], tuple[str, ...]]:
    """Return the nearest margin of each rule and level, nearest first, and the silent rules."""
    number = recording.registry.number
    moved = {number[device]: device for device in truth.detectable_ms if device in number}
    last_ms = max(truth.end_ms or end_ms, truth.repaired_ms or 0)
    best: dict[tuple[str, int], Margin] = {}
    courses = tapped(recording, ticks, rules, moved)
    for (rule, device), course in courses.items():
        for one in margins(rules.rules[rule], moved[device], course, truth.onset_ms, last_ms):
            key = (rule, int(one.level))
            if key not in best or one.share < best[key].share:
                best[key] = one
    near = sorted(best.values(), key=lambda one: (one.share, one.rule, -one.level))
    return near, tuple(sorted({rule for rule, _ in courses} - {rule for rule, _ in best}))


def _tried(
    recording: Recording,
    ticks: Sequence[RecordedTick],
    base: Base,
    near: Sequence[Margin],
    event: str,
    now: DetectionResult,
) -> list[Change]:
    """Try the nearest margins as changes, smallest first, until one catches the event."""
    tried: list[Change] = []
    runs = 0
    for one in near:
        for figure, before, after in _changes(one, base.rules):
            if runs >= MOST_TRIALS:
                return tried
            try:
                changed = variant(base.name, one.rule, {figure: after}, base.home)
            except RuleError as error:
                tried.append(Change(one.rule, figure, before, after, refused=str(error)))
                continue
            runs += 1
            then = replay_detection(recording, changed.rules, ticks=ticks)
            tried.append(_cost(one.rule, figure, before, after, event, now, then, changed.fragment))
            if tried[-1].is_caught:
                return tried
    return tried


def _changes(one: Margin, rules: RuleSet) -> list[tuple[str, float, float]]:
    """Return the changes of one figure that would have let a rule reach a level."""
    found: list[tuple[str, float, float]] = []
    rule, level = rules.rules[one.rule], one.level.colour
    is_beyond = one.short <= 0
    if is_beyond and 0 < one.held < one.needed:
        found.append((f"{HOLD}.{level}", float(one.needed), float(one.held)))
    if is_beyond and 0 < one.held_s < one.needed_s:
        found.append((f"hold_s.{level}", one.needed_s, one.held_s))
    if one.sustained is not None and one.is_short:
        is_high = rule.direction is Direction.HIGH
        for share in _EASIER if rule.signal.function is Function.FALL else _EASIER[:2]:
            easier = one.sustained * (share if is_high == (one.sustained > 0) else 2.0 - share)
            after = _rounded(easier, up=not is_high)
            if not _passes_milder(rule, one.level, after):
                found.append((f"thresholds.{level}", one.limit, after))
    return found


def _passes_milder(rule: Rule, level: Level, after: float) -> bool:
    """Return whether a threshold would be met before that of a milder level: two figures then."""
    milder = [limit for other, limit in rule.thresholds.items() if level.is_worse_than(other)]
    if rule.direction is Direction.HIGH:
        return any(after <= limit for limit in milder)
    return any(after >= limit for limit in milder)


def _cost(
    rule: str,
    figure: str,
    before: float,
    after: float,
    event: str,
    now: DetectionResult,
    then: DetectionResult,
    fragment: str,
) -> Change:
    old, new = now.evaluation, then.evaluation
    assert old is not None
    assert new is not None
    return Change(
        rule=rule,
        figure=figure,
        before=before,
        after=after,
        is_caught=event in new.matches,
        false=new.false - old.false,
        alarms=len(then.raised) - len(now.raised),
        hits=new.found - old.found,
        fragment=fragment,
    )


def _said(result: DetectionResult) -> Said:
    return Said((type(one).__name__, msgspec.to_builtins(one)) for one in result.messages)


def _rounded(number: float, *, up: bool) -> float:
    """Return a number with 3 significant digits, rounded to the side that is met more easily."""
    if number == 0:
        return 0.0
    unit = 10.0 ** (np.floor(np.log10(abs(number))) - 2)
    steps = np.ceil(number / unit) if up else np.floor(number / unit)
    return float(f"{float(steps * unit):.6g}")


def _row(one: Margin, utc_offset_ms: int) -> list[str]:
    held = f"{one.held} of {one.of}, needs {one.needed}"
    if one.needed_s:
        held += f"; {one.held_s:g} s, needs {one.needed_s:g}"
    missing = f"{one.short:.3g}" if one.short > 0 else "passed"
    return [
        one.rule,
        one.device,
        f"{one.level.roman} {one.level.colour}",
        f"{one.limit:g} {one.unit}",
        f"{one.reached:.4g}",
        clock(one.reached_ms, utc_offset_ms),
        missing,
        held,
    ]


def _change_row(one: Change) -> list[str]:
    numbers = [f"{one.before:g}", f"{one.after:g}"]
    if one.refused:
        return [one.rule, one.figure, *numbers, "refused", "-", "-"]
    caught = "yes" if one.is_caught else "no"
    return [one.rule, one.figure, *numbers, caught, f"{one.false:+d}", f"{one.alarms:+d}"]
