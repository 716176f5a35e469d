"""Scenarios that come with the program."""

from typing import Any

from pydantic import BaseModel, Field

from api.schemas.shown import Page, page_of, shown
from simulator.scenario import Scenario

_EXAMPLE: dict[str, Any] = {
    "name": "water-burst",
    "title": "A main bursts at ten past six",
    "teaches": "One burst from onset to report.",
    "hours": 24.0,
    "start": "2026-06-01T00:00:00+08:00",
    "incidents": ["burst"],
}


class ScenarioInfo(BaseModel):
    """A scenario by its head."""

    model_config = shown(_EXAMPLE)

    name: str = Field(description="to be given to `POST /runs`")
    title: str
    teaches: str
    hours: float
    start: str
    incidents: list[str] = Field(description="kinds of what happens")

    @classmethod
    def of(cls, name: str, scenario: Scenario) -> "ScenarioInfo":
        """Return the head of a scenario; `name` is what it is found by."""
        return cls(
            name=name,
            title=scenario.title,
            teaches=scenario.teaches,
            hours=scenario.duration / 3600,
            start=scenario.start.isoformat(),
            incidents=[item.kind.value for item in scenario.incidents],
        )


class ScenarioList(Page):
    """Scenarios by name."""

    model_config = page_of(_EXAMPLE)

    items: list[ScenarioInfo]
