"""Shows a run while it goes: a seven-stage table in a terminal, plain lines elsewhere."""

import re
from collections.abc import Sequence
from types import TracebackType
from typing import Self

import numpy as np
from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from api.commands.pressure import PressureCurve
from api.plan import RunPlan
from api.results import PassedCounter
from api.telling import CHINESE, city_time, tell
from pipeline.loop import STAGES
from pipeline.ports import LogEntry

_CASE_ID = re.compile(r"\bI-([\w-]+?)-(\d{12,14})")
_STORY = ("Dispatch", "Feedback", "Closure", "CaseEvaluation", "RunEvaluation", "Bulletin")
_TOLD_WARNINGS = ("awaiting_approval", "issued", "updated", "upgraded", "downgraded")
_MINOR_FEEDBACK = ("accepted", "departed", "done")


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
        self._hour = 0

    def entries(self, entries: Sequence[LogEntry]) -> None:
        """Print what happened."""
        for entry in entries:
            text = None if _is_notice(entry) else tell(entry)
            if text is not None:
                self._print(entry.time_ms, entry.stage, text)

    def tick(self, now_ms: int, true_values: np.ndarray) -> None:
        """Print the hour when it changes."""
        scenario = self._plan.scenario
        hour = (now_ms - scenario.start_ms) // 3_600_000
        if hour != self._hour:
            self._hour = hour
            share = (now_ms - scenario.start_ms) / (scenario.duration * 1000)
            self._print(now_ms, "", f"… {share:.0%} of the run")

    def _print(self, time_ms: int, stage: str, text: str) -> None:
        when = city_time(time_ms, self._plan.scenario.utc_offset_ms)
        line = f"{when}  {stage:<9} {text}"
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)


class TableView:
    """The story of the incidents as it grows, and below it what each stage does now.

    The last lines are the pressure where it is hit hardest, and a progress bar.
    """

    def __init__(self, plan: RunPlan, console: Console) -> None:
        self._plan, self._console = plan, console
        self._passed, self._last = PassedCounter(), dict.fromkeys(STAGES, "")
        self._field = ""
        self._doubtful: set[tuple[str, str]] = set()
        self._confirmed: set[str] = set()
        self._curve = PressureCurve(plan)
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
        """Update the table; what belongs to the story scrolls by above it."""
        self._passed.add(entries)
        for entry in entries:
            self._curve.take(entry)
            if entry.kind == "DeviceHealth":
                change = self._doubtful.add if entry.data["is_on"] else self._doubtful.discard
                change((entry.data["device"], entry.data["kind"]))
            elif entry.kind == "DeviceHealthGroup":
                marked = {(device, entry.data["kind"]) for device in entry.data["devices"]}
                if entry.data["is_on"]:
                    self._doubtful |= marked
                else:
                    self._doubtful -= marked
            text = None if _is_notice(entry) else tell(entry)
            if text is None:
                continue
            line = f"{self._clock(entry.time_ms)} {self._brief(text)}"
            if entry.stage in self._last:
                self._last[entry.stage] = line
            else:
                self._field = line
            if self._is_story(entry):
                self._tell(entry, self._brief(text))

    def tick(self, now_ms: int, true_values: np.ndarray) -> None:
        """Move the bar and the pressure line."""
        scenario = self._plan.scenario
        self._curve.tick(now_ms, true_values)
        self._progress.update(
            self._task,
            completed=now_ms - scenario.start_ms,
            description=city_time(now_ms, scenario.utc_offset_ms),
        )

    def _is_story(self, entry: LogEntry) -> bool:
        """Return whether an entry is told above the table: turns of confirmed incidents."""
        if entry.kind == "Incident":
            is_first = entry.subject not in self._confirmed
            if entry.data["status"] == "confirmed":
                self._confirmed.add(entry.subject)
            return is_first and entry.data["status"] in ("confirmed", "dismissed")
        if entry.kind == "Slip":
            return entry.subject in self._confirmed
        if entry.kind == "WarningNotice":
            return entry.data["status"] in _TOLD_WARNINGS
        is_minor = entry.kind == "Feedback" and entry.data["kind"] in _MINOR_FEEDBACK
        return entry.kind in _STORY and not is_minor

    def _tell(self, entry: LogEntry, text: str) -> None:
        is_dismissed = entry.kind == "Incident" and entry.data["status"] == "dismissed"
        line = Text(
            f"{self._clock(entry.time_ms)} {entry.stage:<9} {text}",
            style="dim" if is_dismissed else "",
        )
        line.highlight_regex(rf"(?<=^.{{6}}){entry.stage}", "" if is_dismissed else "green")
        self._console.print(line, overflow="ellipsis", no_wrap=True)

    def _clock(self, time_ms: int) -> str:
        """Return the time of day; the date stands beside the progress bar."""
        return city_time(time_ms, self._plan.scenario.utc_offset_ms)[-5:]

    def _brief(self, text: str) -> str:
        """Return a text with incident ids as people read them: `I-D01@06:12`."""
        return _CASE_ID.sub(lambda match: f"I-{match[1]}@{self._clock(int(match[2]))}", text)

    def _draw(self) -> Group:
        title = self._plan.scenario.title or self._plan.scenario.name
        table = Table(title=Text(title, style="bold"), box=None, expand=True, pad_edge=False)
        table.add_column("stage", no_wrap=True)
        table.add_column("cases", justify="right")
        table.add_column("newest", ratio=1, no_wrap=True, overflow="ellipsis")
        passed = self._passed.counts()
        newest = {**self._last, "monitor": self._health()}
        for number, stage in enumerate(STAGES, start=1):
            mark = "bold green" if passed[stage] else "dim"
            name = Text(f"{number} {stage} {CHINESE[stage]}", style=mark)
            table.add_row(name, str(passed[stage]), Text(newest[stage]))
        table.add_row(Text("  field 现场"), "", Text(self._field), style="cyan")
        return Group(table, self._curve.draw(self._console.width), self._progress)

    def _health(self) -> str:
        doubtful = len({device for device, _ in self._doubtful})
        newest = f", newest: {self._last['monitor']}" if self._last["monitor"] else ""
        return f"{len(self._plan.registry)} devices, {doubtful} doubtful{newest}"


def _is_notice(entry: LogEntry) -> bool:
    """Return whether an entry is a warning's notice: the warning itself is told already."""
    return entry.kind == "Bulletin" and entry.data["kind"] == "notice"


def view_for(plan: RunPlan, console: Console, *, is_json: bool) -> QuietView | TableView:
    """Return the view that suits the console."""
    if is_json:
        return QuietView()
    return TableView(plan, console) if console.is_terminal else LineView(plan, console)
