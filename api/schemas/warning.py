"""Warnings in their newest version."""

from typing import Any

from pydantic import BaseModel, Field

from api.schemas.shown import Page, event_time, page_of, shown
from api.telling import level_text
from pipeline.messages import WarningStatus
from pipeline.ports import LogEntry

_EXAMPLE: dict[str, Any] = {
    "id": "W-D01-water-1780266240000",
    "version": 2,
    "status": "awaiting_approval",
    "level": 2,
    "level_text": "II orange",
    "domain": "water",
    "area": "D01",
    "incident": "I-D01-1780266060000",
    "time": "2026-06-01T06:24:00+08:00",
    "time_ms": 1780266240000,
    "reason": "incident_confirmed",
}


class WarningInfo(BaseModel):
    """A warning as it stands."""

    model_config = shown(_EXAMPLE)

    id: str
    version: int
    status: WarningStatus
    level: int = Field(description="1 red to 4 blue")
    level_text: str
    domain: str
    area: str
    incident: str
    time: str
    time_ms: int
    reason: str

    @classmethod
    def of(cls, entry: LogEntry, utc_offset_ms: int) -> "WarningInfo":
        """Return the warning of a `WarningNotice` entry."""
        words = {
            "level_text": level_text(entry.data["level"]),
            "time": event_time(entry.time_ms, utc_offset_ms),
        }
        return cls.model_validate({**entry.data, **words})


class WarningList(Page):
    """Warnings, in the order in which they were drafted."""

    model_config = page_of(_EXAMPLE)

    items: list[WarningInfo]
