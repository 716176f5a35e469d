"""Backtests and tunings as tables for people, JSON and CSV."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from api.backtest.compare import Comparison, Difference
from api.backtest.tuning import Trial
from api.detection.writing import grid, shown
from sensors.levels import Level

_MOST_ROWS = 20
_ORDER = ("new", "gone", "earlier", "later", "level")


def comparison_text(comparison: Comparison, names: tuple[str, str], utc_offset_ms: int = 0) -> str:
    """Return a comparison as Markdown: scores, load, what changed.

    Args:
        comparison: The comparison.
        names: What A and B are.
        utc_offset_ms: The city's time minus UTC.
    """
    parts = [f"## {comparison.recording}", f"A is {names[0]}, B is {names[1]}."]
    parts.append(grid(["", "A", "B"], [*_score_rows(comparison), *_load_rows(comparison)]))
    for what in ("incident", "alarm"):
        counts = comparison.counts(what)
        told = ", ".join(f"{counts[name]} {name}" for name in (*_ORDER, "same") if name in counts)
        parts.append(f"{what.capitalize()}s: {told or 'none'}.")
        rows = [one for one in comparison.differences if one.what == what and one.change != "same"]
        rows.sort(key=lambda one: (_ORDER.index(one.change), one.a_ms or one.b_ms or 0, one.name))
        if rows:
            shown_rows = [_difference_row(one, utc_offset_ms) for one in rows[:_MOST_ROWS]]
            parts.append(grid(["change", what, "A", "B", ""], shown_rows))
        if len(rows) > _MOST_ROWS:
            parts.append(f"… and {len(rows) - _MOST_ROWS} more; the CSV has all.")
    return "\n\n".join(parts) + "\n"


def comparison_json(comparison: Comparison) -> dict[str, Any]:
    """Return a comparison as plain values; alarms by change only, differences in full."""
    return {
        "recording": comparison.recording,
        "scores": {key: {"a": a, "b": b} for key, (a, b) in comparison.scores.items()},
        "load": {name: asdict(load) for name, load in zip("ab", comparison.load, strict=True)},
        "alarms": comparison.counts("alarm"),
        "incidents": comparison.counts("incident"),
        "differences": [_plain(one) for one in comparison.differences if one.change != "same"],
    }


def write_differences(comparison: Comparison, file: Path) -> Path:
    """Write every alarm and incident under A and B as CSV; times are event time in ms."""
    rows = [_plain(one) for one in comparison.differences]
    _write_csv(file, list(Difference.__dataclass_fields__), rows)
    return file


def trials_text(trials: Sequence[Trial]) -> str:
    """Return trials as a Markdown table, best POD first, then least FAR ratio."""
    figures = list(dict.fromkeys(name for one in trials for name in one.figures))
    head = ["", *figures, "hits", "misses", "false", "POD", "FAR ratio", "CSI", "delay (min)",
            "alarms"]  # fmt: skip
    rows = []
    for one in sorted(trials, key=lambda one: (-(one.pod or 0.0), one.far or 0.0, one.alarms)):
        mark = " ".join(m for m, on in (("*", one.is_best), ("now", one.is_now)) if on)
        numbers = [f"{one.figures[name]:g}" if name in one.figures else "-" for name in figures]
        if one.refused:
            rows.append(["refused", *numbers, *["-"] * 7, one.refused])
            continue
        pod, far = one.intervals
        delay = "-" if one.delay_min is None else f"{one.delay_min:.1f}"
        csi = "-" if one.csi is None else f"{one.csi:.2f}"
        counts = [str(one.hits), str(one.misses), str(one.false)]
        scores = [shown(pod, is_share=True), shown(far, is_share=True), csi, delay]
        rows.append([mark, *numbers, *counts, *scores, str(one.alarms)])
    return grid(head, rows)


def trials_json(trials: Sequence[Trial]) -> list[dict[str, Any]]:
    """Return trials as plain values."""
    scores = ({"pod": one.pod, "far_ratio": one.far, "csi": one.csi} for one in trials)
    return [{**asdict(one), **more} for one, more in zip(trials, scores, strict=True)]


def write_trials(trials: Sequence[Trial], file: Path) -> Path:
    """Write trials as CSV, a column a figure."""
    rows = [{**row.pop("figures"), **row} for row in trials_json(trials)]
    _write_csv(file, list(dict.fromkeys(key for row in rows for key in row)), rows)
    return file


def clock(time_ms: int | None, utc_offset_ms: int = 0) -> str:
    """Return event time as `06-01 14:05` in the city's time; `-` for never."""
    if time_ms is None:
        return "-"
    zone = timezone(timedelta(milliseconds=utc_offset_ms))
    return datetime.fromtimestamp(time_ms / 1000.0, UTC).astimezone(zone).strftime("%m-%d %H:%M")


def _score_rows(comparison: Comparison) -> list[list[str]]:
    return [
        [name.replace("_", " "), _number(a), _number(b)]
        for name, (a, b) in comparison.scores.items()
        if a is not None or b is not None
    ]


def _load_rows(comparison: Comparison) -> list[list[str]]:
    a, b = comparison.load
    return [
        ["announced an hour", f"{a.per_hour:g}", f"{b.per_hour:g}"],
        ["worst 10 min", str(a.worst_10min), str(b.worst_10min)],
        ["share of time in flood", f"{a.flood_share:g}", f"{b.flood_share:g}"],
    ]


def _difference_row(one: Difference, utc_offset_ms: int) -> list[str]:
    sides = [
        "-" if time_ms is None else f"{clock(time_ms, utc_offset_ms)} {_colour(level)}"
        for time_ms, level in ((one.a_ms, one.a_level), (one.b_ms, one.b_level))
    ]
    truth = {True: "true", False: "false", None: ""}[one.is_true]
    return [one.change, one.name, *sides, truth]


def _colour(level: Level | None) -> str:
    return "" if level is None else f"{level.roman} {level.colour}"


def _plain(one: Difference) -> dict[str, Any]:
    return asdict(one)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def _write_csv(file: Path, names: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    with file.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, names, lineterminator="\n", restval="")
        writer.writeheader()
        writer.writerows(rows)
