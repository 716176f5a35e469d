"""Shows a run while it goes: a seven-stage table in a terminal, plain lines elsewhere."""

from collections.abc import Sequence
from types import TracebackType
from typing import Protocol, Self

import numpy as np
from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from api.plan import RunPlan
from api.results import PassedCounter
from api.telling import CHINESE, city_time, tell
from pipeline.loop import STAGES
from pipeline.ports import LogEntry

_BLOCKS = "▁▂▃▄▅▆▇█"


class View(Protocol):
    """What follows a run."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def entries(self, entries: Sequence[LogEntry]) -> None:
        """Take new log entries."""
        ...

    def tick(self, now_ms: int, true_values: np.ndarray) -> None:
        """Take a finished tick and the true value at every device."""
        ...


class QuietView:
    """Shows nothing (`--json`)."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def entries(self, entries: Sequence[LogEntry]) -> None:
        """Ignore entries."""

    def tick(self, now_ms: int, true_values: np.ndarray) -> None:
        """Ignore a tick."""


class LineView(QuietView):
    """Plain lines, one for each thing that happened and one for each hour of event time."""

    def __init__(self, plan: RunPlan, console: Console) -> None:
        self._plan, self._console = plan, console
        self._hour = -1

    def entries(self, entries: Sequence[LogEntry]) -> None:
        """Print what happened."""
        for entry in entries:
            text = tell(entry)
            if text is not None:
                when = city_time(entry.time_ms, self._plan.scenario.utc_offset_ms)
                self._console.print(f"{when}  {entry.stage:<9} {text}", highlight=False, markup=False)

    def tick(self, now_ms: int, true_values: np.ndarray) -> None:
        """Print the hour when it changes."""
        scenario = self._plan.scenario
        hour = (now_ms - scenario.start_ms) // 3_600_000
        if hour != self._hour:
            self._hour = hour
            share = (now_ms - scenario.start_ms) / (scenario.duration * 1000)
            when = city_time(now_ms, scenario.utc_offset_ms)
            self._console.print(f"{when}  {'':<9} … {share:4.0%} of the run", highlight=False)


class TableView:
    """A table of the seven stages, the pressure at the device hit hardest, and a progress bar."""

    def __init__(self, plan: RunPlan, console: Console) -> None:
        self._plan = plan
        self._passed, self._last = PassedCounter(), dict.fromkeys(STAGES, "")
        self._field = ""
        self._pressures: list[np.ndarray] = []
        self._watched: int | None = None
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            console=console,
        )
        self._task = self._progress.add_task("", total=plan.scenario.duration * 1000)
        self._live = Live(console=console, refresh_per_second=8, get_renderable=self._draw)

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.__exit__(kind, error, trace)

    def entries(self, entries: Sequence[LogEntry]) -> None:
        """Update the table."""
        self._passed.add(entries)
        for entry in entries:
            text = tell(entry)
            when = city_time(entry.time_ms, self._plan.scenario.utc_offset_ms)
            if text is not None and entry.stage in self._last:
                self._last[entry.stage] = f"{when}  {text}"
            elif text is not None:
                self._field = f"{when}  {text}"
            is_alarm = entry.kind == "Alarm" and entry.data["quantity"] == "pressure"
            if is_alarm and entry.data["state"] == "raised" and self._watched is None:
                self._watched = self._plan.registry.number[entry.data["device"]]

    def tick(self, now_ms: int, true_values: np.ndarray) -> None:
        """Move the bar and the pressure line."""
        self._pressures.append(true_values)
        scenario = self._plan.scenario
        self._progress.update(
            self._task,
            completed=now_ms - scenario.start_ms,
            description=city_time(now_ms, scenario.utc_offset_ms),
        )

    def _draw(self) -> Group:
        table = Table(title=self._plan.scenario.title or self._plan.scenario.name, expand=True)
        table.add_column("stage", no_wrap=True)
        table.add_column("cases", justify="right")
        table.add_column("newest", ratio=1, no_wrap=True, overflow="ellipsis")
        passed = self._passed.counts()
        for number, stage in enumerate(STAGES, start=1):
            mark = "bold green" if passed[stage] else "dim"
            table.add_row(
                f"[{mark}]{number} {stage} {CHINESE[stage]}[/]", str(passed[stage]), self._last[stage]
            )
        table.add_row("  field 现场", "", self._field, style="cyan")
        return Group(table, self._pressure_line(), self._progress)

    def _pressure_line(self) -> str:
        if self._watched is None or not self._pressures:
            return "pressure: no alarm so far"
        series = np.nan_to_num(np.array([values[self._watched] for values in self._pressures]))
        points = series[:: max(1, len(series) // 60)]
        low, high = float(series.min()), float(series.max())
        scaled = ((points - low) / ((high - low) or 1.0) * (len(_BLOCKS) - 1)).astype(int)
        curve = "".join(_BLOCKS[place] for place in scaled)
        device = self._plan.registry.ids[self._watched]
        return f"pressure at {device}: {curve} {series[-1]:.3f} MPa (lowest {low:.3f})"


def view_for(plan: RunPlan, console: Console, *, is_json: bool) -> QuietView | TableView:
    """Return the view that suits the console."""
    if is_json:
        return QuietView()
    return TableView(plan, console) if console.is_terminal else LineView(plan, console)
