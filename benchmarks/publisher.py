"""The load of the wire benchmarks: a process of its own that plays the gateways.

    python -m benchmarks.publisher URL CODEC READINGS_PER_FRAME FRAMES DEVICES [RATE_PER_S]

Prints one JSON object: readings and frames published, seconds until the broker had
acknowledged all, and, when paced, the latency of each alarm it provoked.
"""

import json
import sys
import time

import numpy as np

from benchmarks.bench_inprocess import START_MS, make_registry
from sensors.codecs import codec_named
from sensors.field import ClockAck, ClockTick, decode, encode
from sensors.readings import Frame, FrameId, ReadingBatch
from sensors.transports import topics
from sensors.transports.mqtt import MqttTransport
from sensors.transports.topics import PlatformKind, TelemetryKind

CITY = "bench"
TICK_S, TICK_MS = 0.02, 20
_ALARMS, _ROUNDS = 400, 7


class Gateways:
    """Makes frames in turn for all gateways; readings are noise around each device's level."""

    def __init__(self, codec: str, per_frame: int, devices: int) -> None:
        self.registry = make_registry(devices, per_frame)
        self.codec = codec_named(codec, self.registry)
        self.per_frame, self.devices = per_frame, devices
        self._random = np.random.Generator(np.random.Philox(7))
        level = self._random.uniform(0.25, 0.38, devices)
        noise = self._random.normal(0.0, 0.001, (_ROUNDS, devices))
        self._values = np.round(level + noise, 3)
        self._numbers = np.arange(devices, dtype=np.int32)
        self._quality = np.zeros(per_frame, np.uint16)
        gateways = devices // per_frame
        areas = self.registry.texts("area")
        self._topics = [
            str(
                topics.TelemetryTopic(
                    CITY,
                    areas[place * per_frame],
                    "water",
                    f"g{place:04d}",
                    TelemetryKind.TELE,
                    codec,
                )
            )
            for place in range(gateways)
        ]
        self.gateways = gateways

    def frame(self, number: int, sent_ms: int, low: bool = False) -> tuple[str, bytes, str]:
        """Return topic, payload and first device of the `number`-th frame."""
        gateway, seq = number % self.gateways, number // self.gateways
        first = gateway * self.per_frame
        part = slice(first, first + self.per_frame)
        rows, value = self._numbers[part], self._values[seq % _ROUNDS, part]
        times = np.full(self.per_frame, sent_ms - 1, dtype=np.int64)
        if low:  # two samples of the first device below the orange limit: an alarm at once
            rows, value = rows.copy(), value.copy()
            rows[1], times[0], value[:2] = rows[0], sent_ms - 2, 0.09
        batch = ReadingBatch(rows, times, value, self._quality)
        payload = self.codec.encode(Frame(FrameId(f"g{gateway:04d}", 1, seq), sent_ms, batch))
        return self._topics[gateway], payload, self.registry.ids[first]


def _wait_for_platform(transport: MqttTransport) -> None:
    transport.subscribe([topics.ack_topic(CITY)])
    while True:
        received = transport.poll(5.0)
        transport.ack(received)
        if any(decode(item.payload, ClockAck).tick == 0 for item in received):
            return


def flood(url: str, codec: str, per_frame: int, frames: int, devices: int) -> dict[str, object]:
    """Publish as fast as the broker takes it."""
    gateways = Gateways(codec, per_frame, devices)
    transport = MqttTransport(url, "bench-gateways", clean=True)
    _wait_for_platform(transport)
    per_tick = gateways.gateways
    began = time.perf_counter()
    for number in range(frames):
        tick, place = divmod(number, per_tick)
        sent_ms = START_MS + (tick + 1) * 60_000
        topic, payload, _ = gateways.frame(number, sent_ms)
        transport.publish(topic, payload)
        if place == per_tick - 1 or number == frames - 1:
            clock = ClockTick(
                tick + 1, sent_ms, number + 1, is_final=number == frames - 1, wants_ack=False
            )
            transport.publish(topics.clock_topic(CITY), encode(clock))
    transport.flush(60.0)
    seconds = time.perf_counter() - began
    transport.close()
    return {"began": began, "readings": frames * per_frame, "frames": frames, "seconds": seconds}


def paced(
    url: str, codec: str, per_frame: int, frames: int, devices: int, rate_per_s: float
) -> dict[str, object]:
    """Publish at a steady rate and time how long each provoked alarm takes to come back."""
    gateways = Gateways(codec, per_frame, devices)
    transport = MqttTransport(url, "bench-gateways", clean=True)
    _wait_for_platform(transport)
    transport.subscribe([topics.platform_filter(CITY, PlatformKind.ALARM)])
    per_tick = max(1, round(rate_per_s * TICK_S / per_frame))
    every = max(1, frames // _ALARMS)
    sent: dict[str, float] = {}
    latency_ms: list[float] = []
    began = due = time.perf_counter()
    tick = 0
    for number in range(frames):
        is_low = number % every == every // 2 and number // gateways.gateways >= 2
        topic, payload, device = gateways.frame(number, START_MS + (tick + 1) * TICK_MS, is_low)
        if is_low and device not in sent:
            sent[device] = time.perf_counter()
        transport.publish(topic, payload)
        if (number + 1) % per_tick and number != frames - 1:
            continue
        tick += 1
        is_final = number == frames - 1
        clock = ClockTick(
            tick, START_MS + tick * TICK_MS, number + 1, is_final=is_final, wants_ack=False
        )
        transport.publish(topics.clock_topic(CITY), encode(clock))
        due += TICK_S
        while True:
            left = due - time.perf_counter()
            _hear(transport, max(0.0, left), sent, latency_ms)
            if time.perf_counter() >= due:
                break
    give_up = time.perf_counter() + 10.0
    while len(latency_ms) < len(sent) and time.perf_counter() < give_up:
        _hear(transport, 0.05, sent, latency_ms)
    seconds = time.perf_counter() - began
    transport.flush(30.0)
    transport.close()
    return {
        "readings": frames * per_frame,
        "frames": frames,
        "seconds": seconds,
        "provoked": len(sent),
        "latency_ms": latency_ms,
    }


def _hear(
    transport: MqttTransport, timeout_s: float, sent: dict[str, float], latency_ms: list[float]
) -> None:
    received = transport.poll(timeout_s)
    now = time.perf_counter()
    transport.ack(received)
    for item in received:
        device = item.topic.rsplit("/", 1)[-1]
        if device in sent and sent[device] > 0:
            latency_ms.append((now - sent[device]) * 1000.0)
            sent[device] = -1.0


def main() -> None:
    url, codec, per_frame, frames, devices = sys.argv[1:6]
    sizes = int(per_frame), int(frames), int(devices)
    if len(sys.argv) > 6:
        result = paced(url, codec, *sizes, float(sys.argv[6]))
    else:
        result = flood(url, codec, *sizes)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
