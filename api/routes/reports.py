"""Reports of a run: Markdown for people, JSON for programs, CAP for other warning systems."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request, Response

from api.casebook import of_kind
from api.problems import ProblemError
from api.routes.dependencies import AnyRun, PageAsked
from api.schemas.report import Report, ReportInfo, ReportList

router = APIRouter(prefix="/runs/{run_id}/reports", tags=["report"])

_MARKDOWN, _JSON, _CAP = "text/markdown", "application/json", "application/cap+xml"
_SHOWN: dict[str, Any] = {
    _MARKDOWN: {"schema": {"type": "string"}, "example": "# 快报 · Flash report: a main burst\n"},
    _JSON: {"schema": {"$ref": "#/components/schemas/Report"}},
    _CAP: {"schema": {"type": "string"}, "example": '<alert xmlns="...">...</alert>'},
}


@router.get("", summary="List reports")
def list_reports(run: AnyRun, page: PageAsked) -> ReportList:
    """List warning notices, flash, follow-up and final reports and the summary of the run."""
    entries = of_kind(run.entries(), "Bulletin")
    offset_ms = run.about.utc_offset_ms
    items = [ReportInfo.of(entry, offset_ms) for entry in page.of(entries)]
    return ReportList(total=len(entries), items=items)


@router.get(
    "/{report}",
    summary="Read a report",
    response_class=Response,
    responses={200: {"model": Report, "content": _SHOWN}},
)
def show_report(run: AnyRun, report: str, request: Request) -> Response:
    """Return a report as Markdown, or as JSON with `Accept: application/json`.

    A warning notice also comes as CAP 1.2 with `Accept: application/cap+xml`.
    """
    accept = request.headers.get("accept", "*/*")
    for entry in of_kind(run.entries(), "Bulletin"):
        if entry.data["id"] != report:
            continue
        cap = entry.data.get("cap", "")
        wanted = _wanted(accept, (_MARKDOWN, _JSON, _CAP) if cap else (_MARKDOWN, _JSON))
        if wanted == _CAP:
            return Response(cap, media_type=_CAP)
        if wanted == _JSON:
            text = Report.of(entry, run.about.utc_offset_ms).model_dump_json()
            return Response(text, media_type=_JSON)
        return Response(entry.data["markdown"], media_type=_MARKDOWN)
    raise ProblemError(
        404,
        "unknown-report",
        f"run {run.id} has no report {report!r}; GET /runs/{run.id}/reports lists them",
        report=report,
    )


def _wanted(accept: str, offered: Sequence[str]) -> str:
    """Return the media type an `Accept` header likes best; the first offered wins a tie."""
    weights = dict.fromkeys(offered, 0.0)
    for item in accept.split(","):
        pattern, *parameters = (part.strip().lower() for part in item.split(";"))
        weight = _weight(parameters)
        for media_type in weights:
            if pattern in ("*/*", media_type, media_type.split("/")[0] + "/*"):
                weights[media_type] = max(weights[media_type], weight)
    if not any(weights.values()):
        raise ProblemError(
            406, "not-acceptable", f"Accept: {accept}: this report comes as {' or '.join(offered)}"
        )
    return max(weights, key=lambda media_type: weights[media_type])


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return float(parameter[2:])
            except ValueError:
                return 0.0
    return 1.0
