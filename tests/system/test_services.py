"""The services of docker-compose.yml: each one's very command runs as a process, all together."""

import json
import os
import re
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from docs.map import ROOT

pytestmark = [pytest.mark.system, pytest.mark.slow]

SHORT = str(ROOT / "tests" / "data" / "short-burst.yaml")
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(
    (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
)["services"]
CHOSEN = {"SCENARIO": SHORT, "TOCSIN_API_TOKEN": "a secret for the test"}
TRIES = 120


def filled(text: str) -> str:
    """Return a value of the compose file with its `${NAME…}` filled in, as compose does it."""
    return re.sub(r"\$\{(\w+)[^}]*\}", lambda match: CHOSEN[match[1]], text)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Host:
    """Stands for the machine with the containers: paths, ports and host names differ, no more."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder, self._stack = folder, stack
        self.ports = {"1883": free_port(), "8000": free_port()}
        (folder / "data").mkdir()

    def line(self, words: Sequence[str]) -> list[str]:
        """Return a command line of the compose file as it runs here."""
        return [self._adapted(filled(word)) for word in words]

    def start(self, service: str) -> subprocess.Popen[bytes]:
        """Start a service with nothing in its environment but what the compose file gives it."""
        said = self._stack.enter_context((self._folder / f"{service}.log").open("wb"))
        process = subprocess.Popen(
            [sys.executable, "-m", "api", *self.line(SERVICES[service]["command"])],
            stdout=said,
            stderr=said,
            cwd=self._folder,
            env=self._environment(service),
        )
        self._stack.callback(process.wait)
        self._stack.callback(process.kill)
        return process

    def is_healthy(self, service: str) -> bool:
        """Run a service's own health check once."""
        kind, *words = SERVICES[service]["healthcheck"]["test"]
        assert kind == "CMD"
        program = {"tocsin": [sys.executable, "-m", "api"], "python": [sys.executable]}[words[0]]
        check = subprocess.run(
            [*program, *self.line(words[1:])],
            capture_output=True,
            cwd=self._folder,
            env=self._environment(service),
            timeout=float(SERVICES[service]["healthcheck"]["timeout"].rstrip("s")),
        )
        return check.returncode == 0

    def log(self, service: str) -> str:
        """Return what a service has said."""
        return (self._folder / f"{service}.log").read_text(encoding="utf-8", errors="replace")

    def get(self, path: str) -> Any:
        """Ask the interface, with the token."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.ports['8000']}{path}",
            headers={"Authorization": f"Bearer {CHOSEN['TOCSIN_API_TOKEN']}"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def _adapted(self, word: str) -> str:
        word = word.replace("mqtt://broker:", "mqtt://127.0.0.1:").replace("0.0.0.0", "127.0.0.1")
        for written, port in self.ports.items():
            word = re.sub(rf"(?<![0-9]){written}(?![0-9])", str(port), word)
        return re.sub(r"^/data", str(self._folder / "data"), word)

    def _environment(self, service: str) -> Mapping[str, str]:
        given = SERVICES[service].get("environment", {})
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self._folder),
            "OMP_NUM_THREADS": "1",
            **{name: filled(value) for name, value in given.items()},
        }


@pytest.fixture(name="host")
def _host(tmp_path: Path) -> Iterator[Host]:
    with ExitStack() as stack:
        yield Host(tmp_path, stack)


def wait_until_healthy(host: Host, service: str) -> None:
    for _ in range(TRIES):
        if host.is_healthy(service):
            return
    pytest.fail(f"{service} did not become healthy; it said:\n{host.log(service)}")


@pytest.mark.timeout(180)
def test_the_four_services_run_a_scenario_together(host: Host, tmp_path: Path) -> None:
    assert not host.is_healthy("world")
    broker = host.start("broker")
    wait_until_healthy(host, "broker")
    api, pipeline, world = (host.start(name) for name in ("api", "pipeline", "world"))
    for service in ("api", "pipeline", "world"):
        wait_until_healthy(host, service)
    assert pipeline.wait(100) == 0, host.log("pipeline")
    assert world.wait(30) == 0, host.log("world")

    runs = tmp_path / "data" / "runs"
    done = json.loads((runs / "world" / "manifest.json").read_text(encoding="utf-8"))
    seen = json.loads((runs / "platform" / "manifest.json").read_text(encoding="utf-8"))
    assert (done["complete"], seen["complete"]) == (True, True)
    assert done["ticks"] == seen["ticks"] == 360
    assert seen["readings"]["received"] == done["readings"]["published"]
    assert seen["evaluation"]["pod"] == 1.0

    served = {run["id"]: run for run in host.get("/runs")["items"]}
    assert {"world", "platform"} <= set(served)
    assert served["platform"]["scenario"] == "short-burst"
    assert served["platform"]["state"] == "finished"
    for service in (api, broker):
        service.terminate()
        assert service.wait(20) == 0


@pytest.mark.timeout(120)
def test_a_platform_started_again_after_the_end_is_done_at_once(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quiet = tmp_path / "quiet.yaml"
    quiet.write_text(
        "format: 1\nname: quiet\ncity: {generate: {junctions: 40}}\n"
        "start: 2026-06-01T00:00:00+08:00\nduration: 10m\n",
        encoding="utf-8",
    )
    monkeypatch.setitem(CHOSEN, "SCENARIO", str(quiet))
    host.start("broker")
    wait_until_healthy(host, "broker")
    pipeline, world = host.start("pipeline"), host.start("world")
    assert (pipeline.wait(60), world.wait(30)) == (0, 0)
    manifest = tmp_path / "data" / "runs" / "platform" / "manifest.json"
    before = manifest.read_text(encoding="utf-8")
    assert host.start("pipeline").wait(30) == 0, host.log("pipeline")
    assert manifest.read_text(encoding="utf-8") == before
    assert host.start("world").wait(30) == 2
    assert "already holds a run; choose another --out" in host.log("world")
