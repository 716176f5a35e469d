"""Every error is a problem details object that names the thing, the value and the fix."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.problems import MEDIA_TYPE
from sensors.errors import TransportError
from tests.unit.api_runs import QUIET, ApiClient, client_of, recorded_run

LIVE = "/runs/{live}"
BURST = {"kind": "burst", "element": "P0001", "outflow_m3_h": 5.0}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiClient]:
    """Yield a client of a server with the recording `r1`, a live run and routes that fail."""
    runs = tmp_path_factory.mktemp("runs")
    recorded_run(runs / "r1")
    with client_of(runs, most_bytes=5_000) as client:
        client.app.add_api_route("/defect", lambda: QUIET["no"])
        client.app.add_api_route("/failure", fail)
        made = client.post("/runs", json={"scenario": QUIET, "start": False})
        client.live = made.json()["id"]  # type: ignore[attr-defined]
        yield client


def fail() -> None:
    raise TransportError("broker b1 is gone; start it", retryable=True)


CASES: list[tuple[str, str, Any, int, str, str]] = [
    ("GET", "/nothing", None, 404, "no-such-route", "/docs"),
    ("DELETE", "/runs", None, 405, "method-not-allowed", "takes GET, POST, not DELETE"),
    ("GET", "/runs/none", None, 404, "unknown-run", "'none'"),
    ("GET", "/runs/..%2f..%2fetc", None, 404, "no-such-route", "/docs"),
    ("GET", "/runs/%2e%2e", None, 404, "unknown-run", "GET /runs"),
    ("POST", "/runs/r1/start", None, 409, "recording-only", "r1 is a recording"),
    ("POST", f"{LIVE}/pause", None, 409, "wrong-state", "is created: pause needs"),
    ("GET", "/runs/r1/incidents/none", None, 404, "unknown-incident", "'none'"),
    ("GET", "/runs/r1/incidents?status=odd", None, 422, "invalid-request", "query.status"),
    ("GET", "/runs/r1/alarms?limit=0", None, 422, "invalid-request", "query.limit"),
    ("GET", "/runs/r1/devices/none/readings", None, 404, "unknown-device", "'none'"),
    ("GET", "/runs/r1/reports/none", None, 404, "unknown-report", "'none'"),
    ("GET", "/runs/r1/events?after=x", None, 422, "invalid-request", "query.after"),
    ("POST", "/runs", {}, 422, "invalid-request", "body.scenario: missing; add it"),
    ("POST", "/runs", {"scenario": "x", "sed": 1}, 422, "invalid-request", "body.sed: unknown"),
    ("POST", "/runs", {"scenario": "x"}, 422, "unknown-scenario", "water-burst"),
    ("POST", "/runs", {"scenario": "../x"}, 422, "unknown-scenario", "'../x'"),
    ("POST", "/runs", {"scenario": QUIET, "pace": "fast"}, 422, "invalid-request", "'fast'"),
    ("POST", "/runs", {"scenario": QUIET, "pace": -1}, 422, "invalid-request", "above 0"),
    ("POST", "/runs", {"scenario": QUIET, "pace": "inf"}, 422, "invalid-request", "'inf'"),
    ("POST", "/runs", {"scenario": QUIET, "city": "../.."}, 422, "unknown-city", "'../..'"),
    (
        "POST",
        "/runs",
        {"scenario": {**QUIET, "duration": "soon"}},
        422,
        "invalid-scenario",
        "scenario: duration: use a duration such as 45s",
    ),
    (
        "POST",
        "/runs",
        {"scenario": {**QUIET, "pace": "fast"}},
        422,
        "invalid-scenario",
        "pace: pace 'fast'",
    ),
    (
        "POST",
        "/runs",
        {"scenario": {**QUIET, "city": {"inp": "/etc/passwd"}}},
        422,
        "foreign-file",
        "may only generate its city",
    ),
    *(
        ("POST", "/runs", {"scenario": {**QUIET, **part}}, 422, "foreign-file", key)
        for part, key in (
            ({"profile": "/etc/fleet.yaml"}, "scenario.profile"),
            ({"fault_rates": "../rates.YML"}, "scenario.fault_rates"),
            ({"compose": [{"scenario": "../secret"}]}, "scenario.compose.0.scenario"),
            ({"compose": [{"scenario": "c:\\x"}]}, "scenario.compose.0.scenario"),
            ({"storms": [{"kind": "hourly", "file": "/etc/passwd"}]}, "scenario.storms.0.file"),
        )
    ),
    (
        "POST",
        f"{LIVE}/incidents",
        {**BURST, "element": "P9001"},
        404,
        "unknown-element",
        "'P9001' does not exist",
    ),
    (
        "POST",
        f"{LIVE}/incidents",
        {**BURST, "element": "J0001"},
        422,
        "cannot-happen",
        "burst needs a pipe",
    ),
    (
        "POST",
        f"{LIVE}/incidents",
        {"kind": "burst", "element": "P0001"},
        422,
        "invalid-incident",
        "outflow_m3_h and share_of_demand",
    ),
    (
        "POST",
        f"{LIVE}/incidents",
        {**BURST, "after": "30m"},
        422,
        "cannot-happen",
        "after the end of the run",
    ),
    (
        "POST",
        f"{LIVE}/incidents",
        {**BURST, "after": "later"},
        422,
        "invalid-request",
        "use a duration",
    ),
    ("POST", f"{LIVE}/step", {"ticks": 0}, 422, "invalid-request", "body.ticks"),
    ("PUT", f"{LIVE}/pace", {"pace": "no"}, 422, "invalid-request", "'no'"),
    ("POST", "/runs", {"scenario": "x" * 6_000}, 413, "too-large", "5000 bytes"),
    ("GET", "/failure", None, 500, "run-failed", "broker b1 is gone; start it"),
    ("GET", "/defect", None, 500, "defect", "KeyError"),
]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "kind", "words"),
    CASES,
    ids=[f"{kind}-{number}" for number, (*_, kind, _) in enumerate(CASES)],
)
def test_an_error_is_a_problem(
    client: ApiClient, method: str, path: str, body: Any, status: int, kind: str, words: str
) -> None:
    asked = path.format(live=client.live)  # type: ignore[attr-defined]
    answer = client.request(method, asked, json=body)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == MEDIA_TYPE
    content = answer.json()
    assert content["type"] == f"urn:tocsin:problem:{kind}"
    assert content["status"] == status
    assert content["title"]
    assert words in content["detail"]
    assert content["instance"].startswith("/")


def test_an_unknown_element_names_close_ones(client: ApiClient) -> None:
    path = f"/runs/{client.live}/incidents"  # type: ignore[attr-defined]
    content = client.post(path, json={**BURST, "element": "P00001"}).json()
    assert content["element"] == "P00001"
    assert "P0001" in content["close"]


def test_an_event_number_that_is_none_is_refused(client: ApiClient) -> None:
    answer = client.get("/runs/r1/events", headers={"Last-Event-ID": "ten"})
    assert (answer.status_code, answer.headers["content-type"]) == (422, MEDIA_TYPE)
    assert "'ten'" in answer.json()["detail"]


def test_a_report_in_no_form_we_have_is_refused(client: ApiClient) -> None:
    answer = client.get("/runs/r1/reports/B-1", headers={"Accept": "image/png"})
    assert answer.status_code == 406
    assert "text/markdown" in answer.json()["detail"]


def test_a_method_that_is_not_allowed_names_those_that_are(client: ApiClient) -> None:
    assert client.request("PUT", "/runs/r1").headers["allow"] == "GET"


def test_several_mistakes_are_told_at_once(client: ApiClient) -> None:
    content = client.post("/runs", json={"seed": -1, "pace": "fast"}).json()
    assert [item["where"] for item in content["errors"]] == [
        "body.scenario",
        "body.seed",
        "body.pace",
    ]


def test_a_body_that_is_not_json_is_told_so(client: ApiClient) -> None:
    answer = client.post("/runs", content=b"{no", headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert "JSON" in answer.json()["detail"]


def test_too_many_runs_are_refused(tmp_path: Path) -> None:
    with client_of(tmp_path, most_live=1) as client:
        body = {"scenario": QUIET, "start": False}
        first = client.post("/runs", json=body).json()["id"]
        answer = client.post("/runs", json=body)
        assert answer.status_code == 409
        assert answer.json()["live"] == [first]
