"""Plays frames to a monitor and reads what it says, for the tests of the monitor."""

from collections.abc import Sequence
from typing import Any

from pipeline.messages import DeviceHealth, HealthKind, Message, Samples
from pipeline.monitor.stage import MonitorStage
from pipeline.rules import DeviceLimits
from sensors.readings import ReadingBatch
from sensors.registry import Registry
from tests.conformance.pressure_devices import (
    SAMPLE_MS,
    START_MS,
    frame_of,
    pressure_device,
    pressure_registry,
)

MINUTE_MS = 60_000


def monitor(registry: Registry | None = None) -> MonitorStage:
    return MonitorStage(registry or pressure_registry(), DeviceLimits())


def feed(stage: MonitorStage, *frames: Message, now_ms: int = START_MS) -> list[Message]:
    stage.on_batch(frames, now_ms)
    return list(stage.on_time(now_ms))


def checked(outputs: Sequence[Message]) -> ReadingBatch:
    (samples,) = [message for message in outputs if isinstance(message, Samples)]
    return samples.batch


def health(outputs: Sequence[Message]) -> list[tuple[str, HealthKind, bool]]:
    return [(m.device, m.kind, m.is_on) for m in outputs if isinstance(m, DeviceHealth)]


def flags_of(values: Sequence[float], gap_ms: int = SAMPLE_MS, **device: Any) -> list[int]:
    """Flags of one device's values, one tick each, received as they are sampled."""
    stage = monitor(Registry.of([pressure_device(**device)]))
    flags: list[int] = []
    for number, value in enumerate(values):
        now_ms = START_MS + number * gap_ms
        outputs = feed(stage, frame_of([(0, now_ms, value)], number), now_ms=now_ms)
        flags += checked(outputs).quality.tolist()
    return flags
