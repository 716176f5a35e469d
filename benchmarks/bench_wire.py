"""Readings a second over MQTT QoS 1 into monitor and warn, and how long an alarm takes.

The gateways are one process, the platform (this one) another, the embedded broker a third; all
share the machine's cores. The platform keeps its journal and its store as in a real run.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.bench_inprocess import START_MS, make_registry
from benchmarks.figures import Figure
from benchmarks.publisher import CITY
from pipeline.adapters.inbox import InboxJournal
from pipeline.adapters.sql_store import SqlStore, sqlite_url
from pipeline.loop import LOOP
from pipeline.monitor.intake import Intake
from pipeline.monitor.stage import MonitorStage
from pipeline.rules import default_rules
from pipeline.runners.embedded import EmbeddedRunner
from pipeline.warn.stage import WarnStage
from sensors.codecs import codec_named
from sensors.transports.broker import EmbeddedBroker
from sensors.transports.mqtt import MqttTransport

RUNS = 3
"""Each throughput is the median of so many runs: these machines are noisy."""


def _platform(
    transport: MqttTransport, codec: str, per_frame: int, devices: int, folder: Path
) -> EmbeddedRunner:
    registry, rules = make_registry(devices, per_frame), default_rules()
    return EmbeddedRunner(
        {"monitor": MonitorStage(registry, rules.device), "warn": WarnStage(registry, rules)},
        Intake({codec: codec_named(codec, registry)}),
        transport,
        SqlStore(sqlite_url(folder / "loop.sqlite")),
        InboxJournal(folder / "inbox.journal"),
        CITY,
        start_ms=START_MS,
        finish=lambda now_ms: (),
        steps=LOOP[:2],
    )


def _face(
    codec: str, per_frame: int, frames: int, devices: int, rate_per_s: float | None = None
) -> tuple[dict[str, object], float, int]:
    """Run publisher against platform; return its report, the seconds, and readings received."""
    arguments = [codec, str(per_frame), str(frames), str(devices)]
    arguments += [] if rate_per_s is None else [str(rate_per_s)]
    with tempfile.TemporaryDirectory() as temporary, EmbeddedBroker() as broker:
        transport = MqttTransport(broker.url, "bench-platform", clean=True)
        runner = _platform(transport, codec, per_frame, devices, Path(temporary))
        command = [sys.executable, "-m", "benchmarks.publisher", broker.url, *arguments]
        publisher = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        runner.start()
        reminded = time.perf_counter()
        while not runner.is_over:
            runner.pump(0.05)
            if runner.last_tick == 0 and time.perf_counter() - reminded > 0.2:
                runner.acknowledge()
                reminded = time.perf_counter()
            if publisher.poll() not in (None, 0):
                raise RuntimeError("the publisher failed")
        ended = time.perf_counter()
        output, _ = publisher.communicate(timeout=60)
        received = runner.reading_counts().received
        runner.close()
        transport.close()
    report: dict[str, object] = json.loads(output)
    began = report.get("began")
    seconds = ended - began if isinstance(began, float) else float(str(report["seconds"]))
    return report, seconds, received


def _throughput(
    name: str, codec: str, per_frame: int, frames: int, devices: int, unit: str, target: float
) -> Figure:
    rates: list[float] = []
    lost = 0
    for _ in range(RUNS):
        report, seconds, received = _face(codec, per_frame, frames, devices)
        published = int(str(report["readings"]))
        lost += published - received
        rates.append((frames if unit == "frames/s" else received) / seconds)
    detail = {
        "published": published,
        "lost": lost,
        "runs": RUNS,
        "slowest": round(min(rates)),
        "fastest": round(max(rates)),
    }
    return Figure(name, round(statistics.median(rates)), unit, target, detail=detail)


def senml() -> Figure:
    """SenML JSON in frames of 100."""
    return _throughput("mqtt_senml_100", "senml_json", 100, 20_000, 40_000, "readings/s", 150_000)


def arrow() -> Figure:
    """Arrow IPC in frames of 1,000."""
    return _throughput("mqtt_arrow_1000", "arrow_ipc", 1_000, 12_000, 200_000, "readings/s", 2e6)


def single() -> Figure:
    """Frames of one reading."""
    return _throughput("mqtt_one_reading_frames", "senml_json", 1, 20_000, 2_000, "frames/s", 4_000)


def latency() -> Figure:
    """Publish to alarm at 20,000 readings a second."""
    report, _, _ = _face("senml_json", 100, 2_000, 40_000, 20_000)
    values = np.array(report["latency_ms"])
    p50, p99 = np.percentile(values, [50, 99]) if len(values) else (np.nan, np.nan)
    detail = {
        "p50_ms": round(float(p50), 1),
        "max_ms": round(float(values.max(initial=0)), 1),
        "provoked": report["provoked"],
        "heard": len(values),
        "readings_per_s": round(float(str(report["readings"])) / float(str(report["seconds"]))),
    }
    return Figure("alarm_latency_p99", round(float(p99), 1), "ms", 100, False, detail)
