"""Warnings, and what their authority says to them."""

from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi import status as http

from api.casebook import newest_by_subject
from api.problems import ProblemError
from api.routes.acting import act_on, is_known
from api.routes.dependencies import AnyRun, DrivenRun, PageAsked
from api.schemas.act import ActInfo, NewAct
from api.schemas.warning import WarningInfo, WarningList
from pipeline.messages import OUTSIDE, OperatorActKind, WarningStatus

router = APIRouter(tags=["assess"])


class Verdict(StrEnum):
    """What an authority can say."""

    APPROVE = "approve"
    REJECT = "reject"
    CANCEL = "cancel"


_WAITING = frozenset({WarningStatus.AWAITING_APPROVAL})
_ALLOWED = {
    Verdict.APPROVE: _WAITING,
    Verdict.REJECT: _WAITING,
    Verdict.CANCEL: _WAITING | OUTSIDE,
}
"""Verdict → statuses of a warning it can be given to."""


@router.get("/warnings", summary="List warnings")
def list_warnings(
    run: AnyRun,
    page: PageAsked,
    status: Annotated[WarningStatus | None, Query(description="only those of this status")] = None,
) -> WarningList:
    """List each warning in its newest version."""
    newest = newest_by_subject(run.entries(), "WarningNotice")
    chosen = [entry for entry in newest if status in (None, entry.data["status"])]
    items = [WarningInfo.of(entry, run.about.utc_offset_ms) for entry in page.of(chosen)]
    return WarningList(total=len(chosen), items=items)


@router.post(
    "/warnings/{warning}/{verdict}",
    status_code=http.HTTP_202_ACCEPTED,
    summary="Approve, reject or cancel a warning",
)
def judge_warning(
    run: DrivenRun, warning: str, verdict: Verdict, body: NewAct | None = None
) -> ActInfo:
    """Let a warning out, keep it in, or take it back with the next tick.

    409 when its status does not allow it: only one that waits for approval can be approved or
    rejected.
    """
    newest = {entry.subject: entry for entry in newest_by_subject(run.entries(), "WarningNotice")}
    if warning not in newest:
        raise ProblemError(
            404,
            "unknown-warning",
            f"run {run.id} has no warning {warning!r}; GET /runs/{run.id}/warnings lists them",
            warning=warning,
        )
    stands, body = WarningStatus(newest[warning].data["status"]), body or NewAct()
    if stands not in _ALLOWED[verdict] and not is_known(run, body.id):
        allowed = ", ".join(sorted(_ALLOWED[verdict]))
        raise ProblemError(
            409,
            "refused",
            f"warning {warning} is {stands.value}: {verdict.value} needs one that is {allowed}",
            warning=warning,
            status_now=stands.value,
        )
    return act_on(run, OperatorActKind(verdict.value), warning, body)
