"""`tocsin serve` as a process: the whole demonstration by REST, and a clean end by Ctrl-C."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from docs.map import ROOT

pytestmark = [pytest.mark.system, pytest.mark.slow]

TOWN = {
    "name": "quiet-morning",
    "city": {"generate": {"junctions": 120, "seed": 7}},
    "start": "2026-06-01T05:00:00+08:00",
    "duration": "7h",
}


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def environment(**more: str) -> dict[str, str]:
    """Return our environment without settings of whoever runs the tests."""
    plain = {name: text for name, text in os.environ.items() if not name.startswith("TOCSIN_")}
    return {**plain, **more}


@contextmanager
def server(runs: Path, **variables: str) -> Iterator[tuple[subprocess.Popen[str], httpx.Client]]:
    """Start a server and yield it with a client that waits for it."""
    port = free_port()
    line = [sys.executable, "-m", "api", "serve", "--port", str(port), "--runs", str(runs)]
    process = subprocess.Popen(
        line, cwd=ROOT, env=environment(**variables), stderr=subprocess.PIPE, text=True
    )
    transport = httpx.HTTPTransport(retries=8)
    base = f"http://127.0.0.1:{port}"
    try:
        with httpx.Client(base_url=base, transport=transport, timeout=60.0) as client:
            client.get("/healthz")
            yield process, client
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def events(lines: Iterator[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (event, data) of a stream."""
    name = ""
    for line in lines:
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


def widest_pipe(client: httpx.Client, path: str) -> str:
    """Return the id of the widest pipe, the first by name."""
    pipes = client.get(f"{path}/network", params={"kind": "pipe"}).json()["features"]
    pipes.sort(key=lambda pipe: (-pipe["properties"]["diameter_mm"], pipe["id"]))
    pipe: str = pipes[0]["id"]
    return pipe


def test_a_burst_is_made_watched_and_read_by_rest_alone(tmp_path: Path) -> None:
    with server(tmp_path) as (process, client):
        answer = client.post("/runs", json={"scenario": TOWN, "start": False})
        assert answer.status_code == 201, answer.text
        path = answer.headers["location"]
        pipe = widest_pipe(client, path)
        body = {"kind": "burst", "element": pipe, "share_of_demand": 0.5, "after": "70m"}
        assert client.post(f"{path}/incidents", json=body).json()["element"] == pipe
        client.post(f"{path}/start").raise_for_status()
        with client.stream("GET", f"{path}/events") as stream:
            seen = list(events(stream.iter_lines()))
        assert seen[-1] == ("end", {"state": "finished"})
        assert [data["seq"] for _, data in seen[:-1]] == list(range(len(seen) - 1))
        evaluation = client.get(f"{path}/evaluation").json()
        assert (evaluation["run"]["true"], evaluation["run"]["found"]) == (1, 1)
        incident = evaluation["run"]["matches"]["API1"]
        story = client.get(f"{path}/incidents/{incident}").json()
        assert story["incident"]["cause"] == "burst"
        stages = {entry["stage"] for entry in story["timeline"]}
        assert stages >= {"warn", "assess", "dispatch", "field", "supervise", "report"}
        report = client.get(f"{path}/reports/B-run-1")
        assert report.headers["content-type"].startswith("text/markdown")
        assert "1 of 1 true incidents found" in report.text
        process.send_signal(signal.SIGINT)
        assert process.wait(30.0) == 0
    with server(tmp_path) as (_, client):
        (kept,) = client.get("/runs").json()["items"]
        assert f"/runs/{kept['id']}" == path
        assert client.get(f"{path}/incidents/{incident}").json() == story


def test_ctrl_c_ends_streams_and_runs_cleanly_and_keeps_what_was_recorded(tmp_path: Path) -> None:
    with server(tmp_path) as (process, client):
        body = {"scenario": TOWN, "transport": "mqtt", "start": False}
        path = client.post("/runs", json=body).headers["location"]
        client.post(f"{path}/step", json={"ticks": 60}).raise_for_status()
        with client.stream("GET", f"{path}/events") as stream:
            process.send_signal(signal.SIGINT)
            seen = [name for name, _ in events(stream.iter_lines())]
        _, said = process.communicate(timeout=30.0)
        assert process.returncode == 0
    assert "end" not in seen
    assert "Traceback" not in said
    assert "ERROR" not in said
    manifest = json.loads((tmp_path / path.rpartition("/")[2] / "manifest.json").read_text())
    assert manifest["complete"] is False
    assert manifest["readings"]["received"] > 0
    assert manifest["transport"].startswith("mqtt://127.0.0.1:")


def test_a_token_of_the_environment_is_asked_for(tmp_path: Path) -> None:
    with server(tmp_path, TOCSIN_API_TOKEN="t0k") as (_, client):
        assert client.get("/runs").status_code == 401
        assert client.get("/runs", headers={"Authorization": "Bearer t0k"}).status_code == 200


@pytest.mark.skipif(shutil.which("curl") is None, reason="the demonstration needs curl")
def test_the_demonstration_works_as_it_is_pasted(tmp_path: Path) -> None:
    command = Path(sys.executable).parent / "tocsin"
    more = {"TOCSIN": str(command), "PORT": str(free_port()), "PACE": "max"}
    finished = subprocess.run(
        ["bash", ROOT / "examples" / "rest_demo.sh"],
        cwd=tmp_path,
        env=environment(**more),
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    parts = [line for line in finished.stdout.splitlines() if line.startswith("# ")]
    assert len(parts) >= 8
    assert '"element": "P0086"' in finished.stdout
    assert "1 of 1 true incidents found" in finished.stdout
