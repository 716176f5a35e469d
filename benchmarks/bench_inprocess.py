"""Readings a second through monitor and warn, in one process on one core."""

import json
import time

import numpy as np

from pipeline.messages import Alarm, AlarmState, Samples
from pipeline.monitor.stage import MonitorStage
from pipeline.rules import default_rules
from pipeline.warn.stage import WarnStage
from sensors.readings import Frame, FrameId, ReadingBatch
from sensors.registry import Device, Registry

DEVICES = 100_000
FRAME = 1_000
TICKS = 30
TICK_MS = 60_000
START_MS = 1_750_000_000_000
BURSTS = 20
TARGET_PER_S = 1_000_000


def make_registry(devices: int = DEVICES, per_gateway: int = FRAME) -> Registry:
    """Return pressure devices only, `per_gateway` to a gateway, 50 gateways to an area."""
    return Registry.of(
        Device(
            id=f"WP-B-{number:06d}",
            kind="network_pressure",
            quantity="pressure",
            domain="water",
            area=f"A{number // (50 * per_gateway):02d}",
            element=f"n{number}",
            gateway=f"g{number // per_gateway:04d}",
            x_m=0.0,
            y_m=0.0,
            interval_s=60,
            alarm_interval_s=60,
            upload_s=0,
            range_low=0.0,
            range_high=1.6,
            accuracy=0.001,
            resolution=0.001,
            alarm_low=float("nan"),
            alarm_high=float("nan"),
            max_step=0.3,
        )
        for number in range(devices)
    )


def make_ticks(devices: int = DEVICES, ticks: int = TICKS, frame: int = FRAME) -> list[list[Frame]]:
    """Return frames by tick: noise of 1 kPa, a display step of 1 kPa, and a few bursts.

    A burst takes 0.15 MPa from 30 neighbouring devices from the tenth tick on. The frames of a
    tick come in mixed order, as they do over a wire.
    """
    noise = np.random.Generator(np.random.Philox(7))
    level = noise.uniform(0.25, 0.5, devices)
    hit = (noise.integers(0, devices - 30, BURSTS)[:, None] + np.arange(30)).ravel()
    made: list[list[Frame]] = []
    for tick in range(ticks):
        value = level + noise.normal(0.0, 0.001, devices)
        if tick >= 10:
            value[hit] -= 0.15
        value = np.round(value, 3)
        at_ms = START_MS + tick * TICK_MS
        offset = noise.integers(0, TICK_MS, devices)
        frames = [
            Frame(
                FrameId(f"g{first // frame:04d}", 1, tick),
                at_ms + TICK_MS,
                ReadingBatch.of(
                    np.arange(first, first + frame),
                    at_ms + offset[first : first + frame],
                    value[first : first + frame],
                ),
            )
            for first in range(0, devices, frame)
        ]
        made.append([frames[place] for place in noise.permutation(len(frames))])
    return made


def run() -> dict[str, object]:
    """Return readings a second, the share of each stage, and what was found."""
    registry = make_registry()
    ticks = make_ticks()
    rules = default_rules()
    monitor, warn = MonitorStage(registry, rules.device), WarnStage(registry, rules)
    raised = samples = 0
    spent = {"monitor": 0.0, "warn": 0.0}
    for number, frames in enumerate(ticks):
        now_ms = START_MS + (number + 1) * TICK_MS
        began = time.perf_counter()
        monitor.on_batch(frames, now_ms)
        checked = monitor.on_time(now_ms)
        between = time.perf_counter()
        warn.on_batch(checked, now_ms)
        said = warn.on_time(now_ms)
        spent["monitor"] += between - began
        spent["warn"] += time.perf_counter() - between
        samples += sum(len(one.batch) for one in checked if isinstance(one, Samples))
        raised += sum(isinstance(one, Alarm) and one.state is AlarmState.RAISED for one in said)
    seconds = sum(spent.values())
    return {
        "name": "inprocess_monitor_warn",
        "unit": "readings/s",
        "value": round(samples / seconds),
        "target": TARGET_PER_S,
        "is_reached": samples / seconds >= TARGET_PER_S,
        "readings": samples,
        "lost": len(ticks) * DEVICES - samples,
        "seconds": round(seconds, 3),
        "monitor_readings_per_s": round(samples / spent["monitor"]),
        "warn_readings_per_s": round(samples / spent["warn"]),
        "alarms_raised": raised,
        "devices": DEVICES,
        "readings_per_frame": FRAME,
    }


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
