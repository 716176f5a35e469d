"""The platform may be killed at any moment: it goes on from its snapshot and journal."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from api.library import find_scenario
from api.plan import plan_run
from api.session import RunSession
from pipeline.adapters.sql_store import SqlStore, sqlite_url
from pipeline.event_log import verify
from sensors.transports.broker import EmbeddedBroker

pytestmark = [pytest.mark.system, pytest.mark.slow]

SCENARIO = Path(__file__).parent.parent / "data" / "short-burst.yaml"


def _undisturbed(out: Path) -> tuple[str, int]:
    file = find_scenario(str(SCENARIO))
    with RunSession(plan_run(file.scenario, file.path), out) as session:
        while not session.is_over:
            session.step()
        session.finish()
    store = SqlStore(sqlite_url(out / "loop.sqlite"))
    entries = store.entries()
    store.close()
    return entries[-1].hash, len(entries)


@contextmanager
def _tocsin(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "api", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def _kinds(file: Path) -> list[str]:
    """Return the kinds of the log's entries so far."""
    if not file.exists():
        return []
    store = SqlStore(sqlite_url(file))
    kinds = [entry.kind for entry in store.entries()]
    store.close()
    return kinds


def _wait_until_at_work(log: Path, kind: str, known: int, process: subprocess.Popen[str]) -> None:
    """Wait until a process has added to the `known` entries, and one of `kind` is there."""
    deadline = time.monotonic() + 60.0
    while kind not in (kinds := _kinds(log)) or len(kinds) <= known:
        assert process.poll() is None, "the platform ended by itself"
        assert time.monotonic() < deadline, f"no {kind} in time"
        time.sleep(0.02)  # another process is at work; there is nothing to be notified by


@pytest.mark.timeout(180)
def test_platform_killed_three_times_writes_the_same_log(tmp_path: Path) -> None:
    expected_hash, expected_count = _undisturbed(tmp_path / "undisturbed")
    world, platform = tmp_path / "world", tmp_path / "platform"
    log = platform / "loop.sqlite"
    with EmbeddedBroker(ack_wait_s=1) as broker:
        common = ("--broker", broker.url, "--json")
        scenario = str(SCENARIO)
        with _tocsin(
            "simulate", scenario, *common, "--out", str(world), "--pace", "3600"
        ) as simulate:
            for moment in ("Alarm", "Dispatch", "Feedback"):
                known = len(_kinds(log))
                with _tocsin("pipeline", scenario, *common, "--out", str(platform)) as victim:
                    _wait_until_at_work(log, moment, known, victim)
                    victim.send_signal(signal.SIGKILL)
                    assert victim.wait(10) == -signal.SIGKILL
                    assert simulate.poll() is None
            with _tocsin("pipeline", scenario, *common, "--out", str(platform)) as last:
                output, _ = last.communicate(timeout=120)
                assert last.returncode == 0
            assert simulate.wait(30) == 0
    summary = json.loads(output)
    store = SqlStore(sqlite_url(log))
    entries = store.entries()
    unsent = store.unsent()
    store.close()
    assert verify(entries) == expected_count
    assert entries[-1].hash == expected_hash
    assert summary["events_hash"] == expected_hash
    assert not unsent
    decisions = [entry.data["order"] for entry in entries if entry.kind == "Dispatch"]
    orders = [order["id"] for order in decisions if order is not None]
    assert orders
    assert len(orders) == len(set(orders))


@pytest.mark.timeout(120)
def test_workers_of_a_campaign_end_with_the_process_that_began_it(tmp_path: Path) -> None:
    results = tmp_path / "detect.jsonl"
    asked = ("bench", "detect", str(SCENARIO), "--seeds", "500", "--jobs", "2")
    with _tocsin(*asked, "--out", str(results)) as victim:
        deadline = time.monotonic() + 60.0
        while not (results.exists() and results.stat().st_size):
            assert victim.poll() is None, "the campaign ended by itself"
            assert time.monotonic() < deadline, "no run ended in time"
            time.sleep(0.02)  # another process is at work; there is nothing to be notified by
        workers = psutil.Process(victim.pid).children(recursive=True)
        assert len(workers) >= 2
        victim.kill()
        _, alive = psutil.wait_procs(workers, timeout=10.0)
        for one in alive:
            one.kill()
        assert not alive
