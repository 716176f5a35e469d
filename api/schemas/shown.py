"""What all schemas share: examples in the documentation, event time as text, pages."""

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


def shown(example: Mapping[str, Any], *, is_body: bool = False) -> ConfigDict:
    """Return a model configuration that documents `example`; a body refuses unknown members."""
    return ConfigDict(
        json_schema_extra={"examples": [dict(example)]}, extra="forbid" if is_body else "ignore"
    )


def page_of(example: Mapping[str, Any]) -> ConfigDict:
    """Return a model configuration for a page that holds `example`."""
    return shown({"total": 1, "items": [dict(example)]})


def event_time(time_ms: int, utc_offset_ms: int) -> str:
    """Return event time as ISO 8601 in the city's time zone."""
    zone = timezone(timedelta(milliseconds=utc_offset_ms))
    moment = datetime.fromtimestamp(time_ms / 1000.0, zone)
    return moment.isoformat(timespec="milliseconds" if time_ms % 1000 else "seconds")


class Page(BaseModel):
    """Part of a list; `total` counts the whole list."""

    total: int = Field(description="how many there are beside this page")
