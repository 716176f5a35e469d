"""The HTTP interface: puts desk, routes, guard, errors and metrics together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from api.desk import MOST_LIVE, RunDesk
from api.guard import MOST_BYTES, Guard
from api.metrics import registry_of
from api.problems import MEDIA_TYPE, install_problems
from api.routes import control, devices, documentation, events, loop, reports, server, world
from api.routes import runs as runs_routes
from api.schemas.problem import Problem
from pipeline.loop import LOOP
from pipeline.rules import RuleSet

_ABOUT = """Runs a synthetic city and the platform that watches it: start a run, let something
happen in its network, follow what the seven stages make of it, read the report.

Every error is a problem details object (RFC 9457) that names the thing, the value and the fix.
Times ending in `_ms` are event time in milliseconds UTC.
"""
_TAGS = [
    {"name": "run", "description": "A run: make it, drive it, follow it."},
    {"name": "world", "description": "The simulated half: scenarios, network, injected incidents."},
    *(
        {"name": step.name, "description": f"Stage {number} of the loop ({step.chinese})."}
        for number, step in enumerate(LOOP, 1)
    ),
    {"name": "server", "description": "Health, readiness, metrics."},
]
_PROBLEM = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
_ERRORS: dict[int | str, dict[str, Any]] = {
    "4XX": {"description": "What was asked for cannot be done", "content": _PROBLEM},
    "5XX": {"description": "The server or a run failed", "content": _PROBLEM},
}


class TocsinApi(FastAPI):
    """FastAPI with the problem schema and the token in its OpenAPI document."""

    needs_token = False

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document."""
        if self.openapi_schema is None:
            document = super().openapi()
            parts = document.setdefault("components", {})
            parts.setdefault("schemas", {})["Problem"] = Problem.model_json_schema()
            if self.needs_token:
                parts["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
                document["security"] = [{"token": []}]
        return self.openapi_schema or {}


def make_app(
    runs: Path,
    *,
    token: str | None,
    broker: str | None,
    nats_server: Path | None = None,
    cities: Path = Path("cities"),
    most_live: int = MOST_LIVE,
    most_bytes: int = MOST_BYTES,
    rules: RuleSet | None = None,
) -> FastAPI:
    """Build the interface.

    Args:
        runs: Folder of recordings, made when the first run is.
        token: Bearer token every request needs, but `/healthz`; None: none, loopback only.
        broker: Broker of runs over `mqtt`; None: an embedded one for each.
        nats_server: Path of another nats-server binary for embedded brokers.
        cities: Folder of cities that runs may name.
        most_live: Runs that may be live at once.
        most_bytes: Largest request body.
        rules: Rule set of the runs; None for the default. A run may be given another while it goes.
    """
    desk = RunDesk(
        runs,
        cities=cities,
        broker=broker,
        nats_server=nats_server,
        rules=rules,
        most_live=most_live,
    )

    @asynccontextmanager
    async def close_runs(_: FastAPI) -> AsyncIterator[None]:
        yield
        await run_in_threadpool(desk.close)

    app = TocsinApi(
        title="Tocsin",
        version=version("tocsin"),
        description=_ABOUT,
        openapi_tags=_TAGS,
        responses=_ERRORS,
        lifespan=close_runs,
        docs_url=None,
        redoc_url=None,
    )
    app.needs_token = token is not None
    app.state.desk, app.state.metrics = desk, registry_of(desk)
    install_problems(app)
    for part in (runs_routes, control, world, devices, loop, events, reports, server):
        app.include_router(part.router)
    app.include_router(documentation.router)
    documentation.mount_files(app)
    app.add_middleware(Guard, token=token, most_bytes=most_bytes)
    return app
