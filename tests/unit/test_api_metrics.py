"""Metrics say what the runs say, and readiness says what is missing."""

from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from tests.unit.api_runs import QUIET, ApiClient, client_of


def samples(client: ApiClient) -> dict[tuple[str, ...], float]:
    """Return the metrics as (name, label value…) → value."""
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_metrics_agree_with_the_runs(tmp_path: Path) -> None:
    with client_of(tmp_path) as client:
        run = client.post("/runs", json={"scenario": {**QUIET, "duration": "1h"}}).json()["id"]
        client.get(f"/runs/{run}/events")
        found, shown = samples(client), client.get(f"/runs/{run}").json()
        evaluation = client.get(f"/runs/{run}/evaluation").json()
        incidents = client.get(f"/runs/{run}/incidents").json()["items"]
    assert found["tocsin_readings_received_total", run] == shown["readings"]["received"] > 0
    assert found["tocsin_readings_duplicate_total", run] == 0
    assert found["tocsin_ticks_total", run] == 60
    assert found["tocsin_runs", "finished"] == 1
    assert found["tocsin_event_time_seconds", run] == shown["end_ms"] / 1000
    assert found["tocsin_run_lag_seconds", run] == 0
    events = [value for key, value in found.items() if key[0] == "tocsin_events_total"]
    assert sum(events) == shown["events"]
    for stage, count in evaluation["stages"].items():
        assert found["tocsin_stage_cases", run, stage] == count
    by_status = [value for key, value in found.items() if key[0] == "tocsin_incidents"]
    assert sum(by_status) == len(incidents)


def test_two_servers_in_one_process_keep_their_metrics_apart(tmp_path: Path) -> None:
    with client_of(tmp_path / "a") as first, client_of(tmp_path / "b") as second:
        first.post("/runs", json={"scenario": QUIET, "start": False})
        assert samples(first)["tocsin_runs", "created"] == 1
        assert samples(second)["tocsin_runs", "created"] == 0


def test_a_server_is_ready_when_it_can_write_its_runs(tmp_path: Path) -> None:
    with client_of(tmp_path / "not" / "yet") as client:
        assert client.get("/readyz").json()["checks"] == {"runs": "ok", "broker": "embedded"}


def test_a_server_whose_runs_folder_is_a_file_is_not_ready(tmp_path: Path) -> None:
    (tmp_path / "runs").touch()
    with client_of(tmp_path / "runs") as client:
        answer = client.get("/readyz")
    assert answer.status_code == 503
    assert "give another --runs" in answer.json()["detail"]


def test_a_server_without_its_broker_is_not_ready(tmp_path: Path) -> None:
    with client_of(tmp_path, broker="mqtt://127.0.0.1:1") as client:
        answer = client.get("/readyz")
    assert answer.status_code == 503
    assert "127.0.0.1:1 cannot be reached" in answer.json()["detail"]
