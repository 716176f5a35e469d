"""Pressure devices and readings for tests: small builders with defaults that raise no doubt."""

from collections.abc import Sequence
from typing import Any

from pipeline.messages import Samples
from sensors.readings import Frame, FrameId, Reading, ReadingBatch
from sensors.registry import Device, Registry

START_MS = 1_750_000_000_000
SAMPLE_MS = 300_000


def pressure_device(number: int = 0, area: str = "D01", **changes: Any) -> Device:
    """Return a device that samples every 300 s, 60 s in alarm, 0 to 1.6 MPa."""
    fields: dict[str, Any] = {
        "id": f"WP-{area}-{number:04d}",
        "kind": "network_pressure",
        "quantity": "pressure",
        "domain": "water",
        "area": area,
        "element": f"n{number}",
        "gateway": f"g-{area}",
        "x_m": 0.0,
        "y_m": 0.0,
        "interval_s": 300,
        "alarm_interval_s": 60,
        "upload_s": 0,
        "range_low": 0.0,
        "range_high": 1.6,
        "accuracy": 0.002,
        "resolution": 0.001,
        "alarm_low": float("nan"),
        "alarm_high": float("nan"),
        "max_step": 0.3,
    }
    return Device(**{**fields, **changes})


def pressure_registry(devices: int = 1, area: str = "D01", **changes: Any) -> Registry:
    """Return a registry of like devices in one area."""
    return Registry.of(pressure_device(number, area, **changes) for number in range(devices))


def frame_of(
    readings: Sequence[tuple[int, int, float]],
    seq: int = 0,
    boot: int = 1,
    gateway: str = "g-D01",
    sent_ms: int = START_MS,
) -> Frame:
    """Return a frame of (device, time_ms, value)."""
    device, time_ms, value = zip(*readings, strict=True) if readings else ((), (), ())
    return Frame(FrameId(gateway, boot, seq), sent_ms, ReadingBatch.of(device, time_ms, value))


def samples_of(readings: Sequence[Reading], received_ms: int) -> Samples:
    """Return checked samples, sorted by device and time."""
    device, time_ms, value, quality = zip(*readings, strict=True)
    batch = ReadingBatch.of(device, time_ms, value, quality).by_device_and_time()
    return Samples(batch, received_ms)
