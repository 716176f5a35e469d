"""`tocsin simulate` and `tocsin pipeline`: each half alone, facing the other over a broker."""

import json
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from api.bootstrap import build_platform, build_world, client_id
from api.commands.live import LineView
from api.commands.run import CityOption, JsonOption, OutOption, PaceOption, ScenarioArg, SeedOption
from api.library import find_scenario
from api.plan import plan_run
from api.results import platform_result, world_result
from api.settings import Settings
from sensors.transports.mqtt import MqttTransport
from simulator.clock import hold, pace_of
from simulator.wire import WorldWire

RequiredBroker = Annotated[
    str,
    typer.Option(envvar="TOCSIN_BROKER", help="MQTT broker, mqtt://[user:password@]host:port."),
]
_REMIND_S = 1.0


def simulate(
    scenario: ScenarioArg,
    broker: RequiredBroker,
    pace: PaceOption = None,
    seed: SeedOption = None,
    out: OutOption = None,
    city: CityOption = None,
    lockstep: Annotated[
        bool,
        typer.Option(
            help="Wait for the platform's acknowledgement of each tick. Use --no-lockstep for "
            "a platform that sends none (yours)."
        ),
    ] = True,
    is_json: JsonOption = False,
) -> int:
    """Run the world alone: publish readings, clock, feedback and truth to a broker.

    Any platform may listen; see docs/wire.md for topics and messages. In lockstep the world
    waits as long as it takes, so the platform may start later, or restart, and nothing is lost.
    """
    file = find_scenario(scenario)
    plan = plan_run(file.scenario, file.path, seed=seed, city_folder=city)
    folder = out or Settings().runs / f"world-{plan.scenario.name}"
    strategy = pace_of(pace or plan.scenario.pace)
    stop = _stop_on_signals()
    console = Console(stderr=True)
    if (folder / "manifest.json").exists():
        raise FileExistsError(f"{folder} already holds a recording; choose another --out")
    folder.mkdir(parents=True, exist_ok=True)
    transport = MqttTransport(broker, client_id(plan, "world", folder))
    parts = build_world(plan, transport, folder, wants_ack=lockstep)
    started_s = time.monotonic()
    try:
        is_ready = not lockstep or _wait(parts.wire, 0, stop, console)
        while is_ready and not parts.world.is_over and not stop.is_set():
            hold(strategy, parts.world.now_ms, time.monotonic, stop.wait)
            parts.wire.collect(0.0)
            parts.world.take_orders(parts.wire.take_orders())
            tick = parts.world.advance()
            is_ready = not lockstep or _wait(parts.wire, tick.tick, stop, console)
        transport.flush(30.0)
    finally:
        hashes = parts.recorder.close()
        parts.world.close()
        transport.close()
    summary = world_result(plan, parts.world, hashes, time.monotonic() - started_s, folder)
    _print(summary, is_json=is_json)
    return 0 if parts.world.is_over else 130


def pipeline(
    scenario: ScenarioArg,
    broker: RequiredBroker,
    seed: SeedOption = None,
    out: OutOption = None,
    city: CityOption = None,
    is_json: JsonOption = False,
) -> int:
    """Run the platform alone on a broker, until the world's last tick.

    Kill it whenever you like: started again with the same --out it goes on where it was, with
    nothing done twice and nothing lost that the broker had acknowledged.
    """
    file = find_scenario(scenario)
    plan = plan_run(file.scenario, file.path, seed=seed, city_folder=city)
    folder = out or Settings().runs / f"platform-{plan.scenario.name}"
    console = Console(stderr=True)
    view = LineView(plan, console)
    stop = _stop_on_signals()
    folder.mkdir(parents=True, exist_ok=True)
    transport = MqttTransport(broker, client_id(plan, "platform", folder))
    runner = build_platform(
        plan, transport, folder, store_url=Settings().store, listener=view.entries
    )
    try:
        runner.start()
        if runner.last_tick:
            console.print(f"going on after tick {runner.last_tick}", highlight=False)
        reminded_s = time.monotonic()
        while not runner.is_over and not stop.is_set():
            if runner.pump(0.05):
                reminded_s = time.monotonic()
            elif time.monotonic() - reminded_s > _REMIND_S:
                runner.acknowledge()
                reminded_s = time.monotonic()
        transport.flush(10.0)
        summary = platform_result(plan, runner, folder)
    finally:
        runner.close()
        transport.close()
    _print(summary, is_json=is_json)
    return 0 if runner.is_over else 130


def _wait(wire: WorldWire, tick: int, stop: threading.Event, console: Console) -> bool:
    """Wait for the acknowledgement of a tick; say so every ten seconds; False when stopped."""
    since_s = told_s = time.monotonic()
    while not wire.is_acknowledged(tick):
        if stop.is_set():
            return False
        wire.collect(0.05)
        if time.monotonic() - told_s > 10.0:
            told_s = time.monotonic()
            console.print(f"waiting {told_s - since_s:.0f} s for the platform to do tick {tick}")
    return True


def _stop_on_signals() -> threading.Event:
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    return stop


def _print(summary: dict[str, object], *, is_json: bool) -> None:
    if is_json:
        sys.stdout.write(json.dumps(summary, ensure_ascii=False, indent=1) + "\n")
        return
    console = Console()
    for key, value in summary.items():
        console.print(f"{key}: {value}", highlight=False)
