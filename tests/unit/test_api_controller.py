"""A run in its own thread: states, commands between ticks, failures, the same recording."""

import json
from pathlib import Path
from typing import Any

import pytest

from api.controller import RunController, RunSetup
from api.problems import ProblemError
from api.run_status import COMMANDS, RunState, state_after
from api.session import RunSession
from pipeline.rules import rules_named
from sensors.ground_truth import TrueKind
from simulator.errors import InjectionError, PhysicsError
from simulator.scenario import IncidentSpec
from tests.unit.api_runs import START_MS, quiet_plan

TICKS = 30
ALLOWED = {
    ("start", RunState.CREATED): RunState.RUNNING,
    ("start", RunState.RUNNING): RunState.RUNNING,
    ("start", RunState.PAUSED): RunState.RUNNING,
    ("pause", RunState.RUNNING): RunState.PAUSED,
    ("pause", RunState.PAUSED): RunState.PAUSED,
    ("step", RunState.CREATED): RunState.PAUSED,
    ("step", RunState.PAUSED): RunState.PAUSED,
    ("stop", RunState.CREATED): RunState.STOPPED,
    ("stop", RunState.RUNNING): RunState.STOPPED,
    ("stop", RunState.PAUSED): RunState.STOPPED,
}


def controller(folder: Path, **setup: Any) -> RunController:
    return RunController("r1", quiet_plan(), folder, RunSetup(**setup))


def finished(run: RunController) -> RunController:
    """Wait for the end of a run."""
    run._thread.join(60.0)
    assert not run._thread.is_alive()
    return run


@pytest.mark.parametrize("state", RunState)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_leads_where_the_table_says_or_is_refused(command: str, state: RunState) -> None:
    if (command, state) in ALLOWED:
        assert state_after(command, state, "r1") is ALLOWED[command, state]
        return
    with pytest.raises(ProblemError, match=f"run r1 is {state.value}: {command} needs") as refused:
        state_after(command, state, "r1")
    assert refused.value.status_code == 409


def test_a_run_goes_by_the_rules_it_is_set_up_with(tmp_path: Path) -> None:
    run = finished(controller(tmp_path / "r1", rules=rules_named("beijing")))
    manifest = json.loads((tmp_path / "r1" / "manifest.json").read_text())
    assert manifest["rules"]["set"] == run.rules.city == "beijing"


def test_a_run_that_is_started_comes_to_its_end(tmp_path: Path) -> None:
    run = finished(controller(tmp_path / "r1"))
    status = run.status()
    assert status.state is RunState.FINISHED
    assert (status.ticks, status.now_ms) == (TICKS, run.about.end_ms)
    assert status.summary is not None
    assert status.summary["complete"] is True
    assert status.readings.received == status.summary["readings"]["received"] > 0
    assert status.events == len(run.entries()) == run.entries()[-1].seq + 1


def test_a_run_waits_for_its_start_and_steps_tick_by_tick(tmp_path: Path) -> None:
    run = controller(tmp_path / "r1", is_started=False, pace="1")
    first = run.step(3)
    assert (first.state, first.ticks) == (RunState.PAUSED, 3)
    assert first.now_ms == START_MS + 3 * 60_000
    assert run.step(2).ticks == 5
    assert first.pace_asked == run.status().pace_asked == "1"
    assert run.stop().state is RunState.STOPPED


def test_steps_beyond_the_end_finish_the_run(tmp_path: Path) -> None:
    run = controller(tmp_path / "r1", is_started=False)
    run.step(TICKS + 5)
    assert finished(run).status().state is RunState.FINISHED
    assert run.status().ticks == TICKS


def test_a_command_does_not_wait_for_a_slow_pace(tmp_path: Path) -> None:
    run = controller(tmp_path / "r1", pace="0.001")
    status = run.command("pause")
    assert status.state is RunState.PAUSED
    assert status.ticks <= 1
    run.set_pace("max")
    run.command("start")
    assert finished(run).status().state is RunState.FINISHED


def test_stopping_keeps_what_was_recorded(tmp_path: Path) -> None:
    run = controller(tmp_path / "r1", is_started=False)
    run.step(10)
    status = run.stop()
    assert status.state is RunState.STOPPED
    manifest = json.loads((tmp_path / "r1" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["complete"] is False
    assert manifest["readings"]["received"] == status.readings.received > 0
    assert len(run.readings(0, 0, 2**62, 100)) > 0


@pytest.mark.parametrize("command", ["start", "pause", "step", "stop"])
def test_a_run_that_is_over_takes_no_command(tmp_path: Path, command: str) -> None:
    run = finished(controller(tmp_path / "r1"))
    with pytest.raises(ProblemError, match="run r1 is finished and takes no commands") as refused:
        {"step": lambda: run.step(1), "stop": run.stop}.get(command, lambda: run.command(command))()
    assert refused.value.status_code == 409
    run.close()


def test_commands_and_pace_leave_the_recording_as_it_is(tmp_path: Path) -> None:
    with RunSession(quiet_plan(), tmp_path / "plain") as session:
        while not session.is_over:
            session.step()
        plain = session.finish().summary
    run = controller(tmp_path / "r1", is_started=False, pace="1")
    run.step(7)
    run.command("start")
    run.command("pause")
    run.set_pace("100000")
    run.command("start")
    summary = finished(run).status().summary
    assert summary is not None
    assert summary["recording_hash"] == plain["recording_hash"]


def test_an_injected_incident_becomes_true(tmp_path: Path) -> None:
    run = controller(tmp_path / "r1", is_started=False)
    run.step(2)
    seen: list[int] = []

    def make(since_start_s: int, free_id: str) -> IncidentSpec:
        seen.append(since_start_s)
        pipe = f"P000{len(seen)}"  # one thing at a time can happen to a pipe
        fields = {"kind": TrueKind.BURST, "element": pipe, "outflow_m3_h": 50.0}
        return IncidentSpec(id=free_id, at=since_start_s + 60, **fields)

    first, second = run.inject(make), run.inject(make)
    assert seen == [120, 120]
    assert [first.id, second.id] == ["API1", "API2"]
    assert first.onset_ms == START_MS + 180_000
    run.command("start")
    assert finished(run).status().state is RunState.FINISHED
    truth = (tmp_path / "r1" / "truth.jsonl").read_text(encoding="utf-8")
    assert '"id":"API1"' in truth


def test_an_impossible_incident_leaves_the_run_alive(tmp_path: Path) -> None:
    run = controller(tmp_path / "r1", is_started=False)

    def make(since_start_s: int, free_id: str) -> IncidentSpec:
        fields = {"kind": TrueKind.BURST, "element": "nothing", "outflow_m3_h": 50.0}
        return IncidentSpec(id=free_id, at=since_start_s, **fields)

    with pytest.raises(InjectionError, match="nothing"):
        run.inject(make)
    assert run.stop().state is RunState.STOPPED


@pytest.mark.parametrize("is_stepped", [False, True], ids=["running", "stepping"])
def test_a_crash_in_the_thread_is_told_and_nothing_hangs(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    is_stepped: bool,
) -> None:
    def crash(_: RunSession) -> None:
        raise PhysicsError("the engine gave up")

    monkeypatch.setattr(RunSession, "step", crash)
    run = controller(tmp_path / "r1", is_started=not is_stepped)
    if is_stepped:
        with pytest.raises(PhysicsError):
            run.step(1)
    status = finished(run).status()
    assert status.state is RunState.FAILED
    assert status.message == "PhysicsError: the engine gave up"
    assert "run r1 failed" in caplog.text
    manifest = json.loads((tmp_path / "r1" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["failure"] == status.message
    with pytest.raises(ProblemError, match="the engine gave up"):
        run.command("start")


def test_a_run_that_cannot_be_opened_fails(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "loop.sqlite").touch()
    run = finished(RunController("r1", quiet_plan(), tmp_path, RunSetup()))
    assert run.status().state is RunState.FAILED
    assert "already holds a run" in run.status().message
    assert "run r1 failed" in caplog.text


def test_entries_read_the_same_as_from_disk(tmp_path: Path) -> None:
    run = finished(controller(tmp_path / "r1"))
    lines = (tmp_path / "r1" / "events.jsonl").read_text(encoding="utf-8").splitlines()
    from_disk = [json.loads(line) for line in lines]
    assert [(entry.seq, entry.reason, entry.data) for entry in run.entries()] == [
        (item["seq"], item["reason"], item["data"]) for item in from_disk
    ]
    assert [entry.seq for entry in run.entries(after=0, limit=1)] == [1]
