"""Runs: how one is asked for and how it stands."""

import math
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field

from api.run_status import Run, RunState
from api.schemas.shown import Page, event_time, page_of, shown
from simulator.clock import pace_of


def _checked_pace(pace: str | float) -> str:
    text = pace if isinstance(pace, str) else f"{pace:g}"
    factor = getattr(pace_of(text), "factor", 1.0)
    if not math.isfinite(factor):
        raise ValueError(f"pace {text!r}: use max, or a number such as 1, 60 or 600")
    return text


Pace = Annotated[
    str | float,
    Field(description="`max`, or seconds of event time per second: 1, 60, 600"),
    AfterValidator(_checked_pace),
]


class NewRun(BaseModel):
    """A run to make."""

    model_config = shown(
        {"scenario": "water-burst", "seed": 1, "pace": 600, "transport": "memory", "start": True},
        is_body=True,
    )

    scenario: str | dict[str, Any] = Field(
        description="a name from `GET /scenarios`, or a whole scenario as an object; there, "
        "`format` and `city` may be left out"
    )
    seed: int | None = Field(None, ge=0, description="instead of the scenario's own")
    pace: Pace | None = Field(None, description="instead of the scenario's own")
    transport: Literal["memory", "mqtt"] = Field("memory", description="how the halves talk")
    city: str | None = Field(None, description="name of a folder in `cities/`, instead of its own")
    start: bool = Field(True, description="false: wait for `POST /runs/{id}/start`")


class NewPace(BaseModel):
    """A pace to go on with."""

    model_config = shown({"pace": 600}, is_body=True)

    pace: Pace


class Steps(BaseModel):
    """How far to step."""

    model_config = shown({"ticks": 10}, is_body=True)

    ticks: int = Field(1, ge=1, le=1440, description="ticks of the scenario's clock")


class PaceInfo(BaseModel):
    """How fast a run goes."""

    asked: str
    actual: float | None = Field(description="event time per wall time since the last start")
    lag_s: float = Field(description="wall time the last tick was behind its due moment")
    worst_lag_s: float


class ReadingTotals(BaseModel):
    """Readings as the platform counted them."""

    received: int
    duplicate: int
    rejected: int
    rejected_by_reason: dict[str, int]


RUN_EXAMPLE: dict[str, Any] = {
    "id": "water-burst-20260601-081500",
    "state": "finished",
    "scenario": "water-burst",
    "title": "A main bursts at ten past six",
    "city": "town7",
    "seed": 1,
    "transport": "memory",
    "event_time": "2026-06-02T00:00:00+08:00",
    "event_time_ms": 1780329600000,
    "start_ms": 1780243200000,
    "end_ms": 1780329600000,
    "progress": 1.0,
    "ticks": 1440,
    "pace": {"asked": "600", "actual": 600.0, "lag_s": 0.0, "worst_lag_s": 0.01},
    "readings": {"received": 13407, "duplicate": 0, "rejected": 0, "rejected_by_reason": {}},
    "events": 130,
    "message": "",
    "summary": {"complete": True, "recording_hash": "2c091a8981aa…", "out": "runs/…"},
}


class RunInfo(BaseModel):
    """How a run stands."""

    model_config = shown(RUN_EXAMPLE)

    id: str
    state: RunState
    scenario: str
    title: str
    city: str
    seed: int
    transport: str
    event_time: str = Field(description="event time in the city's time zone")
    event_time_ms: int
    start_ms: int
    end_ms: int
    progress: float = Field(description="0 to 1")
    ticks: int
    pace: PaceInfo
    readings: ReadingTotals
    events: int = Field(description="entries in the event log")
    message: str = Field(description="why it failed, or what else should be known")
    summary: dict[str, Any] | None = Field(
        description="what `tocsin run --json` prints; at the end"
    )

    @classmethod
    def of(cls, run: Run) -> "RunInfo":
        """Return how `run` stands now."""
        about, status = run.about, run.status()
        length_ms = about.end_ms - about.start_ms
        done = (status.now_ms - about.start_ms) / length_ms if length_ms else 0.0
        return cls(
            id=run.id,
            state=status.state,
            scenario=about.scenario,
            title=about.title,
            city=about.city,
            seed=about.seed,
            transport=about.transport,
            event_time=event_time(status.now_ms, about.utc_offset_ms),
            event_time_ms=status.now_ms,
            start_ms=about.start_ms,
            end_ms=about.end_ms,
            progress=round(min(1.0, max(0.0, done)), 3),
            ticks=status.ticks,
            pace=PaceInfo(
                asked=status.pace_asked,
                actual=status.pace_actual,
                lag_s=status.lag_s,
                worst_lag_s=status.worst_lag_s,
            ),
            readings=ReadingTotals(
                received=status.readings.received,
                duplicate=status.readings.duplicate,
                rejected=status.readings.rejected,
                rejected_by_reason=status.readings.by_reason,
            ),
            events=status.events,
            message=status.message,
            summary=None if status.summary is None else dict(status.summary),
        )


class RunList(Page):
    """Runs, the newest first."""

    model_config = page_of(RUN_EXAMPLE)

    items: list[RunInfo]
