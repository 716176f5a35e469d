"""How the server itself is."""

from typing import Literal

from pydantic import BaseModel, Field

from api.schemas.shown import shown


class Health(BaseModel):
    """The server answers."""

    model_config = shown({"status": "ok", "version": "0.1.0"})

    status: Literal["ok"] = "ok"
    version: str


class Readiness(BaseModel):
    """The server can take a run."""

    model_config = shown({"status": "ready", "checks": {"runs": "ok", "broker": "embedded"}})

    status: Literal["ready"] = "ready"
    checks: dict[str, str] = Field(description="what was checked → what was found")
