"""Reports: flash, follow-up, final and the summary of the run."""

from typing import Any

from pydantic import BaseModel, Field

from api.schemas.shown import Page, event_time, page_of, shown
from pipeline.ports import LogEntry

REPORT_EXAMPLE: dict[str, Any] = {
    "id": "B-I-D01-1780266060000-1",
    "kind": "flash",
    "number": 1,
    "incident": "I-D01-1780266060000",
    "title": "Burst of a water main at P0085",
    "time": "2026-06-01T06:24:00+08:00",
    "time_ms": 1780266240000,
    "reason": "confirmed",
}


class ReportInfo(BaseModel):
    """A report by its head."""

    model_config = shown(REPORT_EXAMPLE)

    id: str
    kind: str = Field(description="notice, flash, follow_up, final or summary")
    number: int
    incident: str = Field(description="empty for the summary of the run")
    title: str
    time: str
    time_ms: int
    reason: str

    @classmethod
    def of(cls, entry: LogEntry, utc_offset_ms: int) -> "ReportInfo":
        """Return the head of a `Bulletin` entry."""
        words = {"time": event_time(entry.time_ms, utc_offset_ms)}
        return cls.model_validate({**entry.data, **words})


class Report(ReportInfo):
    """A whole report: its fields and its text."""

    model_config = shown(
        {**REPORT_EXAMPLE, "fields": {"place": "P0085"}, "markdown": "# 快报 · Flash report\n"}
    )

    fields: dict[str, str]
    markdown: str

    @classmethod
    def of(cls, entry: LogEntry, utc_offset_ms: int) -> "Report":
        """Return the report of a `Bulletin` entry."""
        words = {"time": event_time(entry.time_ms, utc_offset_ms)}
        return cls.model_validate({**entry.data, **words})


class ReportList(Page):
    """Reports in the order they were written."""

    model_config = page_of(REPORT_EXAMPLE)

    items: list[ReportInfo]
