"""Errors as problem details (RFC 9457): every error of the interface looks the same."""

import json
import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import compile_path

from pipeline.errors import PipelineError
from sensors.errors import RegistryError, SensorsError
from simulator.errors import ScenarioError, SimulatorError

MEDIA_TYPE = "application/problem+json"
_LOG = logging.getLogger(__name__)
_SHOWN_CHARS = 80


class ProblemError(HTTPException):
    """An error a client is told: status, kind (the last word of `type`), detail, extra members."""

    def __init__(self, status: int, kind: str, detail: str, **members: Any) -> None:
        headers = members.pop("headers", None)
        super().__init__(status, detail, headers)
        self.kind, self.members = kind, members


def problem(
    status: int,
    kind: str,
    detail: str,
    *,
    instance: str,
    members: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return a problem details response; `kind` becomes the URN in `type`."""
    content = {
        "type": f"urn:tocsin:problem:{kind}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "instance": instance,
        **(members or {}),
    }
    body = json.dumps(content, ensure_ascii=False).encode()
    return Response(body, status, headers=dict(headers or {}), media_type=MEDIA_TYPE)


def install_problems(app: FastAPI) -> None:
    """Let every error of `app` leave as problem details."""
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(RequestValidationError, _of_validation)
    for kind in (ScenarioError, RegistryError):
        app.add_exception_handler(kind, _of_wrong_file)
    for failure in (SimulatorError, SensorsError, PipelineError):
        app.add_exception_handler(failure, _of_failure)
    app.add_exception_handler(Exception, _of_defect)


async def _of_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    path = request.url.path
    if isinstance(error, ProblemError):
        kind, detail, members = error.kind, error.detail, error.members
    elif error.status_code == 404:
        kind, members = "no-such-route", {}
        detail = f"nothing at {path}; /docs lists what there is"
    elif error.status_code == 405:
        kind, members = "method-not-allowed", {}
        allowed = _methods_of(request)
        detail = f"{path} takes {allowed}, not {request.method}"
        error.headers = {"Allow": allowed}
    else:
        kind, detail, members = "refused", str(error.detail), {}
    return problem(
        error.status_code,
        kind,
        detail,
        instance=path,
        members=members,
        headers=error.headers,
    )


def _methods_of(request: Request) -> str:
    """Return what a path takes; the router itself names only the first route that fits."""
    found = set[str]()
    for template, operations in request.app.openapi()["paths"].items():
        if compile_path(template)[0].fullmatch(request.url.path):
            found |= {method.upper() for method in operations}
    return ", ".join(sorted(found)) or "other methods"


async def _of_validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    errors = [_explained(item) for item in error.errors()]
    detail = "; ".join(f"{item['where']}: {item['message']}" for item in errors)
    return problem(
        422, "invalid-request", detail, instance=request.url.path, members={"errors": errors}
    )


def _explained(item: Mapping[str, Any]) -> dict[str, str]:
    where = ".".join(str(part) for part in item["loc"])
    message = str(item["msg"]).removeprefix("Value error, ")
    if item["type"] == "missing":
        return {"where": where, "message": "missing; add it", "value": ""}
    if item["type"] == "extra_forbidden":
        message = "unknown; remove it, or see /docs for the names"
    return {"where": where, "message": message, "value": repr(item.get("input"))[:_SHOWN_CHARS]}


async def _of_wrong_file(request: Request, error: Exception) -> Response:
    return problem(422, "invalid-scenario", str(error), instance=request.url.path)


async def _of_failure(request: Request, error: Exception) -> Response:
    _LOG.error("%s: %s", request.url.path, error)
    return problem(500, "run-failed", str(error), instance=request.url.path)


async def _of_defect(request: Request, error: Exception) -> Response:
    detail = f"a defect of the server ({type(error).__name__}); its log has the traceback"
    return problem(500, "defect", detail, instance=request.url.path)
