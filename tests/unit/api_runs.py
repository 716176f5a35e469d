"""What the tests of the interface share: a tiny scenario, a client, a recorded run made by hand."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from anyio.from_thread import BlockingPortal, start_blocking_portal
from fastapi import FastAPI

from api.app import make_app
from api.plan import RunPlan, plan_run, write_plan
from api.results import write_result
from pipeline.event_log import EventLog
from pipeline.messages import (
    Alarm,
    AlarmState,
    Bulletin,
    BulletinKind,
    CaseEvaluation,
    Cause,
    Closure,
    Dispatch,
    Incident,
    IncidentStatus,
    Location,
    Transition,
)
from pipeline.ports import LogEntry
from sensors.field import Act, Feedback, FeedbackKind, WorkOrder
from sensors.levels import Level
from sensors.readings import Frame, FrameId, ReadingBatch
from sensors.transports.recording import RecordingWriter
from simulator.scenario import Scenario

QUIET: dict[str, Any] = {
    "format": 1,
    "name": "quiet",
    "city": {"generate": {"junctions": 40, "seed": 7}},
    "start": "2026-06-01T00:00:00+08:00",
    "duration": "30m",
}
"""Half an hour in a small town in which nothing is planned to happen."""

START_MS = 1_780_243_200_000
INCIDENT, ALARM, ORDER = "I-D01-1", "WP-D01-0001-9/water.pressure_drop/1", "O-I-D01-1-1"


def quiet_plan(**changes: Any) -> RunPlan:
    """Return the plan of the quiet scenario."""
    return plan_run(Scenario.model_validate({**QUIET, **changes}), Path("request"))


class ApiClient:
    """Talks to an app in memory, with its lifespan; a stream is read to its end."""

    def __init__(self, app: FastAPI, portal: BlockingPortal) -> None:
        self.app, self._portal = app, portal
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        self._client = httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1")

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send a request and return the whole response."""
        send = partial(self._client.request, method, path, timeout=None, **options)
        return self._portal.call(send)

    def get(self, path: str, **options: Any) -> httpx.Response:
        """Send a GET request."""
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        """Send a POST request."""
        return self.request("POST", path, **options)

    def close(self) -> None:
        """Let go of the connection."""
        self._portal.call(self._client.aclose)


@contextmanager
def client_of(runs: Path, **options: Any) -> Iterator[ApiClient]:
    """Yield a client of a fresh server; its runs are stopped at the end."""
    settings: dict[str, Any] = {"token": None, "broker": None, **options}
    app = make_app(runs, **settings)
    with ExitStack() as stack:
        portal = stack.enter_context(start_blocking_portal())
        lifespan = app.router.lifespan_context(app)
        stack.enter_context(portal.wrap_async_context_manager(lifespan))
        client = ApiClient(app, portal)
        stack.callback(client.close)
        yield client


def alarm(state: AlarmState, time_ms: int) -> Alarm:
    """Return an alarm; it compares nothing, so `before` is NaN."""
    return Alarm(
        id=ALARM,
        device="WP-D01-0001-9",
        rule="water.pressure_drop",
        domain="water",
        area="D01",
        quantity="pressure",
        level=Level.YELLOW,
        state=state,
        value=0.2,
        limit=0.05,
        before=float("nan"),
        raised_ms=1,
        sample_ms=time_ms,
        time_ms=time_ms,
        reason="held",
    )


def incident(version: int, status: IncidentStatus, time_ms: int, name: str = INCIDENT) -> Incident:
    """Return an incident in one of its versions."""
    return Incident(
        id=name,
        version=version,
        status=status,
        domain="water",
        cause=Cause.BURST,
        level=Level.YELLOW,
        area="D01",
        alarms=(ALARM,) if name == INCIDENT else (),
        devices=("WP-D01-0001-9",),
        location=Location(("P0001",), (0.9,), 1.0, 2.0, "leak_signature"),
        likelihood=3,
        consequence=2,
        risk_level=Level.YELLOW,
        confidence=0.9,
        households=10.0,
        opened_ms=time_ms,
        time_ms=time_ms,
        reason="leak_fits_residuals",
    )


def happenings() -> list[Transition | Feedback]:
    """Return one incident from alarm to closure, and a dismissed one beside it."""
    start = START_MS
    order = WorkOrder(
        id=ORDER,
        incident=INCIDENT,
        team="T01",
        domain="water",
        level=Level.YELLOW,
        acts=(Act.INSPECT,),
        targets=("P0001",),
        x_m=1.0,
        y_m=2.0,
        issued_ms=start + 3,
        due_ms={"onsite": start + 99},
        reason="nearest_capable",
    )
    return [
        alarm(AlarmState.RAISED, start + 1),
        incident(1, IncidentStatus.ASSESSING, start + 2),
        incident(1, IncidentStatus.DISMISSED, start + 2, "I-D02-9"),
        incident(2, IncidentStatus.CONFIRMED, start + 3),
        Dispatch(INCIDENT, order, 1.0, {"T01": "chosen"}, start + 3, "nearest_capable"),
        Dispatch(INCIDENT, None, 0.0, {}, start + 3, "nobody_free"),
        bulletin("B-1", BulletinKind.FLASH, INCIDENT, start + 4),
        Feedback(f"{ORDER}/1", ORDER, INCIDENT, "T01", FeedbackKind.ACCEPTED, start + 5),
        Feedback(f"{ORDER}/2", ORDER, INCIDENT, "T01", FeedbackKind.DONE, start + 6),
        alarm(AlarmState.CLEARED, start + 7),
        Closure(INCIDENT, True, start + 8, "done_and_recovered"),
        CaseEvaluation(INCIDENT, "B1", True, 5.0, None, 0.0, 0, 3, 3, start + 8, "matched"),
        incident(3, IncidentStatus.CLOSED, start + 8),
        bulletin("B-run-1", BulletinKind.SUMMARY, "", start + 9),
    ]


def bulletin(name: str, kind: BulletinKind, about: str, time_ms: int) -> Bulletin:
    """Return a report."""
    return Bulletin(name, kind, 1, about, "Title", {"place": "P0001"}, "# Title\n", time_ms, "news")


def log() -> list[LogEntry]:
    """Return the happenings as entries of an event log."""
    chain = EventLog()
    return [chain.add(message) for message in happenings()]


def recorded_run(folder: Path) -> None:
    """Write a finished run with the happenings and three readings of each of two devices."""
    folder.mkdir(parents=True)
    write_plan(folder, quiet_plan())
    facts = {"scenario": "quiet", "city": "town7", "seed": 5, "complete": True}
    write_result(folder, {**facts, "readings": {"received": 6}}, log(), {})
    with RecordingWriter(folder) as writer:
        for tick in range(3):
            time_ms = START_MS + tick * 60_000
            batch = ReadingBatch.of([0, 1], [time_ms, time_ms], [tick / 10, 9.0])
            writer.write(Frame(FrameId("gw-D01-1", 1, tick), time_ms, batch))
