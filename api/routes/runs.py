"""Runs: make one, list them, see how one stands."""

import json
from typing import Any

from fastapi import APIRouter, Response, status

from api.controller import RunSetup
from api.desk import RunDesk
from api.library import ScenarioFile, library, library_folder
from api.plan import plan_run
from api.problems import ProblemError
from api.routes.dependencies import AnyRun, Desk, PageAsked
from api.schemas.run import NewRun, RunInfo, RunList
from simulator.clock import pace_of
from simulator.errors import ScenarioError
from simulator.scenario import parse_scenario

router = APIRouter(prefix="/runs", tags=["run"])


@router.post("", status_code=status.HTTP_201_CREATED, summary="Make a run")
def make_run(body: NewRun, desk: Desk, response: Response) -> RunInfo:
    """Plan a scenario and make a run of it: the same as `tocsin run`, driven by requests.

    The run starts at once unless `start` is false. Errors of the scenario name key, value and
    fix (422); 409 when too many runs are live.
    """
    file = _scenario(body.scenario)
    folder = None if body.city is None else desk.city_folder(body.city)
    plan = plan_run(file.scenario, file.path, seed=body.seed, city_folder=folder)
    run = desk.create(plan, _setup(body, file.scenario.pace, desk))
    response.headers["Location"] = f"/runs/{run.id}"
    return RunInfo.of(run)


@router.get("", summary="List runs")
def list_runs(desk: Desk, page: PageAsked) -> RunList:
    """List the runs of this server, then the recordings in its runs folder, newest first."""
    runs = desk.all()
    return RunList(total=len(runs), items=[RunInfo.of(run) for run in page.of(runs)])


@router.get("/{run_id}", summary="See how a run stands")
def show_run(run: AnyRun) -> RunInfo:
    """Return state, event time, progress, pace, lag and counts; the summary once it is over."""
    return RunInfo.of(run)


def _setup(body: NewRun, filed_pace: str, desk: RunDesk) -> RunSetup:
    pace = filed_pace if body.pace is None else str(body.pace)
    try:
        pace_of(pace)
    except ValueError as error:
        raise ScenarioError(f"pace: {error}") from error
    return RunSetup(
        pace=pace,
        transport=body.transport,
        broker=desk.broker,
        nats_server=desk.nats_server,
        is_started=body.start,
        rules=desk.rules,
    )


def _scenario(asked: str | dict[str, Any]) -> ScenarioFile:
    if isinstance(asked, str):
        return _from_library(asked)
    content = {"format": 1, "city": {"generate": {}}, **asked}
    city = content["city"]
    if isinstance(city, dict) and not set(city) <= {"generate"}:
        raise ProblemError(
            422,
            "foreign-file",
            f"scenario.city: {sorted(city)}: a scenario in a request may only generate its city; "
            "name a folder of cities/ in the member `city` of the request",
        )
    _refuse_files(content)
    source = library_folder() / "request"
    return ScenarioFile(source, parse_scenario(json.dumps(content), "scenario"))


def _refuse_files(content: dict[str, Any]) -> None:
    """Refuse a scenario that would have this server read a file of the caller's choice.

    Raises:
        ProblemError: 422 `foreign-file`, naming the key and what to give instead.
    """
    for key, shipped in (("profile", "a shipped profile"), ("fault_rates", "a shipped set")):
        if str(content.get(key, "")).lower().endswith((".yaml", ".yml")):
            raise _foreign(f"{key}: {content[key]!r}", f"name {shipped}, not a file")
    for place, item in enumerate(_rows(content.get("compose"))):
        name = str(item.get("scenario", ""))
        if "/" in name or "\\" in name:
            raise _foreign(f"compose.{place}.scenario: {name!r}", "name one of the library")
    for place, item in enumerate(_rows(content.get("storms"))):
        if item.get("file") is not None:
            raise _foreign(
                f"storms.{place}.file: {item['file']!r}", "give the sums by another kind"
            )


def _rows(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _foreign(what: str, fix: str) -> ProblemError:
    text = f"scenario.{what}: a scenario in a request may not name a file of the server; {fix}"
    return ProblemError(422, "foreign-file", text)


def _from_library(name: str) -> ScenarioFile:
    files = {file.path.stem: file for file in library()}
    if name not in files:
        known = ", ".join(files)
        raise ProblemError(
            422,
            "unknown-scenario",
            f"no scenario {name!r}; there are {known}, or give a scenario as an object",
            scenario=name,
            scenarios=list(files),
        )
    return files[name]
