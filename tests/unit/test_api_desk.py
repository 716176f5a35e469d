"""The desk makes, finds and ends runs, and reads those of others."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from api.archive import ArchivedRun
from api.controller import RunSetup
from api.desk import RunDesk
from api.problems import ProblemError
from api.run_status import RunAbout, RunState, RunStatus
from pipeline.errors import StoreError
from pipeline.runners.embedded import ReadingCounts
from tests.unit.api_runs import START_MS, log, quiet_plan, recorded_run

WAITING = RunSetup(is_started=False)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[RunDesk]:
    desk = RunDesk(tmp_path / "runs", cities=tmp_path / "cities", most_live=2)
    yield desk
    desk.close()


def test_runs_made_in_the_same_second_get_folders_of_their_own(desk: RunDesk) -> None:
    first, second = desk.create(quiet_plan(), WAITING), desk.create(quiet_plan(), WAITING)
    assert first.id != second.id
    assert {run.folder for run in (first, second)} == {desk.runs / first.id, desk.runs / second.id}
    assert first.id.startswith("quiet-2")


def test_only_so_many_runs_are_live_at_once(desk: RunDesk) -> None:
    first = desk.create(quiet_plan(), WAITING)
    second = desk.create(quiet_plan(), WAITING)
    with pytest.raises(ProblemError, match="2 runs are live") as refused:
        desk.create(quiet_plan(), WAITING)
    assert refused.value.status_code == 409
    assert refused.value.members["live"] == [first.id, second.id]
    first.stop()
    desk.create(quiet_plan(), WAITING)


def test_closing_stops_every_run_and_keeps_it(desk: RunDesk) -> None:
    runs = [desk.create(quiet_plan(), RunSetup(pace="0.001")), desk.create(quiet_plan(), WAITING)]
    desk.close()
    for run in runs:
        assert run.status().state is RunState.STOPPED
        assert json.loads((run.folder / "manifest.json").read_text(encoding="utf-8"))
    with pytest.raises(ProblemError, match="shutting down"):
        desk.create(quiet_plan(), WAITING)


@dataclass
class Busy:
    """A live run over MQTT."""

    id: str
    about: RunAbout

    def status(self) -> RunStatus:
        counts = ReadingCounts(0, 0, 0, {})
        return RunStatus(RunState.RUNNING, 0, 0, "max", None, 0.0, 0.0, counts, 0)

    def close(self) -> None:
        """There is nothing to close."""


def test_two_runs_of_one_city_may_not_share_a_broker(desk: RunDesk) -> None:
    about = RunAbout("quiet", "", quiet_plan().city.id, 1, "mqtt", 0, 1, 0)
    desk._driven["b1"] = Busy("b1", about)  # type: ignore[assignment]
    with pytest.raises(ProblemError, match="run b1 uses city town7"):
        desk.create(quiet_plan(), RunSetup(transport="mqtt", broker="mqtt://127.0.0.1:1"))
    desk.create(quiet_plan(), RunSetup(broker="mqtt://127.0.0.1:1", is_started=False))


@pytest.mark.parametrize("name", ["nothing", "..", ".", "", "../runs/r1", "r1/../r1", "a\0b"])
def test_a_name_that_is_no_run_is_unknown(desk: RunDesk, name: str) -> None:
    recorded_run(desk.runs / "r1")
    with pytest.raises(ProblemError, match="there is no run") as refused:
        desk.find(name)
    assert refused.value.status_code == 404


def test_a_recording_is_found_and_takes_no_commands(desk: RunDesk) -> None:
    recorded_run(desk.runs / "r1")
    assert isinstance(desk.find("r1"), ArchivedRun)
    with pytest.raises(ProblemError, match="r1 is a recording"):
        desk.find_driven("r1")


def test_all_runs_are_listed_once_and_other_folders_are_not(desk: RunDesk) -> None:
    recorded_run(desk.runs / "r1")
    (desk.runs / "empty").mkdir()
    run = desk.create(quiet_plan(), WAITING)
    run.stop()
    assert [item.id for item in desk.all()] == [run.id, "r1"]


@pytest.mark.parametrize("name", ["none", "..", "../cities/none"])
def test_an_unknown_city_is_refused(desk: RunDesk, name: str) -> None:
    with pytest.raises(ProblemError, match="no city") as refused:
        desk.city_folder(name)
    assert refused.value.status_code == 422


def test_a_recording_tells_what_it_was(tmp_path: Path) -> None:
    recorded_run(tmp_path / "r1")
    run = ArchivedRun(tmp_path / "r1")
    status = run.status()
    assert (run.about.scenario, run.about.seed, run.about.start_ms) == ("quiet", 5, START_MS)
    assert run.about.utc_offset_ms == 8 * 3_600_000
    assert (status.state, status.now_ms) == (RunState.FINISHED, run.about.end_ms)
    assert status.ticks == 30
    assert (status.events, status.readings.received) == (len(log()), 6)
    assert [entry.hash for entry in run.entries(2, 3)] == [entry.hash for entry in log()[3:6]]
    assert run.readings(0, 0, 2**62, 2).value.tolist() == [0.1, 0.2]


def test_a_run_without_a_manifest_was_stopped_and_says_so(tmp_path: Path) -> None:
    recorded_run(tmp_path / "r1")
    (tmp_path / "r1" / "manifest.json").unlink()
    status = ArchivedRun(tmp_path / "r1").status()
    assert status.state is RunState.STOPPED
    assert "no manifest.json" in status.message
    assert status.now_ms == log()[-1].time_ms


@pytest.mark.parametrize("name", ["manifest.json", "scenario.json", "events.jsonl"])
def test_a_damaged_recording_is_listed_as_failed(tmp_path: Path, name: str) -> None:
    recorded_run(tmp_path / "r1")
    (tmp_path / "r1" / name).write_text("{no", encoding="utf-8")
    status = ArchivedRun(tmp_path / "r1").status()
    assert status.state is RunState.FAILED
    assert name in status.message


def test_a_damaged_log_is_not_read_as_a_short_one(tmp_path: Path) -> None:
    recorded_run(tmp_path / "r1")
    file = tmp_path / "r1" / "events.jsonl"
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(StoreError, match="damaged"):
        ArchivedRun(tmp_path / "r1").entries()


def test_a_recording_without_a_city_says_so(tmp_path: Path) -> None:
    (tmp_path / "r1").mkdir()
    (tmp_path / "r1" / "manifest.json").write_text('{"complete": true}', encoding="utf-8")
    run = ArchivedRun(tmp_path / "r1")
    assert run.status().state is RunState.FINISHED
    with pytest.raises(ProblemError, match="no folder `city`"):
        run.city()


def test_a_run_killed_on_the_way_is_read_from_its_store(desk: RunDesk) -> None:
    run = desk.create(quiet_plan(), RunSetup())
    run._thread.join(60.0)
    for name in ("events.jsonl", "manifest.json"):
        (run.folder / name).unlink()
    killed = ArchivedRun(run.folder)
    assert [entry.hash for entry in killed.entries()] == [entry.hash for entry in run.entries()]
    assert killed.status().state is RunState.STOPPED
