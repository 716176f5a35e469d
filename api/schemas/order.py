"""Work orders: who was sent to do what, why, and how far they are."""

from typing import Any

from pydantic import BaseModel, Field

from api.casebook import OrderRecord
from api.schemas.shown import Page, event_time, page_of, shown

ORDER_EXAMPLE: dict[str, Any] = {
    "id": "O-I-D01-1780266060000-1",
    "incident": "I-D01-1780266060000",
    "team": "T01",
    "state": "repaired",
    "level": 3,
    "acts": ["inspect", "isolate", "repair", "restore"],
    "targets": ["P0085", "P0086"],
    "issued": "2026-06-01T06:24:00+08:00",
    "issued_ms": 1780266240000,
    "due_ms": {"onsite": 1780269840000, "contain": 1780287840000, "close": 1780352640000},
    "travel_min": 1.0,
    "considered": {"T01": "chosen", "T02": "farther", "T04": "lacks_skill"},
    "reason": "nearest_capable",
    "feedback": [
        {"time": "2026-06-01T06:26:23+08:00", "kind": "accepted", "element": "", "note": ""}
    ],
}


class FeedbackInfo(BaseModel):
    """What a team reported."""

    time: str
    kind: str
    element: str
    note: str


class OrderInfo(BaseModel):
    """An order to one team, with the decision behind it and the team's reports."""

    model_config = shown(ORDER_EXAMPLE)

    id: str
    incident: str
    team: str
    state: str = Field(description="newest report of the team; `issued` before the first")
    level: int
    acts: list[str]
    targets: list[str] = Field(description="elements to look at, most likely first")
    issued: str
    issued_ms: int
    due_ms: dict[str, int] = Field(description="what → event time it is due")
    travel_min: float
    considered: dict[str, str] = Field(description="team → why it was or was not chosen")
    reason: str
    feedback: list[FeedbackInfo]

    @classmethod
    def of(cls, record: OrderRecord, utc_offset_ms: int) -> "OrderInfo":
        """Return an order as recorded."""
        data, order = record.dispatch.data, record.dispatch.data["order"]
        feedback = [
            {**entry.data, "time": event_time(entry.time_ms, utc_offset_ms)}
            for entry in record.feedback
        ]
        words = {
            "state": record.state,
            "issued": event_time(order["issued_ms"], utc_offset_ms),
            "travel_min": data["travel_min"],
            "considered": data["considered"],
            "feedback": feedback,
        }
        return cls.model_validate({**order, **words})


class OrderList(Page):
    """Orders in the order of their issue."""

    model_config = page_of(ORDER_EXAMPLE)

    items: list[OrderInfo]
