"""Messages and a small city for tests of dispatch, supervise, evaluate and report."""

from collections.abc import Sequence
from typing import Any

from pipeline.messages import (
    Alarm,
    AlarmState,
    Cause,
    Closure,
    Dispatch,
    Incident,
    IncidentStatus,
    Location,
    WarningNotice,
    WarningStatus,
)
from sensors.city import City
from sensors.field import Act, Feedback, FeedbackKind, WorkOrder
from sensors.ground_truth import TrueIncident, TrueKind
from sensors.levels import Level

MIN = 60_000
HOUR = 60 * MIN
T0 = 1_782_864_000_000
"""2026-07-01 00:00 UTC."""

PIPES = tuple(f"P{i}" for i in range(9))


def town(teams: Sequence[dict[str, Any]] | None = None, *, roads: bool = True) -> City:
    """A street of ten nodes 100 m apart with nine pipes, a pump at its end and a road along it."""
    nodes = [
        {"id": f"N{i}", "domain": "water", "kind": "junction", "area": "D01"}
        | {"x_m": 100.0 * i, "y_m": 0.0, "elevation_m": 0.0, "base_demand_m3_h": 1.0, "people": 50}
        for i in range(10)
    ]
    link = {"domain": "water", "area": "D01", "length_m": 100.0, "diameter_mm": 200.0}
    links = [
        link | {"id": pipe, "kind": "pipe", "from_node": f"N{i}", "to_node": f"N{i + 1}"}
        for i, pipe in enumerate(PIPES)
    ]
    links.append(link | {"id": "PU1", "kind": "pump", "from_node": "N9", "to_node": "N8"})
    road = [
        {"id": f"R{i}", "from_node": f"N{i}", "to_node": f"N{i + 1}", "length_m": 100.0}
        | {"kind": "street"}
        for i in range(9)
    ]
    rows = {
        "districts": [{"id": "DI1", "name": "River", "x_m": 0.0, "y_m": 0.0}],
        "areas": [
            {"id": "D01", "name": "Mill Quarter", "kind": "dma", "district": "DI1"}
            | {"x_m": 450.0, "y_m": 0.0}
        ],
        "nodes": nodes,
        "links": links,
        "roads": road if roads else [],
        "teams": list(teams) if teams is not None else [team("T1", 0.0), team("T2", 700.0)],
        "risk_points": [
            {"id": "RP1", "element": "P4", "domain": "water", "area": "D01", "x_m": 450.0}
            | {"y_m": 0.0, "responsible_body": "Water company", "custodian": "North depot"}
            | {"status": "in use", "maintenance": "yearly", "team": "T1", "plan": "plan 1"}
            | {"likelihood": 2, "consequence": 3}
        ],
    }
    return City.of_rows("town", "Milltown", rows)


def team(
    name: str, x_m: float, skills: Sequence[str] = ("water", "inspect", "repair", "restart_pump")
) -> dict[str, Any]:
    return {
        "id": name,
        "name": f"Crew {name}",
        "skills": list(skills),
        "x_m": x_m,
        "y_m": 0.0,
        "speed_km_h": 30.0,
        "unit": "Water company",
    }


def incident(name: str = "I-1", version: int = 1, **changes: Any) -> Incident:
    candidates = changes.pop("candidates", ("P4", "P5", "P3"))
    place = changes.pop("place", (450.0, 0.0))
    fields: dict[str, Any] = {
        "id": name,
        "version": version,
        "status": IncidentStatus.CONFIRMED,
        "domain": "water",
        "cause": Cause.BURST,
        "level": Level.YELLOW,
        "area": "D01",
        "alarms": (alarm_id(),),
        "devices": ("WP-1",),
        "location": Location(
            candidates, tuple(1.0 / (i + 1) for i in range(len(candidates))), *place, "test"
        ),
        "likelihood": 3,
        "consequence": 2,
        "risk_level": Level.YELLOW,
        "confidence": 0.8,
        "households": 120.0,
        "opened_ms": T0 + 5 * MIN,
        "time_ms": T0 + 10 * MIN,
        "reason": "leak_fits",
    }
    return Incident(**(fields | changes))


def alarm_id(device: str = "WP-1", raised_ms: int = T0) -> str:
    return f"{device}/water.pressure_drop/{raised_ms}"


def alarm(
    state: AlarmState = AlarmState.RAISED, device: str = "WP-1", time_ms: int = T0, **changes: Any
) -> Alarm:
    fields: dict[str, Any] = {
        "id": alarm_id(device),
        "device": device,
        "rule": "water.pressure_drop",
        "domain": "water",
        "area": "D01",
        "quantity": "pressure",
        "level": Level.YELLOW,
        "state": state,
        "value": 0.1,
        "limit": 0.05,
        "before": 0.3,
        "raised_ms": T0,
        "sample_ms": time_ms,
        "time_ms": time_ms,
        "reason": "test",
    }
    return Alarm(**(fields | changes))


def warning(
    status: WarningStatus = WarningStatus.DRAFT, time_ms: int = T0, **changes: Any
) -> WarningNotice:
    fields: dict[str, Any] = {
        "id": "W-1",
        "version": 1,
        "status": status,
        "level": Level.YELLOW,
        "domain": "water",
        "area": "D01",
        "incident": "",
        "alarms": (alarm_id(),),
        "time_ms": time_ms,
        "reason": "test",
    }
    return WarningNotice(**(fields | changes))


def order(name: str = "O-I-1-1", **changes: Any) -> WorkOrder:
    issued_ms = changes.get("issued_ms", T0 + 12 * MIN)
    fields: dict[str, Any] = {
        "id": name,
        "incident": "I-1",
        "team": "T1",
        "domain": "water",
        "level": Level.YELLOW,
        "acts": (Act.INSPECT, Act.ISOLATE, Act.REPAIR, Act.RESTORE),
        "targets": ("P4", "P5"),
        "x_m": 450.0,
        "y_m": 0.0,
        "issued_ms": issued_ms,
        "due_ms": {
            "onsite": issued_ms + HOUR,
            "contain": issued_ms + 6 * HOUR,
            "close": issued_ms + 24 * HOUR,
        },
        "reason": "nearest_capable",
    }
    return WorkOrder(**(fields | changes))


def dispatch(given: WorkOrder | None, **changes: Any) -> Dispatch:
    fields: dict[str, Any] = {
        "incident": given.incident if given else "I-1",
        "order": given,
        "travel_min": 3.0,
        "considered": {"T1": "chosen", "T2": "farther"},
        "time_ms": given.issued_ms if given else T0 + 12 * MIN,
        "reason": given.reason if given else "nobody_free",
    }
    return Dispatch(**(fields | changes))


def feedback(kind: FeedbackKind, time_ms: int, given: str = "O-I-1-1", **changes: Any) -> Feedback:
    fields: dict[str, Any] = {
        "id": f"{given}/{kind}/{time_ms}",
        "order": given,
        "incident": "I-1",
        "team": "T1",
        "kind": kind,
        "time_ms": time_ms,
    }
    return Feedback(**(fields | changes))


def closure(time_ms: int, name: str = "I-1") -> Closure:
    return Closure(name, is_verified=True, time_ms=time_ms, reason="done_and_recovered")


def truth(name: str = "B1", **changes: Any) -> TrueIncident:
    fields: dict[str, Any] = {
        "id": name,
        "kind": TrueKind.BURST,
        "is_hazard": True,
        "domain": "water",
        "area": "D01",
        "element": "P4",
        "x_m": 450.0,
        "y_m": 0.0,
        "level": Level.YELLOW,
        "onset_ms": T0,
        "detectable_ms": {"WP-1": T0 + MIN},
    }
    return TrueIncident(**(fields | changes))
