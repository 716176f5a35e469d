"""Whole runs: the burst is found, placed and closed; same seed, same recording; no false ones."""

import json
import shutil
from pathlib import Path

import pytest

from api.library import find_scenario
from api.plan import plan_run, write_city
from api.results import RunResult
from api.session import RunSession
from pipeline.adapters.sql_store import SqlStore, sqlite_url
from pipeline.event_log import verify
from pipeline.loop import STAGES
from sensors.transports.broker import EmbeddedBroker
from simulator.city.importing import import_inp
from simulator.clock import pace_of

pytestmark = pytest.mark.system

SHORT = str(Path(__file__).parent.parent / "data" / "short-burst.yaml")


def run(
    out: Path,
    scenario: str = SHORT,
    *,
    transport: str = "memory",
    broker: str | None = None,
    pace: str = "max",
    seed: int | None = None,
    city: Path | None = None,
) -> RunResult:
    file = find_scenario(scenario)
    plan = plan_run(file.scenario, file.path, seed=seed, city_folder=city)
    with RunSession(plan, out, transport=transport, broker=broker, pace=pace_of(pace)) as session:
        while not session.is_over:
            session.step()
        return session.finish()


@pytest.fixture(scope="module")
def broker_url() -> object:
    with EmbeddedBroker() as broker:
        yield broker.url


@pytest.mark.slow
def test_burst_is_found_placed_and_closed_over_mqtt(tmp_path: Path, broker_url: str) -> None:
    result = run(tmp_path / "run", "water-burst", transport="mqtt", broker=broker_url)
    summary = result.summary
    assert summary["incidents"] == {"true": 1, "found": 1, "missed": 0, "false": 0, "late": 0}
    assert summary["evaluation"]["location_error_pipes"] <= 2
    stages = summary["stages"]
    assert min(stages["monitor"], stages["warn"]) >= 1  # pump switches are looked at, too
    assert {stages[name] for name in STAGES[2:]} == {1}
    assert summary["readings"]["received"] == summary["readings"]["published"]
    store = SqlStore(sqlite_url(tmp_path / "run" / "loop.sqlite"))
    entries = store.entries()
    store.close()
    assert verify(entries) == len(entries)
    lines = (tmp_path / "run" / "events.jsonl").read_text().splitlines()
    assert [json.loads(line)["seq"] for line in lines] == [entry.seq for entry in entries]
    closures = [entry for entry in entries if entry.kind == "Closure"]
    assert [entry.data["is_verified"] for entry in closures] == [True]
    assert result.report is not None
    assert "B1" in result.report.read_text()


@pytest.mark.slow
def test_same_seed_gives_the_same_recording_on_any_transport_and_pace(
    tmp_path: Path, broker_url: str
) -> None:
    memory = run(tmp_path / "a").summary["recording_hash"]
    mqtt = run(tmp_path / "b", transport="mqtt", broker=broker_url).summary["recording_hash"]
    paced = run(tmp_path / "c", transport="mqtt", broker=broker_url, pace="600")
    other = run(tmp_path / "d", seed=2).summary["recording_hash"]
    assert memory == mqtt == paced.summary["recording_hash"]
    assert other != memory
    assert paced.summary["pace"]["actual"] <= 620


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_faults_and_pump_switches_leave_no_incident(tmp_path: Path, seed: int) -> None:
    summary = run(tmp_path / "run", "fault-day", seed=seed).summary
    assert summary["incidents"] == {"true": 0, "found": 0, "missed": 0, "false": 0, "late": 0}
    assert summary["stages"]["assess"] == 0


@pytest.mark.slow
@pytest.mark.parametrize("network", ["Net1", "Net2", "Net3"])
def test_burst_on_a_real_network(tmp_path: Path, shared_networks: Path, network: str) -> None:
    text = (shared_networks / f"{network}.inp").read_text(errors="replace")
    write_city(tmp_path / "city", *import_inp(text, network.lower(), network))
    summary = run(tmp_path / "run", "water-burst", city=tmp_path / "city").summary
    assert summary["incidents"] == {"true": 1, "found": 1, "missed": 0, "false": 0, "late": 0}
    assert summary["evaluation"]["location_error_pipes"] <= 2


def test_an_old_run_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "loop.sqlite").touch()
    with pytest.raises(FileExistsError, match="already holds a run"):
        run(tmp_path / "run")
    shutil.rmtree(tmp_path / "run")
