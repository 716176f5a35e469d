"""Problem details (RFC 9457): how every error is told."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

_EXAMPLE: dict[str, Any] = {
    "type": "urn:tocsin:problem:unknown-run",
    "title": "Not Found",
    "status": 404,
    "detail": "there is no run 'burst'; GET /runs lists them",
    "instance": "/runs/burst",
    "run": "burst",
}


class Problem(BaseModel):
    """An error; further members name what it is about."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]}, extra="allow")

    type: str = Field(description="URN of the kind of problem")
    title: str = Field(description="what the status code means")
    status: int
    detail: str = Field(description="what is wrong, with which value, and what to do")
    instance: str = Field(description="path that was asked for")
