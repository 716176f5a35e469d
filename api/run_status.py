"""What is known of a run from outside: its state, its commands and a frozen status."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

from api.problems import ProblemError
from pipeline.ports import LogEntry
from pipeline.runners.embedded import ReadingCounts
from sensors.city import City
from sensors.readings import ReadingBatch
from sensors.registry import Registry


class RunState(StrEnum):
    """Where a run stands."""

    CREATED = "created"
    RUNNING = "running"
    PAUSED = "paused"
    FINISHED = "finished"
    STOPPED = "stopped"
    FAILED = "failed"

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen in the run."""
        return self in (RunState.FINISHED, RunState.STOPPED, RunState.FAILED)


_NEXT: Mapping[str, Mapping[RunState, RunState]] = MappingProxyType(
    {
        "start": {
            RunState.CREATED: RunState.RUNNING,
            RunState.PAUSED: RunState.RUNNING,
            RunState.RUNNING: RunState.RUNNING,
        },
        "pause": {RunState.RUNNING: RunState.PAUSED, RunState.PAUSED: RunState.PAUSED},
        "step": {RunState.CREATED: RunState.PAUSED, RunState.PAUSED: RunState.PAUSED},
        "stop": {
            RunState.CREATED: RunState.STOPPED,
            RunState.RUNNING: RunState.STOPPED,
            RunState.PAUSED: RunState.STOPPED,
        },
    }
)
"""Command → state before → state after; what is missing is refused."""

COMMANDS = tuple(_NEXT)
"""The commands that change the state of a run."""


def state_after(command: str, state: RunState, run_id: str) -> RunState:
    """Return the state a command leads to.

    Raises:
        ProblemError: 409, the command makes no sense in this state.
    """
    after = _NEXT[command].get(state)
    if after is None:
        allowed = ", ".join(_NEXT[command])
        raise ProblemError(
            409,
            "wrong-state",
            f"run {run_id} is {state.value}: {command} needs a run that is {allowed}",
            run=run_id,
            state=state.value,
        )
    return after


@dataclass(frozen=True, slots=True)
class RunAbout:
    """What does not change in a run.

    Attributes:
        start_ms: Event time of its beginning.
        end_ms: Event time of its planned end.
        utc_offset_ms: Offset of the city's local time.
    """

    scenario: str
    title: str
    city: str
    seed: int
    transport: str
    start_ms: int
    end_ms: int
    utc_offset_ms: int


@dataclass(frozen=True, slots=True)
class RunStatus:
    """A run at one moment; a new one is made after every tick and every command.

    Attributes:
        now_ms: Event time.
        ticks: Ticks done.
        pace_asked: `max` or a factor.
        pace_actual: Seconds of event time in a second of wall time since the last start or
            change of pace; None before that.
        lag_s: How far the last tick was behind its due moment, seconds of wall time.
        events: Entries in the event log.
        message: Why the run failed, or what else should be known.
        summary: The run's summary once it is over.
    """

    state: RunState
    now_ms: int
    ticks: int
    pace_asked: str
    pace_actual: float | None
    lag_s: float
    worst_lag_s: float
    readings: ReadingCounts
    events: int
    message: str = ""
    summary: Mapping[str, Any] | None = None


class Run(Protocol):
    """A run that can be looked at: driven by this server, or found in the runs folder."""

    @property
    def id(self) -> str:
        """Name of the run and of its folder."""
        ...

    @property
    def folder(self) -> Path:
        """Where its recording lies."""
        ...

    @property
    def about(self) -> RunAbout:
        """What does not change."""
        ...

    def status(self) -> RunStatus:
        """Return how the run stands now."""
        ...

    def entries(self, after: int = -1, limit: int | None = None) -> Sequence[LogEntry]:
        """Return the entries of the event log with `seq` greater than `after`, in order."""
        ...

    def city(self) -> City:
        """Return the city; ProblemError (404) when the recording has none."""
        ...

    def registry(self) -> Registry:
        """Return the devices; ProblemError (404) when the recording has none."""
        ...

    def readings(self, device: int, from_ms: int, to_ms: int, limit: int) -> ReadingBatch:
        """Return the newest `limit` readings of a device in a window, oldest first."""
        ...
