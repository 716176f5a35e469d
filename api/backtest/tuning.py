"""Sweeps of a rule's figures over recordings, and the front on which nothing is better in both."""

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from api.backtest.figures import Variant, figure_of, variant
from api.detection.intervals import Estimate, wilson
from api.replaying.source import RecordedTick, Recording, replay_detection
from pipeline.errors import RuleError
from pipeline.evaluate.scores import Contingency
from pipeline.rules import RuleSet
from simulator.randomness import stream


@dataclass(frozen=True, slots=True)
class Range:
    """Values of one figure: from, to, and how many steps of a grid."""

    figure: str
    low: float
    high: float
    steps: int = 5

    def grid(self) -> list[float]:
        """Return the values of the grid, both ends included."""
        return [_short(one) for one in np.linspace(self.low, self.high, self.steps)]


@dataclass(frozen=True, slots=True)
class Trial:
    """One choice of figures over all recordings.

    Attributes:
        figures: Path → number.
        hits: Events found, over all recordings.
        misses: Events not found.
        false: False incidents.
        alarms: Alarms raised.
        delay_min: Mean detection delay over hits, None without any.
        is_best: Whether no other trial is better in POD and FAR ratio at once.
        is_now: Whether these are the figures in use.
        refused: Why the figures contradict the rule file; empty when they do not.
    """

    figures: Mapping[str, float]
    hits: int = 0
    misses: int = 0
    false: int = 0
    alarms: int = 0
    delay_min: float | None = None
    is_best: bool = False
    is_now: bool = False
    refused: str = ""

    @property
    def pod(self) -> float | None:
        """Share of events found."""
        return Contingency(self.hits, self.misses, self.false).pod

    @property
    def far(self) -> float | None:
        """FAR ratio."""
        return Contingency(self.hits, self.misses, self.false).far_ratio

    @property
    def csi(self) -> float | None:
        """Critical success index."""
        return Contingency(self.hits, self.misses, self.false).csi

    @property
    def intervals(self) -> tuple[Estimate, Estimate]:
        """POD and FAR ratio with their 95 % intervals."""
        whole = self.hits + self.misses
        return wilson(self.hits, whole), wilson(self.false, self.hits + self.false)


def checked(ranges: Sequence[Range]) -> Sequence[Range]:
    """Return the ranges as they are; RuleError when one is twice, or an end is no finite number."""
    names = [one.figure for one in ranges]
    for one in ranges:
        if names.count(one.figure) > 1:
            raise RuleError(f"--figure = {one.figure!r}: given twice; give one range for it")
        for end, value in (("--from", one.low), ("--to", one.high)):
            if not math.isfinite(value):
                raise RuleError(f"{one.figure}: {end} = {value}: no finite number; give one")
    return ranges


def choices(ranges: Sequence[Range], *, random: int = 0, seed: int = 1) -> list[dict[str, float]]:
    """Return the figures to try: the full grid, or `random` draws, evenly over the ranges."""
    if not random:
        every = itertools.product(*(one.grid() for one in ranges))
        return [dict(zip([one.figure for one in ranges], row, strict=True)) for row in every]
    draws = stream(seed, "tune").random((random, len(ranges)))
    return [
        {
            one.figure: _short(one.low + (one.high - one.low) * float(share))
            for one, share in zip(ranges, row, strict=True)
        }
        for row in draws
    ]


def tune(
    recordings: Sequence[Path],
    base: str,
    rule: str,
    figures: Iterable[Mapping[str, float]],
    *,
    told: Callable[[Trial], object] = bool,
) -> list[Trial]:
    """Try figures of one rule over recordings; the first trial is the base as it is.

    Each recording is read once. The loop is open (`api.replaying`): what crews did stays as it
    was recorded.

    Args:
        recordings: Folders with truth.
        base: Rule set by name or file; empty for the default.
        rule: Id of the rule.
        figures: What to try.
        told: Told of each trial.

    Raises:
        RuleError: there is no such rule or figure.
        TransportError: a folder is no recording.
    """
    asked = [dict(one) for one in figures]
    now = variant(base, rule, {})
    for path in dict.fromkeys(path for one in asked for path in one):
        figure_of(now.rules.rule(rule), path)
    read = [(one, list(one.ticks())) for one in map(Recording.open, recordings)]
    trials = [replace(_tried({}, now.rules, read), is_now=True)]
    told(trials[0])
    for one in asked:
        try:
            chosen: Variant = variant(base, rule, one)
        except RuleError as error:
            trials.append(Trial(one, refused=str(error)))
        else:
            trials.append(_tried(one, chosen.rules, read))
        told(trials[-1])
    return with_front(trials)


def with_front(trials: Sequence[Trial]) -> list[Trial]:
    """Return the trials with those of the Pareto front marked.

    A trial is off the front when another finds as much with no higher FAR ratio and is better in
    one of both, or equal in both with fewer alarms.
    """
    known = [_rating(one) for one in trials if one.pod is not None]
    return [
        replace(one, is_best=one.pod is not None and not _is_beaten(_rating(one), known))
        for one in trials
    ]


def _rating(trial: Trial) -> tuple[float, float, int]:
    """Return (share missed, FAR ratio, alarms), all the less the better."""
    return 1.0 - (trial.pod or 0.0), trial.far or 0.0, trial.alarms


def _is_beaten(mine: tuple[float, float, int], known: Sequence[tuple[float, float, int]]) -> bool:
    missed, far, _ = mine
    return any(one[0] <= missed and one[1] <= far and one < mine for one in known)


def _tried(
    figures: Mapping[str, float],
    rules: RuleSet,
    read: Sequence[tuple[Recording, Sequence[RecordedTick]]],
) -> Trial:
    hits = misses = false = alarms = 0
    delays: list[float] = []
    for recording, ticks in read:
        result = replay_detection(recording, rules, ticks=ticks)
        scores = result.evaluation
        alarms += len(result.raised)
        if scores is not None:
            hits, misses, false = hits + scores.found, misses + scores.missed, false + scores.false
            if scores.detection_delay_min is not None:
                delays += [scores.detection_delay_min] * scores.found
    delay_min = sum(delays) / len(delays) if delays else None
    return Trial(figures, hits, misses, false, alarms, delay_min)


def _short(number: float) -> float:
    """Return a number with 6 significant digits, as it is to be pasted."""
    return float(f"{float(number):.6g}")
