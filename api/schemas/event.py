"""Entries of the event log, as they are streamed and listed."""

from typing import Any

from pydantic import BaseModel, Field

from api.schemas.shown import event_time, shown
from api.telling import tell
from pipeline.ports import LogEntry

EVENT_EXAMPLE: dict[str, Any] = {
    "seq": 52,
    "time": "2026-06-01T06:24:00+08:00",
    "time_ms": 1780266240000,
    "stage": "dispatch",
    "kind": "Dispatch",
    "actor": "dispatch",
    "subject": "I-D01-1780266060000",
    "reason": "nearest_capable",
    "text": "order O-I-D01-1780266060000-1 → T01 (1 min away): inspect, isolate, repair, restore",
}


class EventInfo(BaseModel):
    """One entry: who decided what about whom, when and why."""

    model_config = shown(EVENT_EXAMPLE)

    seq: int = Field(description="number in the log, from 0")
    time: str = Field(description="event time in the city's time zone")
    time_ms: int
    stage: str = Field(description="one of the seven stages, or `field` for the crews")
    kind: str
    actor: str
    subject: str = Field(description="what it is about: an alarm, an incident, a device, the run")
    reason: str = Field(description="named reason of the decision")
    text: str = Field(description="what happened, in one line; empty for minor entries")

    @classmethod
    def of(cls, entry: LogEntry, utc_offset_ms: int) -> "EventInfo":
        """Return an entry without its data and its hashes."""
        return cls(
            seq=entry.seq,
            time=event_time(entry.time_ms, utc_offset_ms),
            time_ms=entry.time_ms,
            stage=entry.stage,
            kind=entry.kind,
            actor=entry.actor,
            subject=entry.subject,
            reason=entry.reason,
            text=tell(entry) or "",
        )


class FullEvent(EventInfo):
    """One entry with its data, as it is streamed."""

    model_config = shown({**EVENT_EXAMPLE, "data": {"incident": "I-D01-1780266060000"}})

    data: dict[str, Any] = Field(description="the message itself, by its kind")

    @classmethod
    def of(cls, entry: LogEntry, utc_offset_ms: int) -> "FullEvent":
        """Return an entry with its data."""
        return cls(**EventInfo.of(entry, utc_offset_ms).model_dump(), data=entry.data)
