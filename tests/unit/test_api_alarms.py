"""Alarm management over HTTP: how alarms stand, acts, silences, approval, rules."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from api.plan import write_plan
from api.results import write_result
from pipeline.event_log import EventLog
from pipeline.messages import (
    Alarm,
    AlarmState,
    Message,
    OperatorAct,
    OperatorActKind,
    WarningStatus,
)
from pipeline.ports import LogEntry
from pipeline.runners.told import enter
from pipeline.warn.management.desk import AlarmDesk
from sensors.levels import Level
from tests.unit import alarm_stories as story
from tests.unit.api_runs import QUIET, START_MS, ApiClient, client_of, quiet_plan
from tests.unit.loop_messages import warning

MIN = 60_000
A, B, C = story.DEVICES["D01"][:3]
LOUD, QUIET_ONE = f"{A}/p/{START_MS}", f"{B}/p/{START_MS}"


def an_alarm(device: str, minute: int = 0, state: AlarmState = AlarmState.RAISED) -> Alarm:
    return story.alarm(device, state=state, raised_ms=START_MS + minute * MIN)


def log() -> list[LogEntry]:
    """Return a log the alarm desk wrote: two alarms, one grouped, one chatters; a silence."""
    desk = AlarmDesk(story.REGISTRY, story.rule_set())
    chain, entries = EventLog(), list[LogEntry]()

    def tick(minute: int, *messages: Alarm | OperatorAct) -> None:
        acts = [one for one in messages if isinstance(one, OperatorAct)]
        for act in acts:
            desk.take(act)
        entries.extend(enter(chain, acts))
        alarms = [one for one in messages if isinstance(one, Alarm)]
        said: list[Message] = desk.handle(alarms, START_MS + minute * MIN)
        entries.extend(chain.add(one) for one in said)  # type: ignore[arg-type]

    fields: dict[str, Any] = {"by": "li", "why": "works", "time_ms": START_MS + MIN}
    silence = OperatorAct("s1", OperatorActKind.SILENCE, "", matchers={"area": "D02"}, **fields)
    ack = OperatorAct("a1", OperatorActKind.ACKNOWLEDGE, LOUD, **fields)
    tick(0, an_alarm(A), an_alarm(B))
    tick(1, replace(silence, until_ms=START_MS + 60 * MIN), ack)
    for minute in (2, 4, 6):
        tick(minute, an_alarm(C, minute))
        tick(minute + 1, replace(an_alarm(C, minute), state=AlarmState.CLEARED))
    notice = warning(status=WarningStatus.AWAITING_APPROVAL)
    entries.append(chain.add(replace(notice, time_ms=START_MS + 8 * MIN)))
    return entries


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiClient]:
    runs = tmp_path_factory.mktemp("runs")
    folder = runs / "r1"
    folder.mkdir()
    write_plan(folder, quiet_plan())
    facts = {"scenario": "quiet", "city": "town7", "seed": 5, "complete": True}
    write_result(folder, {**facts, "readings": {"received": 6}}, log(), {})
    with client_of(runs) as client:
        yield client


@pytest.fixture
def live(tmp_path: Path) -> Iterator[tuple[ApiClient, str]]:
    with client_of(tmp_path / "runs") as client:
        answer = client.post("/runs", json={"scenario": QUIET, "start": False})
        yield client, answer.headers["location"]


def ids(client: ApiClient, query: str) -> list[str]:
    answer = client.get(f"/runs/r1/alarms{query}")
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


def test_alarms_are_listed_with_their_standing(recorded: ApiClient) -> None:
    items = {one["id"]: one for one in recorded.get("/runs/r1/alarms").json()["items"]}
    assert (items[LOUD]["standing"], items[LOUD]["held"]) == ("acknowledged", "")
    assert (items[QUIET_ONE]["standing"], items[QUIET_ONE]["held"]) == ("unacknowledged", "grouped")
    assert items[f"{C}/p/{START_MS + 2 * MIN}"]["standing"] == "normal"
    assert items[f"{C}/p/{START_MS + 6 * MIN}"]["standing"] == "returned_unacknowledged"


def test_alarms_can_be_chosen(recorded: ApiClient) -> None:
    assert ids(recorded, "?standing=acknowledged") == [LOUD]
    assert ids(recorded, "?standing=acknowledged&standing=unacknowledged") == [LOUD, QUIET_ONE]
    assert ids(recorded, f"?device={B[:-1]}*&state=raised&told=false") == [LOUD, QUIET_ONE][1:]
    assert ids(recorded, "?area=D02") == []
    assert ids(recorded, f"?level=yellow&told=true&device={A}") == [LOUD]


def test_figures_chattering_and_silences_come_from_the_log(recorded: ApiClient) -> None:
    figures = recorded.get("/runs/r1/alarms/kpis?operators=1").json()["figures"]
    assert (figures["activations"], figures["announced"]) == (5, 1)
    assert figures["held"] == {"chattering": 1, "grouped": 3}
    assert figures["ack_min"] == 1.0
    (one,) = recorded.get("/runs/r1/alarms/chattering").json()["items"]
    assert (one["device"], one["since_ms"]) == (C, START_MS + 6 * MIN)
    assert recorded.get("/runs/r1/alarms/stale").json() == {"total": 0, "items": []}
    (silence,) = recorded.get("/runs/r1/silences").json()["items"]
    assert (silence["id"], silence["until"]) == ("s1", "2026-06-01T01:00:00+08:00")
    (notice,) = recorded.get("/runs/r1/warnings?status=awaiting_approval").json()["items"]
    assert notice["level"] == Level(notice["level"])


def test_a_recording_takes_no_acts(recorded: ApiClient) -> None:
    assert recorded.post(f"/runs/r1/alarms/{LOUD}/shelve").status_code == 409
    silence = {"matchers": {"area": "D01"}, "minutes": 5}
    assert recorded.post("/runs/r1/silences", json=silence).status_code == 409


def test_a_silence_is_made_listed_and_ended(live: tuple[ApiClient, str]) -> None:
    client, run = live
    body = {"matchers": {"area": "D01"}, "minutes": 20, "by": "li", "id": "works"}
    answer = client.post(f"{run}/silences", json=body)
    assert answer.status_code == 202
    assert answer.json()["until_ms"] == START_MS + 20 * MIN
    client.post(f"{run}/silences", json=body)  # the same id: once
    client.post(f"{run}/step", json={"ticks": 1})
    assert [one["id"] for one in client.get(f"{run}/silences").json()["items"]] == ["works"]
    assert client.request("DELETE", f"{run}/silences/other").status_code == 404
    assert client.request("DELETE", f"{run}/silences/works").status_code == 202
    client.post(f"{run}/step", json={"ticks": 1})
    assert client.get(f"{run}/silences").json()["total"] == 0
    events = client.post(f"{run}/stop").json()["events"]
    assert events >= 2


@pytest.mark.parametrize(
    ("path", "body", "status", "kind"),
    [
        ("/alarms/X/p/1/acknowledge", {}, 404, "unknown-alarm"),
        ("/alarms/X/p/1/eat", {}, 422, "invalid-request"),
        ("/alarms/acknowledge", {"matchers": {"area": "D01"}}, 404, "no-such-alarm"),
        ("/alarms/acknowledge", {"matchers": {"colour": "red"}}, 422, "invalid-request"),
        ("/silences", {"matchers": {}, "minutes": 5}, 422, "invalid-request"),
        ("/warnings/W-1/approve", {}, 404, "unknown-warning"),
    ],
)
def test_what_cannot_be_done_is_told_as_a_problem(
    live: tuple[ApiClient, str], path: str, body: dict[str, Any], status: int, kind: str
) -> None:
    client, run = live
    answer = client.post(f"{run}{path}", json=body)
    assert (answer.status_code, answer.json()["type"]) == (status, f"urn:tocsin:problem:{kind}")


def test_a_wrong_rule_file_is_refused_with_line_key_value_and_fix(
    live: tuple[ApiClient, str],
) -> None:
    client, run = live
    rules = client.get(f"{run}/rules").json()
    assert rules.get("rules"), rules
    text = "format: 1\nextends: national\nversion: '9'\nalarms:\n  operators: many\n"
    answer = client.request("PUT", f"{run}/rules", json={"text": text, "source": "mine.yaml"})
    problem = answer.json()
    assert answer.status_code == 422, problem
    assert problem["type"] == "urn:tocsin:problem:invalid-rules"
    assert (problem["file"], problem["line"]) == ("mine.yaml", 5)
    assert "operators" in problem["key"]
    assert "many" in problem["value"]
    assert problem["mistakes"][0]["fix"] == problem["fix"] != ""


def test_rules_are_changed_while_a_run_goes_on(live: tuple[ApiClient, str]) -> None:
    client, run = live
    before = client.get(f"{run}/rules").json()
    text = "format: 1\nextends: national\nversion: '9'\n"
    answer = client.request("PUT", f"{run}/rules", json={"text": text, "source": "mine.yaml"})
    assert answer.status_code == 202, answer.text
    assert answer.json()["version"] == "9"
    client.post(f"{run}/step", json={"ticks": 2})
    after = client.get(f"{run}/rules").json()
    assert (after["source"], after["version"]) == ("mine.yaml", "9")
    assert after["rules"] == before["rules"]


def test_an_alarm_is_shelved_in_a_run_and_shows_in_its_metrics(tmp_path: Path) -> None:
    with client_of(tmp_path / "runs") as client:
        body = {"scenario": {**QUIET, "duration": "2h"}, "start": False}
        run = client.post("/runs", json=body).headers["location"]
        network = client.get(f"{run}/devices?kind=network_pressure&limit=1").json()
        area = network["items"][0]["area"]
        pipes = [row["id"] for row in quiet_plan().city.rows("links") if row["area"] == area]
        burst = {
            "kind": "burst",
            "element": pipes[len(pipes) // 2],
            "share_of_demand": 3.0,
            "after": "12m",
        }
        assert client.post(f"{run}/incidents", json=burst).status_code == 201
        for _ in range(9):
            client.post(f"{run}/step", json={"ticks": 8})
            query = "standing=unacknowledged&standing=acknowledged&limit=1"
            found = client.get(f"{run}/alarms?{query}").json()["items"]
            if found:
                break
        name = found[0]["id"]
        path = f"{run}/alarms/{name}"
        assert client.post(f"{path}/reset").json()["reason"] == "refused_still_in_alarm"
        answer = client.post(f"{path}/shelve", json={"minutes": 5, "by": "wang", "why": "checked"})
        assert (answer.status_code, answer.json()["target"]) == (202, name)
        client.post(f"{run}/step", json={"ticks": 1})
        shelved = client.get(f"{run}/alarms?standing=shelved").json()["items"]
        assert [one["id"] for one in shelved] == [name]
        assert shelved[0]["until_ms"] == answer.json()["until_ms"]
        again = client.post(f"{path}/shelve")
        assert (again.status_code, again.json()["reason"]) == (409, "refused_is_shelved")
        text = client.get("/metrics").text
        assert f'tocsin_alarms{{run="{run.split("/")[-1]}",standing="shelved"}} 1.0' in text
        client.post(f"{run}/step", json={"ticks": 6})
        assert client.get(f"{run}/alarms?standing=shelved").json()["total"] == 0
