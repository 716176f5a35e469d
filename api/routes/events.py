"""The events of a run as a stream (server-sent events)."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

import anyio
from fastapi import APIRouter, Header, Query, Response
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool

from api.problems import ProblemError
from api.routes.dependencies import AnyRun
from api.run_status import Run
from api.schemas.event import EVENT_EXAMPLE, FullEvent

router = APIRouter(prefix="/runs/{run_id}", tags=["run"])

HEARTBEAT_S = 15
"""A comment goes out so often, for proxies that cut what is silent."""

_POLL_S, _GRACE_S = 0.1, 2.0
_MOST_AT_ONCE = 500
_DATA = FullEvent(**EVENT_EXAMPLE, data={}).model_dump_json()
_EXAMPLE = f"id: 52\r\nevent: dispatch\r\ndata: {_DATA}\r\n\r\n"
_SHOWN: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Events, as they come",
        "content": {"text/event-stream": {"schema": {"type": "string"}, "example": _EXAMPLE}},
    },
    204: {"description": "A reconnecting client has everything and the run is over"},
}


@router.get(
    "/events", summary="Stream events", response_class=EventSourceResponse, responses=_SHOWN
)
async def stream_events(
    run: AnyRun,
    after: Annotated[int, Query(ge=-1, description="only entries with a larger `seq`")] = -1,
    last_event_id: Annotated[str | None, Header(description="wins over `after`")] = None,
) -> Response:
    """Stream each entry of the event log: `id` is its number, `event` its stage, `data` JSON.

    A client that was cut off goes on where it was by `Last-Event-ID` (browsers send it by
    themselves). When the run is over an event `end` comes and the stream ends.
    """
    start = after if last_event_id is None else _number(last_event_id)
    if last_event_id is not None and await run_in_threadpool(_has_nothing_more, run, start):
        return Response(status_code=204)
    leaving = anyio.Event()
    return EventSourceResponse(
        _events(run, start, leaving),
        ping=HEARTBEAT_S,
        shutdown_event=leaving,
        shutdown_grace_period=_GRACE_S,
    )


def _has_nothing_more(run: Run, after: int) -> bool:
    return run.status().state.is_over and not run.entries(after, 1)


async def _events(run: Run, after: int, leaving: anyio.Event) -> AsyncIterator[ServerSentEvent]:
    """Yield entries as they come; ends with the run, or without an `end` when the server stops."""
    offset_ms = run.about.utc_offset_ms
    while not leaving.is_set():
        status = await run_in_threadpool(run.status)  # before the entries, so that none is missed
        entries = await run_in_threadpool(run.entries, after, _MOST_AT_ONCE)
        for entry in entries:
            data = FullEvent.of(entry, offset_ms).model_dump_json()
            yield ServerSentEvent(data, event=entry.stage, id=str(entry.seq))
            after = entry.seq
        if entries:
            continue
        if status.state.is_over:
            yield ServerSentEvent(f'{{"state":"{status.state.value}"}}', event="end")
            return
        await anyio.sleep(_POLL_S)


def _number(last_event_id: str) -> int:
    if not last_event_id.isdecimal():
        raise ProblemError(
            422, "invalid-request", f"Last-Event-ID: {last_event_id!r} is not a number of an event"
        )
    return int(last_event_id)
