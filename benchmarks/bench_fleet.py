"""A fleet of up to 200,000 devices: alone, and with the wire and the seven stages.

    python -m benchmarks.bench_fleet DEVICES MIX[-storm] alone|memory|mqtt TICKS CODEC PACE

Words at the end may be left out. The city generator and the physics are left out too: true values
are made up, so that what is measured is the fleet, the codec, the wire and the platform.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.big_city import SHENYANG, in_storm, make_registry
from benchmarks.figures import Figure
from pipeline.adapters.inbox import InboxJournal
from pipeline.adapters.sql_store import SqlStore, sqlite_url
from pipeline.assess.stage import AssessStage
from pipeline.dispatch.plans import default_plans
from pipeline.dispatch.stage import DispatchStage
from pipeline.evaluate.stage import EvaluateStage
from pipeline.monitor.intake import Intake
from pipeline.monitor.stage import MonitorStage
from pipeline.report.stage import ReportStage
from pipeline.rules import default_rules
from pipeline.runners.embedded import EmbeddedRunner
from pipeline.stage import Stage
from pipeline.supervise.stage import SuperviseStage
from pipeline.warn.stage import WarnStage
from sensors.city import City
from sensors.codecs import codec_named
from sensors.devices.faults import Fault, FaultKind
from sensors.readings import Floats
from sensors.registry import Registry
from sensors.transports import Transport
from sensors.transports.broker import EmbeddedBroker
from sensors.transports.memory import MemoryBus
from sensors.transports.mqtt import MqttTransport
from simulator.city.generate import generate_town
from simulator.clock import hold, pace_of
from simulator.fleet import Fleet, FleetTick
from simulator.recorder import Recorder
from simulator.wire import WorldWire

START_MS = 1_750_000_000_000
TICK_MS = 60_000
TICKS = 60
SIZES = (20_000, 50_000, 100_000, SHENYANG)
_TARGETS = {"alone": 300.0, "memory": 30.0, "mqtt": 30.0}
_BLACKOUT = (0.3, 0.8, 0.3)  # from and to, as shares of the run; share of the gateways
_STORM = (0.2, 0.6)  # from and to, as shares of the run


@dataclass
class Stopwatch:
    """Wall time a part; parts may lie within each other."""

    seconds: dict[str, float] = field(default_factory=dict)
    worst: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.add(name, time.perf_counter() - began)

    def add(self, name: str, seconds: float) -> None:
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds
        self.worst[name] = max(self.worst.get(name, 0.0), seconds)

    def watch(self, owner: object, method: str, name: str) -> None:
        """Time every call of a method of one object."""
        inner: Callable[..., Any] = getattr(owner, method)

        def timed(*args: Any, **kwargs: Any) -> Any:
            began = time.perf_counter()
            try:
                return inner(*args, **kwargs)
            finally:
                self.add(name, time.perf_counter() - began)

        setattr(owner, method, timed)

    def table(self, ticks: int) -> dict[str, str]:
        """Return mean and worst milliseconds a tick; of small calls the worst is of one call."""
        return {
            name: f"{seconds / ticks * 1e3:.1f} (worst {self.worst[name] * 1e3:.1f})"
            for name, seconds in sorted(self.seconds.items(), key=lambda item: -item[1])
        }


@dataclass(frozen=True)
class Load:
    """A fleet with the true values at its devices, dry and in a storm."""

    registry: Registry
    dry: Floats
    wet: Floats


class World:
    """The fleet over made-up true values, with its end of the wire."""

    def __init__(self, load: "Load", ticks: int, watch: Stopwatch) -> None:
        registry = load.registry
        begin_s = time.perf_counter()
        self.fleet = Fleet(registry, 7, faults=_blackout(registry, ticks))
        self.made_s = time.perf_counter() - begin_s
        self._load, self._watch = load, watch
        self._storm = range(round(_STORM[0] * ticks), round(_STORM[1] * ticks))
        self._true, self.tick_number = load.dry, 0
        self.readings = self.frames = self.lost = 0

    @property
    def now_ms(self) -> int:
        """Event time."""
        return START_MS + self.tick_number * TICK_MS

    def advance(self) -> FleetTick:
        """Do one tick of the fleet."""
        start_ms = self.now_ms
        self.tick_number += 1
        with self._watch.part("truth"):
            level = self._load.wet if self.tick_number in self._storm else self._load.dry
            true = level * (1.0 + 0.01 * np.sin(self.tick_number / 20.0))
        with self._watch.part("fleet"):
            produced = self.fleet.tick(start_ms, self.now_ms, self._true, true)
        self._true = true
        self.readings += produced.readings
        self.frames += len(produced.frames) - produced.duplicates
        self.lost += produced.lost_frames
        return produced


def alone(devices: int = SHENYANG, mix: str = "shenyang", ticks: int = TICKS) -> Figure:
    """The fleet by itself."""
    watch = Stopwatch()
    world = World(_load(devices, mix), ticks, watch)
    began = time.perf_counter()
    sampled = sum(world.advance().sampled for _ in range(ticks))
    seconds = time.perf_counter() - began
    detail = {"sampled": sampled, "readings": world.readings, "frames": world.frames}
    return _figure(f"fleet_alone_{mix}_{devices}", ticks, seconds, watch, world, detail)


def looped(
    devices: int = SHENYANG,
    mix: str = "shenyang",
    transport: str = "memory",
    ticks: int = TICKS,
    codec: str = "senml_json",
    pace: str = "max",
) -> Figure:
    """The fleet, its recording, the wire and the seven stages, in lockstep."""
    rate, worst_lag_s = pace_of(pace), 0.0
    watch = Stopwatch()
    with ExitStack() as stack:
        out = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        load = _load(devices, mix)
        registry = load.registry
        city = _town()
        ends = _ends(stack, transport)
        world = World(load, ticks, watch)
        wire = WorldWire(
            ends[0],
            city.id,
            codec_named(codec, registry),
            world.fleet.gateway_topics,
            dict(zip(registry.ids, registry.texts("gateway"), strict=True)),
        )
        recorder = Recorder(out)
        stack.callback(recorder.close)
        runner, stages = _platform(registry, city, ends[1], out, codec)
        _watch_platform(watch, runner, stages)
        runner.start()
        began = time.perf_counter()
        for _ in range(ticks):
            hold(rate, world.now_ms, time.monotonic, time.sleep)
            worst_lag_s = max(worst_lag_s, rate.lag_s())
            _one_tick(world, wire, recorder, runner, watch, is_final=world.tick_number == ticks - 1)
        seconds = time.perf_counter() - began
        frames = runner.frame_counts()
        detail = {
            "readings": world.readings,
            "received": runner.reading_counts().received,
            "frames": world.frames,
            "frames_received": frames.received,
            "frames_lost": frames.lost,
            "frames_unaccounted": frames.unaccounted(world.frames + world.lost, world.lost),
            "log_entries": len(runner.entries()),
            "pace": rate.name,
            "worst_lag_s": round(worst_lag_s, 3),
        }
        runner.close()
    return _figure(f"fleet_{transport}_{mix}_{devices}", ticks, seconds, watch, world, detail)


def _one_tick(
    world: World,
    wire: WorldWire,
    recorder: Recorder,
    runner: EmbeddedRunner,
    watch: Stopwatch,
    *,
    is_final: bool,
) -> None:
    produced = world.advance()
    with watch.part("record"):
        recorder.tick(world.now_ms, produced.frames, (), ())
    with watch.part("publish"):
        tick = wire.publish_tick(
            world.tick_number,
            world.now_ms,
            produced.frames,
            statuses=produced.statuses,
            feedback=(),
            truths=(),
            is_final=is_final,
        )
    with watch.part("platform"):
        while not wire.is_acknowledged(tick.tick):
            runner.pump(0.002)
            wire.collect(0.002)
    wire.take_orders()


def _platform(
    registry: Registry, city: City, transport: Transport, out: Path, codec: str
) -> tuple[EmbeddedRunner, dict[str, Stage]]:
    rules = default_rules()
    evaluate = EvaluateStage(city)
    stages: dict[str, Stage] = {
        "monitor": MonitorStage(registry, rules.device),
        "warn": WarnStage(registry, rules),
        "assess": AssessStage(registry, city, None),
        "dispatch": DispatchStage(city, default_plans(), rules.response),
        "supervise": SuperviseStage(rules.response, rules.escalation),
        "evaluate": evaluate,
        "report": ReportStage(city, rules.response),
    }
    runner = EmbeddedRunner(
        stages,
        Intake({codec: codec_named(codec, registry)}),
        transport,
        SqlStore(sqlite_url(out / "loop.sqlite")),
        InboxJournal(out / "inbox.journal"),
        city.id,
        start_ms=START_MS,
        finish=evaluate.finish,
        gateways=frozenset(registry.texts("gateway")),
    )
    return runner, stages


def _watch_platform(watch: Stopwatch, runner: EmbeddedRunner, stages: dict[str, Stage]) -> None:
    for name, stage in stages.items():
        watch.watch(stage, "on_batch", name)
        watch.watch(stage, "on_time", name)
    for part in ("_receive", "_snapshot", "_work"):
        watch.watch(runner, part, f"runner.{part[1:]}")


def _ends(stack: ExitStack, transport: str) -> tuple[Transport, Transport]:
    if transport == "memory":
        bus = MemoryBus()
        return bus.client("world"), bus.client("platform")
    url = stack.enter_context(EmbeddedBroker()).url
    ends = MqttTransport(url, "bench-world"), MqttTransport(url, "bench-platform")
    for end in ends:
        stack.callback(end.close)
    return ends


def _town() -> City:
    return generate_town(7, junctions=80)[0]


def _load(devices: int, mix: str) -> Load:
    name, _, weather = mix.partition("-")
    nodes = tuple(row["id"] for row in _town().rows("nodes") if row["kind"] == "junction")
    registry, dry = make_registry(devices, name, nodes)
    return Load(registry, dry, in_storm(registry, dry) if weather == "storm" else dry)


def _blackout(registry: Registry, ticks: int) -> tuple[Fault, ...]:
    """Return outages of every third gateway or so: thousands of devices fall silent."""
    begin, end, share = _BLACKOUT
    gateways = sorted(set(registry.texts("gateway")))
    start_ms, end_ms = (START_MS + int(part * ticks) * TICK_MS for part in (begin, end))
    return tuple(
        Fault(gateway, FaultKind.GATEWAY_OUTAGE, start_ms, end_ms)
        for gateway in gateways[: int(share * len(gateways))]
    )


def _figure(
    name: str,
    ticks: int,
    seconds: float,
    watch: Stopwatch,
    world: World,
    detail: dict[str, Any],
) -> Figure:
    """Return the speed as a multiple of real time, with milliseconds a tick of each part."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0
    detail = {
        **detail,
        "ms_a_tick": round(seconds / ticks * 1e3, 1),
        "start_s": round(world.made_s, 2),
        "peak_mib": round(peak),
        "parts_ms": watch.table(ticks),
    }
    target = _TARGETS[name.split("_")[1]]
    speed = round(ticks * TICK_MS / 1e3 / seconds, 1)
    return Figure(name, speed, "x real time", target, detail=detail)


_DEFAULTS = (str(SHENYANG), "shenyang", "memory", str(TICKS), "senml_json", "max")


def sizes() -> list[Figure]:
    """The fleet alone and the whole loop over MQTT, at four sizes, each in a fresh process."""
    cases = [(size, "shenyang", how) for size in SIZES for how in ("alone", "mqtt")]
    cases += [(SHENYANG, "shenyang-storm", "mqtt"), (SHENYANG, "stress", "mqtt")]
    return [_apart(*case) for case in cases]


def _apart(devices: int, mix: str, how: str) -> Figure:
    """Run a case in a process of its own: peak memory cannot be measured twice in one."""
    command = [sys.executable, "-m", "benchmarks.bench_fleet", str(devices), mix, how]
    found = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    found.pop("is_reached")
    return Figure(**found)


def main() -> None:
    """Run one case given on the command line."""
    words = [*sys.argv[1:], *_DEFAULTS[len(sys.argv) - 1 :]]
    devices, mix, how, ticks = int(words[0]), words[1], words[2], int(words[3])
    if how == "alone":
        figure = alone(devices, mix, ticks)
    else:
        figure = looped(devices, mix, how, ticks, *words[4:6])
    print(json.dumps(figure.as_dict(), indent=1))


if __name__ == "__main__":
    main()
