"""Routes: what a client sees of a recorded run, and how it drives a live one."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.plan import write_city
from sensors.registry import Registry
from tests.unit.api_runs import (
    ALARM,
    INCIDENT,
    ORDER,
    QUIET,
    START_MS,
    ApiClient,
    client_of,
    log,
    quiet_plan,
    recorded_run,
)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiClient]:
    """Yield a client of a server that found the run `r1`."""
    runs = tmp_path_factory.mktemp("runs")
    recorded_run(runs / "r1")
    with client_of(runs) as client:
        yield client


@pytest.fixture
def live(tmp_path: Path) -> Iterator[ApiClient]:
    """Yield a client of a server without runs."""
    with client_of(tmp_path / "runs", cities=tmp_path / "cities") as client:
        yield client


def make(client: ApiClient, **changes: Any) -> str:
    """Make a quiet run that waits, and return its path."""
    answer = client.post("/runs", json={"scenario": QUIET, "start": False, **changes})
    assert answer.status_code == 201, answer.text
    location: str = answer.headers["location"]
    return location


def events_of(text: str) -> list[dict[str, str]]:
    """Return the events of a stream as field → value; comments are left out."""
    blocks = [block for block in text.replace("\r\n", "\n").split("\n\n") if block]
    lines = [[line for line in block.split("\n") if line[0] != ":"] for block in blocks]
    return [dict(line.split(": ", 1) for line in block) for block in lines if block]


# A recorded run.


def test_a_recording_is_listed_and_shown_alike(recorded: ApiClient) -> None:
    listed = recorded.get("/runs").json()
    shown = recorded.get("/runs/r1").json()
    assert listed == {"total": 1, "items": [shown]}
    assert (shown["state"], shown["progress"]) == ("finished", 1.0)
    assert shown["event_time"] == "2026-06-01T00:30:00+08:00"
    assert shown["summary"]["seed"] == 5


def test_alarms_are_shown_in_their_newest_state(recorded: ApiClient) -> None:
    page = recorded.get("/runs/r1/alarms").json()
    assert [(item["id"], item["state"]) for item in page["items"]] == [(ALARM, "cleared")]
    assert page["items"][0]["before"] is None
    assert page["items"][0]["level_text"] == "III yellow"
    assert recorded.get("/runs/r1/alarms?state=raised").json() == {"total": 0, "items": []}


def test_incidents_can_be_chosen_by_status(recorded: ApiClient) -> None:
    def ids(query: str) -> list[str]:
        return [item["id"] for item in recorded.get(f"/runs/r1/incidents{query}").json()["items"]]

    assert ids("") == [INCIDENT, "I-D02-9"]
    assert ids("?status=closed") == [INCIDENT]
    assert ids("?status=confirmed") == []


def test_an_incident_is_shown_with_its_timeline(recorded: ApiClient) -> None:
    story = recorded.get(f"/runs/r1/incidents/{INCIDENT}").json()
    assert story["incident"]["version"] == 3
    assert story["incident"]["location"]["candidates"] == ["P0001"]
    kinds = [entry["kind"] for entry in story["timeline"]]
    assert kinds[0] == "Alarm"
    assert kinds[-1] == "Incident"
    assert len(kinds) == len(log()) - 2
    assert story["timeline"][0]["time"] == "2026-06-01T00:00:00.001+08:00"


def test_an_order_carries_its_decision_and_its_feedback(recorded: ApiClient) -> None:
    (order,) = recorded.get("/runs/r1/orders").json()["items"]
    assert (order["id"], order["state"], order["team"]) == (ORDER, "done", "T01")
    assert order["considered"] == {"T01": "chosen"}
    assert [item["kind"] for item in order["feedback"]] == ["accepted", "done"]


def test_the_evaluation_has_cases_before_it_has_a_run(recorded: ApiClient) -> None:
    evaluation = recorded.get("/runs/r1/evaluation").json()
    assert evaluation["run"] is None
    assert [case["truth"] for case in evaluation["cases"]] == ["B1"]
    assert evaluation["stages"]["supervise"] == 1


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("*/*", "text/markdown"),
        ("text/markdown", "text/markdown"),
        ("text/html, text/*;q=0.5", "text/markdown"),
        ("application/json", "application/json"),
        ("text/markdown;q=0.2, application/json;q=0.9", "application/json"),
        ("text/markdown;q=x, application/json", "application/json"),
    ],
)
def test_a_report_comes_as_the_client_likes_it(
    recorded: ApiClient, accept: str, media_type: str
) -> None:
    answer = recorded.get("/runs/r1/reports/B-1", headers={"Accept": accept})
    assert answer.headers["content-type"].split(";")[0] == media_type
    if media_type == "text/markdown":
        assert answer.text == "# Title\n"
    else:
        assert answer.json()["fields"] == {"place": "P0001"}


def test_a_report_that_is_no_warning_is_not_to_be_had_as_cap(recorded: ApiClient) -> None:
    answer = recorded.get("/runs/r1/reports/B-1", headers={"Accept": "application/cap+xml"})
    assert answer.status_code == 406
    assert "text/markdown or application/json" in answer.json()["detail"]


def test_reports_are_listed_by_their_heads(recorded: ApiClient) -> None:
    items = recorded.get("/runs/r1/reports").json()["items"]
    assert [(item["id"], item["kind"]) for item in items] == [
        ("B-1", "flash"),
        ("B-run-1", "summary"),
    ]
    assert "markdown" not in items[0]


def test_devices_can_be_chosen_and_paged(recorded: ApiClient) -> None:
    registry: Registry = quiet_plan().registry
    whole = recorded.get("/runs/r1/devices?limit=1000").json()
    assert [item["id"] for item in whole["items"]] == list(registry.ids)
    part = recorded.get("/runs/r1/devices?offset=2&limit=3").json()
    assert part == {"total": len(registry), "items": whole["items"][2:5]}
    flows = recorded.get("/runs/r1/devices?kind=dma_flow").json()
    assert flows["total"] == len(registry.where("kind", "dma_flow")) > 0
    assert {item["unit"] for item in flows["items"]} == {"m3/h"}
    assert recorded.get("/runs/r1/devices?area=nowhere").json()["total"] == 0


def test_readings_of_a_recording_come_from_its_parts(recorded: ApiClient) -> None:
    device = quiet_plan().registry.ids[0]
    path = f"/runs/r1/devices/{device}/readings"
    series = recorded.get(path).json()
    assert [item["value"] for item in series["items"]] == [0.0, 0.1, 0.2]
    assert series["items"][1]["time_ms"] == START_MS + 60_000
    window = recorded.get(f"{path}?from={START_MS + 1}&to={START_MS + 60_000}").json()
    assert [item["value"] for item in window["items"]] == [0.1]
    newest = recorded.get(f"{path}?limit=1").json()
    assert [item["value"] for item in newest["items"]] == [0.2]


def test_the_network_is_geojson_with_the_ids_that_incidents_need(recorded: ApiClient) -> None:
    answer = recorded.get("/runs/r1/network?kind=pipe")
    assert answer.headers["content-type"] == "application/geo+json"
    pipes = {row["id"] for row in quiet_plan().city.rows("links") if row["kind"] == "pipe"}
    features = answer.json()["features"]
    assert {feature["id"] for feature in features} == pipes
    assert {feature["geometry"]["type"] for feature in features} == {"LineString"}
    nodes = recorded.get("/runs/r1/network?kind=junction").json()["features"]
    assert {feature["geometry"]["type"] for feature in nodes} == {"Point"}


def test_scenarios_have_the_names_that_runs_take(recorded: ApiClient) -> None:
    names = [item["name"] for item in recorded.get("/scenarios").json()["items"]]
    assert "water-burst" in names
    assert names == sorted(names)


# The stream of events.


def test_the_stream_has_every_entry_and_then_ends(recorded: ApiClient) -> None:
    answer = recorded.get("/runs/r1/events")
    assert answer.headers["content-type"].startswith("text/event-stream")
    *entries, end = events_of(answer.text)
    assert [int(event["id"]) for event in entries] == [entry.seq for entry in log()]
    assert [event["event"] for event in entries] == [entry.stage for entry in log()]
    assert json.loads(entries[4]["data"])["data"]["order"]["id"] == ORDER
    assert end == {"event": "end", "data": '{"state":"finished"}'}


@pytest.mark.parametrize(
    ("query", "headers", "first"),
    [
        ("?after=3", {}, 4),
        ("", {"Last-Event-ID": "3"}, 4),
        ("?after=1", {"Last-Event-ID": "3"}, 4),
        ("?after=-1", {}, 0),
    ],
)
def test_a_stream_goes_on_where_the_client_was(
    recorded: ApiClient, query: str, headers: dict[str, str], first: int
) -> None:
    events = events_of(recorded.get(f"/runs/r1/events{query}", headers=headers).text)
    assert int(events[0]["id"]) == first


def test_a_client_that_reconnects_after_the_end_is_told_to_stay_away(recorded: ApiClient) -> None:
    last = str(log()[-1].seq)
    assert recorded.get("/runs/r1/events", headers={"Last-Event-ID": last}).status_code == 204
    asked = recorded.get(f"/runs/r1/events?after={last}")
    assert [event["event"] for event in events_of(asked.text)] == ["end"]


# A live run.


def test_a_run_is_made_started_and_followed_to_its_end(live: ApiClient) -> None:
    path = make(live)
    assert live.get(path).json()["state"] == "created"
    assert live.post(f"{path}/step", json={"ticks": 2}).json()["state"] == "paused"
    assert live.post(f"{path}/step").json()["ticks"] == 3
    assert live.post(f"{path}/start").json()["state"] == "running"
    *entries, end = events_of(live.get(f"{path}/events").text)
    assert json.loads(end["data"]) == {"state": "finished"}
    run = live.get(path).json()
    assert (run["state"], run["progress"], run["ticks"]) == ("finished", 1.0, 30)
    assert run["events"] == len(entries)
    assert run["summary"]["scenario"] == "quiet"
    assert live.get(f"{path}/reports/B-run-1").status_code == 200


def test_readings_of_a_live_run_come_as_it_goes(live: ApiClient) -> None:
    path = make(live)
    device = quiet_plan().registry.ids[0]
    assert live.get(f"{path}/devices/{device}/readings").json()["items"] == []
    live.post(f"{path}/step", json={"ticks": 12})
    before = live.get(f"{path}/devices/{device}/readings").json()["items"]
    assert len(before) >= 2
    live.post(f"{path}/stop")
    assert live.get(f"{path}/devices/{device}/readings").json()["items"] == before


def test_pace_and_pause_are_told_at_once(live: ApiClient) -> None:
    path = make(live, pace=60, start=True)
    assert live.post(f"{path}/pause").json()["state"] == "paused"
    answer = live.request("PUT", f"{path}/pace", json={"pace": "120"})
    assert answer.json()["pace"]["asked"] == "120"
    stopped = live.post(f"{path}/stop").json()
    assert stopped["state"] == "stopped"
    assert stopped["summary"]["complete"] is False


def test_an_incident_is_injected_into_the_world_in_event_time(live: ApiClient) -> None:
    path = make(live)
    live.post(f"{path}/step", json={"ticks": 2})
    body = {"kind": "burst", "element": "P0001", "outflow_m3_h": 40, "after": "3m", "id": "mine"}
    answer = live.post(f"{path}/incidents", json=body)
    assert answer.status_code == 201
    assert answer.json() == {
        "id": "mine",
        "kind": "burst",
        "element": "P0001",
        "onset": "2026-06-01T00:05:00+08:00",
        "onset_ms": START_MS + 300_000,
        "outflow_m3_h": 40.0,
        "amount": 0.0,
    }


def test_a_gas_leak_is_injected_by_its_amount(live: ApiClient) -> None:
    path = make(live, scenario={**QUIET, "city": {"generate": {"corners": 60, "seed": 7}}})
    body = {"kind": "gas_pinhole", "element": "GPL00001"}
    answer = live.post(f"{path}/incidents", json=body)
    assert answer.status_code == 422
    assert "hole diameter in mm" in answer.json()["detail"]
    wrong = live.post(f"{path}/incidents", json={**body, "element": "GPL1", "amount": 5})
    assert wrong.status_code == 404
    assert all(name.startswith("GP") for name in wrong.json()["close"])
    assert live.post(f"{path}/incidents", json={**body, "amount": 5}).json()["amount"] == 5.0


def test_a_share_of_demand_is_of_the_whole_town(live: ApiClient) -> None:
    path = make(live)
    body = {"kind": "burst", "element": "P0001", "share_of_demand": 0.5}
    outflow = live.post(f"{path}/incidents", json=body).json()["outflow_m3_h"]
    demand = sum(row["base_demand_m3_h"] or 0.0 for row in quiet_plan().city.rows("nodes"))
    assert outflow == pytest.approx(0.5 * demand)


def test_a_scenario_may_leave_out_its_city_and_format(live: ApiClient) -> None:
    scenario = {key: QUIET[key] for key in ("name", "start", "duration")}
    path = make(live, scenario=scenario, seed=9)
    run = live.get(path).json()
    assert (run["city"], run["seed"]) == ("town7", 9)


def test_a_scenario_of_the_library_runs_in_a_city_that_is_named(
    live: ApiClient, tmp_path: Path
) -> None:
    plan = quiet_plan(city={"generate": {"junctions": 40, "seed": 3}})
    write_city(tmp_path / "cities" / "mine", plan.city, plan.registry)
    path = make(live, scenario="water-burst", city="mine")
    assert live.get(path).json()["city"] == "town3"
