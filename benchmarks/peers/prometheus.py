"""The three rules in Prometheus: as a range query over a block, and as promtool's rule test."""

import json
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.peers.series import (
    LOW_MPA,
    LOW_OF,
    MEAN_MPA,
    MEAN_S,
    RAIN_MM,
    RAIN_S,
    START_S,
    STEP_S,
    Series,
)

QUERIES = {
    "low": f"max_over_time(pressure[{(LOW_OF - 1) * STEP_S}s]) < {LOW_MPA}",
    "rain": f"increase(rain[{RAIN_S}s]) > {RAIN_MM}",
    "mean": f"avg_over_time(pressure[{MEAN_S}s]) < {MEAN_MPA}",
}


def query_range(tools: Path, series: Series, folder: Path) -> dict[str, float]:
    """Return the wall time of each query over all series and steps, seconds.

    Args:
        tools: Folder of `prometheus` and `promtool`.
        series: What is queried.
        folder: Empty folder for the data.
    """
    metrics = folder / "metrics.txt"
    _write_openmetrics(series, metrics)
    data = folder / "data"
    command = [tools / "promtool", "tsdb", "create-blocks-from", "openmetrics", metrics, data]
    subprocess.run(command, check=True, capture_output=True)
    metrics.unlink()
    steps = len(series.pressure)
    spent: dict[str, float] = {}
    with _server(tools, data, folder) as url:
        for name, query in QUERIES.items():
            asked = {
                "query": query,
                "start": str(START_S),
                "end": str(START_S + (steps - 1) * STEP_S),
                "step": str(STEP_S),
            }
            body = urllib.parse.urlencode(asked).encode()
            began = time.perf_counter()
            with urllib.request.urlopen(f"{url}/api/v1/query_range", body, timeout=900) as answer:
                found = json.load(answer)
            spent[name] = time.perf_counter() - began
            assert found["status"] == "success", found
    return spent


def rule_test(tools: Path, series: Series, folder: Path) -> tuple[float, int, str]:
    """Return wall time, exit code and last line of `promtool test rules` over these series."""
    rules = [f"  - alert: {name}\n    expr: {query}\n" for name, query in QUERIES.items()]
    (folder / "rules.yml").write_text(
        f"groups:\n- name: peers\n  interval: {STEP_S}s\n  rules:\n" + "".join(rules), "utf-8"
    )
    steps, devices = series.pressure.shape
    with (folder / "test.yml").open("w", encoding="utf-8") as file:
        file.write(f"rule_files: [rules.yml]\nevaluation_interval: {STEP_S}s\ntests:\n")
        file.write(f"- interval: {STEP_S}s\n  input_series:\n")
        for name, columns in (("pressure", series.pressure), ("rain", series.rain)):
            for number in range(devices):
                values = " ".join(f"{value:g}" for value in columns[:, number].tolist())
                file.write(f"  - series: '{name}{{device=\"{number}\"}}'\n    values: '{values}'\n")
        file.write(f"  alert_rule_test:\n  - eval_time: {(steps - 1) * STEP_S}s\n")
        file.write("    alertname: none\n    exp_alerts: []\n")
    began = time.perf_counter()
    done = subprocess.run(
        [tools / "promtool", "test", "rules", folder / "test.yml"], capture_output=True, text=True
    )
    said = (done.stdout + done.stderr).strip().splitlines()
    return time.perf_counter() - began, done.returncode, said[-1] if said else ""


def _write_openmetrics(series: Series, file: Path) -> None:
    devices = series.pressure.shape[1]
    with file.open("w", encoding="utf-8") as out:
        for name, kind, columns in (
            ("pressure", "gauge", series.pressure),
            ("rain", "gauge", series.rain),
        ):
            out.write(f"# TYPE {name} {kind}\n")
            for number in range(devices):
                head = f'{name}{{device="{number}"}} '
                out.writelines(
                    f"{head}{value:g} {START_S + step * STEP_S}\n"
                    for step, value in enumerate(columns[:, number].tolist())
                )
        out.write("# EOF\n")


@contextmanager
def _server(tools: Path, data: Path, folder: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (folder / "prometheus.yml").write_text("global: {}\n", "utf-8")
    server = subprocess.Popen(
        [
            tools / "prometheus",
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={data}",
            "--storage.tsdb.retention.time=100y",
            f"--web.listen-address=127.0.0.1:{port}",
            "--query.max-samples=2000000000",
            "--query.timeout=15m",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            try:
                with urllib.request.urlopen(f"{url}/-/ready", timeout=1) as answer:
                    if answer.status == 200:
                        break
            except OSError:
                time.sleep(0.1)
        yield url
    finally:
        server.terminate()
        server.wait(30)
