"""What the platform made of the readings: alarms, warnings, incidents, orders, evaluation."""

from typing import Annotated

from fastapi import APIRouter, Query

from api.casebook import newest_by_subject, of_kind, orders, story
from api.problems import ProblemError
from api.results import stages_passed
from api.routes import alarms, rules, warnings
from api.routes.dependencies import AnyRun, PageAsked
from api.schemas.evaluation import CaseScores, Evaluation, RunScores
from api.schemas.event import EventInfo
from api.schemas.incident import IncidentInfo, IncidentList, IncidentStory
from api.schemas.order import OrderInfo, OrderList
from pipeline.messages import IncidentStatus

router = APIRouter(prefix="/runs/{run_id}")
for part in (alarms, warnings, rules):
    router.include_router(part.router)


@router.get("/incidents", tags=["assess"], summary="List incidents")
def list_incidents(
    run: AnyRun,
    page: PageAsked,
    status: Annotated[IncidentStatus | None, Query(description="only those of this status")] = None,
) -> IncidentList:
    """List each incident in its newest version; dismissed ones never left the platform."""
    newest = newest_by_subject(run.entries(), "Incident")
    chosen = [entry for entry in newest if status in (None, entry.data["status"])]
    offset_ms = run.about.utc_offset_ms
    items = [IncidentInfo.of(entry, offset_ms) for entry in page.of(chosen)]
    return IncidentList(total=len(chosen), items=items)


@router.get("/incidents/{incident}", tags=["assess"], summary="Follow an incident")
def show_incident(run: AnyRun, incident: str) -> IncidentStory:
    """Return an incident in its newest version, and everything the log says about it."""
    entries, offset_ms = run.entries(), run.about.utc_offset_ms
    newest = {entry.subject: entry for entry in newest_by_subject(entries, "Incident")}
    if incident not in newest:
        raise ProblemError(
            404,
            "unknown-incident",
            f"run {run.id} has no incident {incident!r}; GET /runs/{run.id}/incidents lists them",
            incident=incident,
        )
    return IncidentStory(
        incident=IncidentInfo.of(newest[incident], offset_ms),
        timeline=[EventInfo.of(entry, offset_ms) for entry in story(entries, incident)],
    )


@router.get("/orders", tags=["dispatch", "supervise"], summary="List work orders")
def list_orders(run: AnyRun, page: PageAsked) -> OrderList:
    """List the orders with the decision behind each and what the team reported."""
    records = orders(run.entries())
    offset_ms = run.about.utc_offset_ms
    items = [OrderInfo.of(record, offset_ms) for record in page.of(records)]
    return OrderList(total=len(records), items=items)


@router.get("/evaluation", tags=["evaluate"], summary="Get the evaluation")
def show_evaluation(run: AnyRun) -> Evaluation:
    """Return the scores against the truth: of closed incidents, and of the run at its end."""
    entries = run.entries()
    scores = of_kind(entries, "RunEvaluation")
    return Evaluation(
        run=RunScores.model_validate(scores[-1].data) if scores else None,
        cases=[
            CaseScores.model_validate(entry.data)
            for entry in newest_by_subject(entries, "CaseEvaluation")
        ],
        stages=stages_passed(entries),
    )
