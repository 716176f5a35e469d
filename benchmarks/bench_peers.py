"""The same three rules here, in Prometheus, in promtool and in csp, as ratios from one run.

`python -m benchmarks.bench_peers` needs `prometheus` and `promtool` (Debian's package
`prometheus`, here 2.42) in the folder named by TOCSIN_PROMETHEUS or on the PATH, and makes a venv
for csp in the cache folder. What is missing is left out and said.
"""

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np

from benchmarks.bench_inprocess import make_registry
from benchmarks.peers import prometheus
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
    make,
)
from pipeline.messages import Alarm, AlarmState, Samples
from pipeline.rules import (
    Direction,
    Function,
    Hold,
    Rule,
    RuleSet,
    Select,
    Signal,
    default_rules,
)
from pipeline.warn.stage import WarnStage
from sensors.levels import Level
from sensors.readings import ReadingBatch
from sensors.registry import Registry

CSP = "csp==0.19.1"


def three_rules() -> RuleSet:
    """Return the three rules as a rule set of ours."""
    base = default_rules()
    model = base.rule("water.pressure_head")

    def rule(name: str, kind: str, unit: str, signal: Signal, limit: float, hold: Hold) -> Rule:
        high = signal.function is Function.SUM
        return replace(
            model,
            id=f"peers.{name}",
            unit=unit,
            direction=Direction.HIGH if high else Direction.LOW,
            thresholds=MappingProxyType({Level.BLUE: limit}),
            holds=MappingProxyType(dict.fromkeys(Level, hold)),
            windows_s=MappingProxyType(dict.fromkeys(Level, signal.figures.get("window_s", 0.0))),
            clear_consecutive=1,
            deadband=0.0,
            select=Select(kinds=(kind,)),
            signal=signal,
        )

    rules = (
        rule("low", "network_pressure", "MPa", Signal(), LOW_MPA, Hold(LOW_OF, LOW_OF)),
        rule(
            "rain",
            "rain_gauge",
            "mm",
            Signal(Function.SUM, {"window_s": RAIN_S}),
            RAIN_MM,
            Hold(1, 1),
        ),
        rule(
            "mean",
            "network_pressure",
            "MPa",
            Signal(Function.MEAN, {"window_s": MEAN_S}),
            MEAN_MPA,
            Hold(1, 1),
        ),
    )
    return replace(base, rules=MappingProxyType({one.id: one for one in rules}))


def two_kinds(devices: int) -> Registry:
    """Return `devices` pressure devices and as many rain gauges."""
    pressure = make_registry(devices, 1000)
    gauges = [
        replace(
            pressure.device(number),
            id=f"RG-B-{number:06d}",
            kind="rain_gauge",
            quantity="rainfall",
            domain="rain",
            range_high=1e6,
            max_step=float("nan"),
        )
        for number in range(devices)
    ]
    return Registry.of([*(pressure.device(number) for number in range(devices)), *gauges])


def ours(series: Series) -> dict[str, float]:
    """Return wall time and alarms raised of the warn stage over the series, step by step."""
    steps, devices = series.pressure.shape
    stage = WarnStage(two_kinds(devices), three_rules())
    numbers = np.arange(2 * devices)
    batches = []
    for step in range(steps):
        at_ms = (START_S + step * STEP_S) * 1000
        value = np.concatenate([series.pressure[step], series.rain[step]])
        batches.append((at_ms, ReadingBatch.of(numbers, np.full(len(numbers), at_ms), value)))
    raised = 0
    began = time.perf_counter()
    for at_ms, batch in batches:
        stage.on_batch([Samples(batch, at_ms)], at_ms)
        said = stage.on_time(at_ms)
        raised += sum(isinstance(one, Alarm) and one.state is AlarmState.RAISED for one in said)
    return {"wall_s": time.perf_counter() - began, "raised": raised}


def csp(series: Series, folder: Path) -> dict[str, object] | None:
    """Return what csp takes for the same, in vectors over all devices; None without it."""
    home = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "tocsin" / "peers"
    python = home / "bin" / "python"
    try:
        if not python.exists():
            venv.create(home, with_pip=True)
            subprocess.run([python, "-m", "pip", "install", "-q", CSP], check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"csp left out: {error}", file=sys.stderr)
        return None
    file = folder / "series.npz"
    np.savez(file, pressure=series.pressure, rain=series.rain)
    figures = {
        "low": LOW_MPA,
        "low_of": LOW_OF,
        "rain": RAIN_MM,
        "rain_s": RAIN_S,
        "mean": MEAN_MPA,
        "mean_s": MEAN_S,
        "start_s": START_S,
        "step_s": STEP_S,
    }
    script = Path(__file__).parent / "peers" / "csp_rules.py"
    done = subprocess.run(
        [python, "-W", "ignore", script, file, json.dumps(figures)],
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return found


def _tools() -> Path | None:
    named = os.environ.get("TOCSIN_PROMETHEUS") or shutil.which("prometheus")
    if named is None:
        print("Prometheus left out: install Debian's package prometheus, or name its folder in "
              "TOCSIN_PROMETHEUS", file=sys.stderr)  # fmt: skip
        return None
    place = Path(named)
    return place if place.is_dir() else place.parent


def run(devices: int = 5_000, steps: int = 288) -> dict[str, object]:
    """Run all tools over `devices` pressure and as many rain series; see the keys."""
    series, tools = make(devices, steps), _tools()
    mine = ours(series)
    found: dict[str, object] = {
        "devices": 2 * devices,
        "steps": steps,
        "samples": series.samples,
        "ours_s": mine["wall_s"],
        "ours_samples_per_s": series.samples / mine["wall_s"],
        "ours_raised": mine["raised"],
    }
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        vectors = csp(series, folder)
        if vectors is not None:
            found["csp_s"] = vectors["wall_s"]
            found["csp_over_ours"] = float(str(vectors["wall_s"])) / mine["wall_s"]
        if tools is not None:
            spent = prometheus.query_range(tools, series, folder)
            found["prometheus_s"] = spent
            found["prometheus_over_ours"] = sum(spent.values()) / mine["wall_s"]
            for number, length in ((1_000, 120), (5_000, 120)):
                small = make(number // 2, length)
                wall_s, code, said = prometheus.rule_test(tools, small, folder)
                same = ours(small)["wall_s"]
                found[f"promtool_{number}x{length}"] = {
                    "wall_s": wall_s,
                    "exit": code,
                    "said": said,
                    "ours_s": same,
                    "over_ours": wall_s / same,
                }
    found["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return found


if __name__ == "__main__":
    sizes = [int(one) for one in sys.argv[1:3]]
    print(json.dumps(run(*sizes), indent=1))
