"""Alarms: a rule's verdict on a device, in its newest state."""

from typing import Any

from pydantic import BaseModel, Field

from api.schemas.shown import Page, event_time, page_of, shown
from api.telling import level_text
from pipeline.ports import LogEntry

ALARM_EXAMPLE: dict[str, Any] = {
    "id": "WP-D01-0005-0/water.pressure_drop/1780266027000",
    "device": "WP-D01-0005-0",
    "rule": "water.pressure_drop",
    "area": "D01",
    "quantity": "pressure",
    "level": 3,
    "level_text": "III yellow",
    "state": "raised",
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
    area: str
    quantity: str
    level: int = Field(description="1 red to 4 blue")
    level_text: str
    state: str = Field(description="provisional, raised, changed, cleared or withdrawn")
    value: float
    limit: float
    before: float | None = Field(description="before the change, for rules that compare")
    raised_ms: int = Field(description="first sample beyond the limit")
    time_ms: int
    time: str
    reason: str

    @classmethod
    def of(cls, entry: LogEntry, utc_offset_ms: int) -> "AlarmInfo":
        """Return the alarm of an `Alarm` entry."""
        words = {
            "level_text": level_text(entry.data["level"]),
            "time": event_time(entry.time_ms, utc_offset_ms),
        }
        return cls.model_validate({**entry.data, **words})


class AlarmList(Page):
    """Alarms, in the order they were first seen."""

    model_config = page_of(ALARM_EXAMPLE)

    items: list[AlarmInfo]
