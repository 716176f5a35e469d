"""A platform of your own: hears a city over MQTT and prints its lowest pressure of each hour.

`listen` is all of it and needs nothing but the package `sensors`. `main` starts what it faces:
a broker and the world, each a process of its own.
"""

import subprocess
import sys
import tempfile
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np

from sensors.codecs import codec_named
from sensors.field import ClockAck, ClockTick, decode, encode
from sensors.readings import FrameId, ReadingBatch
from sensors.registry import Registry
from sensors.transports import Transport, topics
from sensors.transports.broker import EmbeddedBroker
from sensors.transports.mqtt import MqttTransport

SCENARIO = Path(__file__).resolve().parent.parent / "tests" / "data" / "short-burst.yaml"
HOUR_MS = 3_600_000
ZONE = timezone(timedelta(hours=8))


def listen(transport: Transport, registry: Registry, city: str) -> None:
    """Work through the ticks in order until the world's last one."""
    codec, clock = codec_named("senml_json", registry), topics.clock_topic(city)
    transport.subscribe([topics.telemetry_filter(city), clock])
    ticks: dict[int, ClockTick] = {}
    payloads: list[bytes] = []
    seen: set[FrameId] = set()
    batches: list[ReadingBatch] = []
    done = ClockAck(tick=0, orders=0)
    while True:
        received = transport.poll(0.2)
        for envelope in received:
            if envelope.topic == clock:
                tick = decode(envelope.payload, ClockTick)
                ticks[tick.tick] = tick
            else:
                payloads.append(envelope.payload)
        transport.ack(received)
        if not received:  # the world may have come later than we: say again how far we are
            transport.publish(topics.ack_topic(city), encode(done))
        if (now := ticks.get(done.tick + 1)) is None:
            continue
        for payload in payloads:
            frame = codec.decode(payload, now.time_ms).frame
            if frame.id not in seen:  # at least once means: sometimes twice
                seen.add(frame.id)
                batches.append(frame.batch)
        payloads.clear()
        if len(seen) < now.frames:  # the clock came first; some frames are still on their way
            continue
        if now.time_ms % HOUR_MS == 0:
            show(ReadingBatch.concat(batches), registry, now.time_ms)
            batches.clear()
        done = ClockAck(tick=now.tick, orders=0)
        transport.publish(topics.ack_topic(city), encode(done))
        if now.is_final:
            transport.flush(10.0)
            return


def show(readings: ReadingBatch, registry: Registry, now_ms: int) -> None:
    """Print the lowest pressure among some readings."""
    is_pressure = np.isin(readings.device, registry.where("quantity", "pressure"))
    pressures = readings.take(is_pressure).by_device_and_time()
    lowest = pressures.value.argmin()
    when = datetime.fromtimestamp(now_ms / 1000, ZONE)
    device = registry.ids[pressures.device[lowest]]
    print(f"until {when:%H:%M}  {pressures.value[lowest]:.3f} MPa at {device}", flush=True)


def main() -> None:
    """Start a broker and a world, and be its platform."""
    tocsin = [sys.executable, "-m", "api"]
    with tempfile.TemporaryDirectory() as folder, EmbeddedBroker() as broker:
        town, out = f"{folder}/town", f"{folder}/world"
        make = ["city", "generate", "--seed", "3", "--junctions", "60", "--out", town]
        subprocess.run([*tocsin, *make], check=True, stdout=subprocess.DEVNULL)
        face = ["simulate", str(SCENARIO), "--city", town, "--broker", broker.url, "--pace", "max"]
        world = subprocess.Popen([*tocsin, *face, "--out", out], stdout=subprocess.DEVNULL)
        transport = MqttTransport(broker.url, "own-platform", clean=True)
        try:
            listen(transport, Registry.load(Path(town) / "devices.parquet"), "town3")
            world.wait(30)
        finally:
            world.terminate()
            world.wait()
            transport.close()


if __name__ == "__main__":
    main()
