"""The server itself: health, readiness, metrics."""

import os
import socket
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from api.problems import ProblemError
from api.routes.dependencies import Desk
from api.schemas.server import Health, Readiness

router = APIRouter(tags=["server"])

_EXAMPLE = 'tocsin_readings_received_total{run="water-burst-20260601-081500"} 13407.0\n'
_SHOWN: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Metrics in the text format of Prometheus",
        "content": {"text/plain": {"schema": {"type": "string"}, "example": _EXAMPLE}},
    }
}


@router.get("/healthz", summary="Check that the server answers")
def health() -> Health:
    """Answer; needs no token."""
    return Health(version=version("tocsin"))


@router.get("/readyz", summary="Check that the server can take a run")
def readiness(desk: Desk) -> Readiness:
    """Check that the runs folder can be written and the broker, if one is set, reached (503)."""
    checks = {"runs": _check_folder(desk.runs), "broker": _check_broker(desk.broker)}
    wrong = [
        f"{name}: {found}" for name, found in checks.items() if found not in ("ok", "embedded")
    ]
    if wrong:
        raise ProblemError(503, "not-ready", "; ".join(wrong), checks=checks)
    return Readiness(checks=checks)


@router.get("/metrics", summary="Get metrics", response_class=Response, responses=_SHOWN)
def metrics(request: Request) -> Response:
    """Return readings, ticks, events, incidents, lag and stage cases for Prometheus."""
    text = generate_latest(request.app.state.metrics)
    return Response(text, media_type=CONTENT_TYPE_LATEST)


def _check_folder(folder: Path) -> str:
    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent
    if place.is_dir() and os.access(place, os.W_OK):
        return "ok"
    return f"{place} cannot be written; give another --runs"


def _check_broker(url: str | None) -> str:
    if url is None:
        return "embedded"
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 1883
    try:
        with socket.create_connection((host, port), timeout=1.0):
            return "ok"
    except OSError as error:
        return f"{host}:{port} cannot be reached ({error}); start it, or change TOCSIN_BROKER"
