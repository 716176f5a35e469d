"""Alarms: a rule's verdict on a device, in its newest state."""

from typing import Any

from pydantic import BaseModel, Field

from api.alarm_view import AlarmView
from api.schemas.shown import Page, event_time, page_of, shown
from api.telling import level_text
from pipeline.messages import AlarmStanding
from pipeline.ports import LogEntry

ALARM_EXAMPLE: dict[str, Any] = {
    "id": "WP-D01-0005-0/water.pressure_drop/1780266027000",
    "device": "WP-D01-0005-0",
    "rule": "water.pressure_drop",
    "domain": "water",
    "area": "D01",
    "quantity": "pressure",
    "unit": "MPa",
    "level": 3,
    "level_text": "III yellow",
    "state": "raised",
    "standing": "unacknowledged",
    "held": "",
    "until_ms": 0,
    "value": 0.2981,
    "limit": 0.05,
    "before": 0.3642,
    "raised_ms": 1780266027000,
    "time_ms": 1780266240000,
    "time": "2026-06-01T06:24:00+08:00",
    "reason": "drop_not_recovered",
}


class AlarmInfo(BaseModel):
    """An alarm in its newest state."""

    model_config = shown(ALARM_EXAMPLE)

    id: str
    device: str
    rule: str
    domain: str
    area: str
    quantity: str
    unit: str
    level: int = Field(description="1 red to 4 blue")
    level_text: str
    state: str = Field(description="provisional, raised, changed, cleared or withdrawn")
    standing: AlarmStanding = Field(description="where it stands before operators (ISA-18.2)")
    held: str = Field(description="why operators were not told; empty when they were")
    until_ms: int = Field(description="end of its shelving; 0 when it is not shelved")
    value: float
    limit: float
    before: float | None = Field(description="before the change, for rules that compare")
    raised_ms: int = Field(description="first sample beyond the limit")
    time_ms: int
    time: str
    reason: str

    @classmethod
    def of(cls, view: AlarmView, utc_offset_ms: int) -> "AlarmInfo":
        """Return an alarm as a client sees it."""
        entry = view.entry
        words = {
            "level_text": level_text(entry.data["level"]),
            "time": event_time(entry.time_ms, utc_offset_ms),
            "standing": view.standing,
            "until_ms": view.until_ms,
        }
        return cls.model_validate({"unit": "", "held": "", **entry.data, **words})


class AlarmList(Page):
    """Alarms, in the order they were first seen."""

    model_config = page_of(ALARM_EXAMPLE)

    items: list[AlarmInfo]


_CHATTERING_EXAMPLE: dict[str, Any] = {
    "alarm": "WP-D01-0005-0/water.pressure_low/1780266027000",
    "device": "WP-D01-0005-0",
    "rule": "water.pressure_low",
    "area": "D01",
    "since": "2026-06-01T06:24:00+08:00",
    "since_ms": 1780266240000,
}


class ChatteringAlarm(BaseModel):
    """A rule at a device whose alarm comes and goes."""

    model_config = shown(_CHATTERING_EXAMPLE)

    alarm: str = Field(description="the alarm with which it was noticed")
    device: str
    rule: str
    area: str
    since: str
    since_ms: int

    @classmethod
    def of(cls, entry: LogEntry, utc_offset_ms: int) -> "ChatteringAlarm":
        """Return it from the `AlarmHandling` that says so."""
        since = event_time(entry.time_ms, utc_offset_ms)
        return cls.model_validate({**entry.data, "since": since, "since_ms": entry.time_ms})


class ChatteringList(Page):
    """What chatters now, the longest first."""

    model_config = page_of(_CHATTERING_EXAMPLE)

    items: list[ChatteringAlarm]


class AlarmKpis(BaseModel):
    """Figures of alarm management so far."""

    model_config = shown(
        {
            "figures": {
                "operators": 12,
                "hours": 24.0,
                "announced": 31,
                "announced_per_hour": 1.292,
                "per_operator_10_min_mean": 0.01794,
                "per_operator_10_min_max": 0.25,
                "flood_share": 0.0,
                "held": {"grouped": 118},
                "priorities": {"low": 0.84, "medium": 0.13, "high": 0.03},
            }
        }
    )

    figures: dict[str, float | int | dict[str, float | int]] = Field(
        description="name → figure; one without a denominator is left out"
    )
