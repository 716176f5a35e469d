"""Plots of a backtest and of a tuning: alarms in time, operators' load, the POD-FAR front."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from api.backtest.compare import FLOOD_ABOVE, AlarmCourse, Comparison
from api.backtest.tuning import Trial
from sensors.levels import Level

_HOUR_MS = 3_600_000.0
_COLOURS = {
    Level.BLUE: "#3b76c4",
    Level.YELLOW: "#d9a800",
    Level.ORANGE: "#e07b00",
    Level.RED: "#c62828",
}
"""Four colours of the levels, dark enough to be told apart on white."""
_MOST_LANES = 60
"""Devices and rules with a line of their own; those with the most alarms go first."""
_SUFFIXES = (".svg", ".png")


def plot_comparison(comparison: Comparison, stem: Path) -> list[Path]:
    """Draw alarms under A and B over time, and below them the load; return the files."""
    figure, (top, low) = _figure(2, 1, size=(11.0, 7.0), ratios=(3, 1))
    lanes = _lanes(comparison)
    start_ms = comparison.start_ms
    for side, alarms in enumerate(comparison.alarms):
        for alarm in alarms:
            lane = lanes.get(_lane_of(alarm))
            if lane is not None:
                begin_h = (alarm.raised_ms - start_ms) / _HOUR_MS
                end_ms = alarm.cleared_ms or comparison.end_ms
                length_h = max((end_ms - alarm.raised_ms) / _HOUR_MS, 0.05)
                top.broken_barh(
                    [(begin_h, length_h)],
                    (lane + 0.42 * side, 0.38),
                    facecolors=_COLOURS[alarm.level],
                    alpha=1.0 if side else 0.5,
                )
    top.set_yticks([lane + 0.4 for lane in lanes.values()], list(lanes), fontsize=6)
    top.set_ylim(len(lanes), 0)
    top.set_title(f"{Path(comparison.recording).name}: alarms under A (above, pale) and B (below)")
    for load, name, style in zip(comparison.load, "AB", ("--", "-"), strict=True):
        hours = [place / 6 for place in range(len(load.spans) + 1)]
        low.stairs(load.spans, hours, label=f"{name}: {load.per_hour:g} an hour", ls=style)
    low.axhline(FLOOD_ABOVE, color="grey", lw=0.7, ls=":")
    low.set_xlabel("hours from the start")
    low.set_ylabel("alarms in 10 min")
    low.legend(fontsize=8)
    top.sharex(low)
    return _saved(figure, stem)


def plot_front(trials: Sequence[Trial], stem: Path, title: str) -> list[Path]:
    """Draw POD against FAR ratio of all trials, those of the Pareto front joined."""
    figure, axes = _figure(1, 1, size=(7.0, 5.0))
    known = [one for one in trials if one.pod is not None]
    axes.scatter([one.far or 0.0 for one in known], [one.pod for one in known], s=18, c="#888888")
    front = sorted((one for one in known if one.is_best), key=lambda one: one.far or 0.0)
    axes.plot([one.far or 0.0 for one in front], [one.pod for one in front], "o-", c="#c62828")
    for one in front:
        text = ", ".join(f"{number:g}" for number in one.figures.values())
        axes.annotate(text, (one.far or 0.0, one.pod), fontsize=7, xytext=(4, -9),
                      textcoords="offset points")  # fmt: skip
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlabel("FAR ratio")
    axes.set_ylabel("POD")
    axes.set_title(title)
    return _saved(figure, stem)


def _figure(
    rows: int, columns: int, *, size: tuple[float, float], ratios: tuple[int, ...] = (1,)
) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, height_ratios=ratios)


def _saved(figure: Any, stem: Path) -> list[Path]:
    """Write SVG and PNG, without the date, so that the same figures give the same file."""
    import matplotlib as mpl

    files = [stem.with_name(stem.name + suffix) for suffix in _SUFFIXES]
    with mpl.rc_context({"svg.hashsalt": "tocsin"}):
        for file in files:
            about = {"Date": None} if file.suffix == ".svg" else {}
            figure.savefig(file, dpi=130, metadata=about)
    return files


def _lane_of(alarm: AlarmCourse) -> str:
    return f"{alarm.device} {alarm.rule}"


def _lanes(comparison: Comparison) -> dict[str, int]:
    counts: dict[str, int] = {}
    for alarm in (*comparison.alarms[0], *comparison.alarms[1]):
        counts[_lane_of(alarm)] = counts.get(_lane_of(alarm), 0) + 1
    names = sorted(counts, key=lambda name: (-counts[name], name))[:_MOST_LANES]
    return {name: place for place, name in enumerate(sorted(names))}
