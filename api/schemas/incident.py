"""Incidents: what is injected into the world, and what the platform made of it."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field, WithJsonSchema

from api.schemas.event import EVENT_EXAMPLE, EventInfo
from api.schemas.shown import Page, event_time, page_of, shown
from api.telling import level_text
from pipeline.ports import LogEntry
from sensors.ground_truth import TrueKind
from simulator.incidents.plan import IncidentPlan
from simulator.scenario import parse_duration_s

Duration = Annotated[
    int,
    BeforeValidator(parse_duration_s),
    Field(ge=0),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string"}]}),
]
"""Seconds, or text such as `45s`, `30m`, `6h10m`."""


class NewIncident(BaseModel):
    """Something to happen in the running world."""

    model_config = shown(
        {"kind": "burst", "element": "P0086", "share_of_demand": 0.5, "after": "10m"}, is_body=True
    )

    kind: TrueKind
    element: str = Field(
        "", description="network element, see `GET /runs/{id}/network`; left out for river_high"
    )
    outflow_m3_h: float | None = Field(None, gt=0, description="leaks: discharge at 30 m head")
    share_of_demand: float | None = Field(None, gt=0, le=5, description="leaks: of mean demand")
    growth: Duration = Field(0, description="slow leaks: time to reach the full size")
    factor: float = Field(2.0, gt=0, description="demand surges: times the normal demand")
    amount: float | None = Field(
        None, description="gas, flood and fire: size in the unit of the kind (mm, Nm3/h, share, m)"
    )
    duration: Duration | None = Field(None, description="until it ends by itself; left out: never")
    after: Duration = Field(0, description="from now, such as `10m`")
    id: str | None = Field(None, pattern=r"^[A-Za-z0-9_-]+$", description="left out: one is made")


class InjectedIncident(BaseModel):
    """What will happen in the world; the platform is not told."""

    model_config = shown(
        {
            "id": "API1",
            "kind": "burst",
            "element": "P0086",
            "onset": "2026-06-01T01:10:00+08:00",
            "onset_ms": 1780247400000,
            "outflow_m3_h": 42.5,
            "amount": 0.0,
        }
    )

    id: str
    kind: TrueKind
    element: str
    onset: str = Field(description="event time in the city's time zone")
    onset_ms: int
    outflow_m3_h: float
    amount: float

    @classmethod
    def of(cls, plan: IncidentPlan, utc_offset_ms: int) -> "InjectedIncident":
        """Return an incident as planned."""
        return cls(
            id=plan.id,
            kind=plan.kind,
            element=plan.element,
            onset=event_time(plan.onset_ms, utc_offset_ms),
            onset_ms=plan.onset_ms,
            outflow_m3_h=plan.outflow_m3_h,
            amount=plan.amount,
        )


class Place(BaseModel):
    """Where an incident is held to be; candidates with the most likely first."""

    candidates: list[str]
    scores: list[float]
    x_m: float
    y_m: float
    method: str


INCIDENT_EXAMPLE: dict[str, Any] = {
    "id": "I-D01-1780266060000",
    "version": 2,
    "status": "confirmed",
    "domain": "water",
    "cause": "burst",
    "level": 3,
    "level_text": "III yellow",
    "area": "D01",
    "alarms": ["WP-D01-0005-0/water.pressure_drop/1780245127000"],
    "devices": ["WP-D01-0005-0"],
    "location": {
        "candidates": ["P0085", "P0086"],
        "scores": [0.375, 0.2705],
        "x_m": 731.0,
        "y_m": 783.2,
        "method": "leak_signature",
    },
    "likelihood": 3,
    "consequence": 2,
    "risk_level": 3,
    "confidence": 0.969,
    "households": 165.7,
    "adjustments": [],
    "opened_ms": 1780266060000,
    "time_ms": 1780266240000,
    "time": "2026-06-01T06:24:00+08:00",
    "reason": "leak_fits_residuals",
}


class IncidentInfo(BaseModel):
    """An incident as the platform holds it, in its newest version."""

    model_config = shown(INCIDENT_EXAMPLE)

    id: str
    version: int
    status: str = Field(description="assessing, confirmed, dismissed or closed")
    domain: str
    cause: str
    level: int = Field(description="1 red to 4 blue")
    level_text: str
    area: str
    alarms: list[str]
    devices: list[str]
    location: Place
    likelihood: int
    consequence: int
    risk_level: int = Field(description="of likelihood × consequence; another scale than `level`")
    confidence: float
    households: float
    adjustments: list[str] = Field([], description="why `level` differs from the evidence's")
    opened_ms: int
    time_ms: int
    time: str
    reason: str

    @classmethod
    def of(cls, entry: LogEntry, utc_offset_ms: int) -> "IncidentInfo":
        """Return the incident of an `Incident` entry."""
        words = {
            "level_text": level_text(entry.data["level"]),
            "time": event_time(entry.time_ms, utc_offset_ms),
        }
        return cls.model_validate({**entry.data, **words})


class IncidentList(Page):
    """Incidents, in the order they were opened."""

    model_config = page_of(INCIDENT_EXAMPLE)

    items: list[IncidentInfo]


class IncidentStory(BaseModel):
    """An incident and all entries of the log about it, oldest first."""

    model_config = shown({"incident": INCIDENT_EXAMPLE, "timeline": [EVENT_EXAMPLE]})

    incident: IncidentInfo
    timeline: list[EventInfo]
