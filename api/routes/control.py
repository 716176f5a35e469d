"""Control of a run: start, pause, step, stop, pace, and incidents injected into its world."""

import difflib

from fastapi import APIRouter, status
from pydantic import ValidationError

from api.controller import RunController
from api.problems import ProblemError
from api.routes.dependencies import DrivenRun
from api.schemas.incident import InjectedIncident, NewIncident
from api.schemas.run import NewPace, RunInfo, Steps
from simulator.errors import InjectionError
from simulator.scenario import IncidentSpec
from simulator.scenario.kinds import happening_kinds

router = APIRouter(prefix="/runs/{run_id}")


@router.post("/start", tags=["run"], summary="Start or go on")
def start(run: DrivenRun) -> RunInfo:
    """Start a run that waits, or go on after a pause; a running one goes on as it is."""
    run.command("start")
    return RunInfo.of(run)


@router.post("/pause", tags=["run"], summary="Pause")
def pause(run: DrivenRun) -> RunInfo:
    """Stop the clock after the tick at hand; `start` goes on."""
    run.command("pause")
    return RunInfo.of(run)


@router.post("/step", tags=["run"], summary="Step")
def step(run: DrivenRun, body: Steps | None = None) -> RunInfo:
    """Do some ticks at once (one when the body is left out), then stay paused."""
    run.step((body or Steps(ticks=1)).ticks)
    return RunInfo.of(run)


@router.post("/stop", tags=["run"], summary="Stop")
def stop(run: DrivenRun) -> RunInfo:
    """End the run before its time; what was recorded is kept, and the summary is returned."""
    run.stop()
    return RunInfo.of(run)


@router.put("/pace", tags=["run"], summary="Change the pace")
def change_pace(run: DrivenRun, body: NewPace) -> RunInfo:
    """Go on at another pace; the readings and events that come out stay the same."""
    run.set_pace(str(body.pace))
    return RunInfo.of(run)


@router.post(
    "/incidents", tags=["world"], status_code=status.HTTP_201_CREATED, summary="Inject an incident"
)
def inject(run: DrivenRun, body: NewIncident) -> InjectedIncident:
    """Let something happen in the world, now or later; the platform is not told.

    404 names close elements when there is none of that name; 422 when it cannot have such an
    incident.
    """

    def make(since_start_s: int, free_id: str) -> IncidentSpec:
        fields = body.model_dump(exclude={"after", "id"})
        return IncidentSpec(id=body.id or free_id, at=since_start_s + body.after, **fields)

    try:
        plan = run.inject(make)
    except InjectionError as error:
        raise _no_injection(run, body, error) from error
    except ValidationError as error:
        detail = "; ".join(item["msg"].removeprefix("Value error, ") for item in error.errors())
        raise ProblemError(422, "invalid-incident", detail) from error
    return InjectedIncident.of(plan, run.about.utc_offset_ms)


def _no_injection(run: RunController, body: NewIncident, error: InjectionError) -> ProblemError:
    city = run.city()
    rows = [*city.rows("nodes"), *city.rows("links")]
    befalls = happening_kinds()[body.kind].element.split(" or ")
    fitting = [row["id"] for row in rows if row["kind"] in befalls]
    close = difflib.get_close_matches(body.element, fitting, n=5, cutoff=0.0)
    members = {"element": body.element, "close": close}
    if any(row["id"] == body.element for row in rows):
        return ProblemError(422, "cannot-happen", str(error), **members)
    return ProblemError(404, "unknown-element", str(error), **members)
