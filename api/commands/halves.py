"""Carries out `tocsin simulate` and `tocsin pipeline`."""

import gc
import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from api.bootstrap import WorldParts, build_platform, build_world, client_id
from api.commands.checks import check_broker_url, check_folder, checked_pace
from api.commands.errors import FAILED, INTERRUPTED, WrongUseError, say
from api.commands.hosting import planned, watch_of
from api.commands.live import LineView, QuietView
from api.commands.silence import NoCodec, NoRecorder, NoTransport
from api.commands.stopping import Stop, stop_on_signals
from api.library import find_scenario
from api.plan import RunPlan, write_plan
from api.results import has_ended, platform_result, world_result
from api.rule_choice import RuleWatch, chosen_rules, keep_rules, note_rules
from api.session import refuse_used_folder
from api.settings import Settings
from pipeline.runners.embedded import EmbeddedRunner
from sensors.errors import TransportError
from sensors.transports.mqtt import MqttTransport
from simulator.clock import MaxPace, RatePace, hold
from simulator.errors import ScenarioError
from simulator.scenario import load_scenario
from simulator.wire import WorldWire

_REMIND_S = 1.0
_TELL_S = 10.0


@dataclass(frozen=True, slots=True)
class Half:
    """What either half is asked for on the command line."""

    scenario: str
    broker: str
    seed: int | None
    out: Path | None
    city: str | None
    is_json: bool
    profile: str | None = None

    def planned(self) -> RunPlan:
        """Return the plan, once the broker's URL is known to be one."""
        check_broker_url(self.broker or None)
        file = find_scenario(self.scenario)
        return planned(file, seed=self.seed, city=self.city, profile=self.profile)


def run_world(half: Half, pace: str | None, *, wants_ack: bool) -> int:
    """Run the world to its end, or until somebody stops it, and return the exit code."""
    plan = half.planned()
    strategy = checked_pace(pace or plan.scenario.pace)
    folder = half.out or Settings().runs / f"world-{plan.scenario.name}"
    refuse_used_folder(folder)
    started_s, failure = time.monotonic(), ""
    with ExitStack() as stack:
        stop = stack.enter_context(stop_on_signals())
        transport = MqttTransport(half.broker, client_id(plan, "world", folder))
        stack.callback(transport.close)
        write_plan(folder, plan)
        parts = build_world(plan, transport, folder, wants_ack=wants_ack)
        stack.callback(parts.world.close)
        try:
            with suppress(KeyboardInterrupt):
                _turn(parts, strategy, stop, wants_ack=wants_ack)
                transport.flush(30.0)
        except TransportError as error:
            failure = str(error)
        finally:
            hashes = parts.recorder.close()
        wall_s = time.monotonic() - started_s
        summary = world_result(plan, parts.world, hashes, wall_s, folder, failure)
    return _end(summary, failure, is_json=half.is_json)


def run_world_alone(half: Half, pace: str | None, *, records: bool) -> int:
    """Run the world without a platform and without a wire, as fast as the pace allows.

    Args:
        half: What is asked for; it has no broker.
        pace: Pace instead of the scenario's own.
        records: Whether a recording is written.
    """
    plan = half.planned()
    strategy = checked_pace(pace or plan.scenario.pace)
    folder = half.out or Settings().runs / f"world-{plan.scenario.name}"
    refuse_used_folder(folder)
    console = Console(stderr=True)
    view = QuietView() if half.is_json else LineView(plan, console)
    with ExitStack() as stack:
        stop = stack.enter_context(stop_on_signals())
        if records:
            write_plan(folder, plan)
        parts = build_world(
            plan,
            NoTransport(),
            folder,
            wants_ack=False,
            codec=NoCodec(),
            recorder=None if records else NoRecorder(folder),
        )
        stack.callback(parts.world.close)
        started_s = time.monotonic()
        try:
            with suppress(KeyboardInterrupt):
                while not (parts.world.is_over or stop.is_asked):
                    hold(strategy, parts.world.now_ms, time.monotonic, stop.wait)
                    parts.world.advance()
                    view.tick(parts.world.now_ms, parts.world.true_values)
        finally:
            hashes = parts.recorder.close()
        wall_s = time.monotonic() - started_s
        summary = world_result(plan, parts.world, hashes, wall_s, folder)
    return _end(summary, "", is_json=half.is_json)


def run_platform(half: Half, rules: str | None = None, *, watches_rules: bool = False) -> int:
    """Run the platform until the world's last tick, or until somebody stops it.

    Args:
        half: What is asked for.
        rules: Rule set instead of the default: a shipped set's name, or a file.
        watches_rules: Whether that file is read again when it changes.
    """
    chosen = chosen_rules(rules)
    watch = watch_of(rules) if watches_rules else None
    plan = half.planned()
    folder = half.out or Settings().runs / f"platform-{plan.scenario.name}"
    check_folder("--out", folder)
    _check_same_run(folder, plan)
    console = Console(stderr=True)
    view, failure = LineView(plan, console), ""
    with ExitStack() as stack:
        stop = stack.enter_context(stop_on_signals())
        transport = MqttTransport(half.broker, client_id(plan, "platform", folder))
        stack.callback(transport.close)
        write_plan(folder, plan)
        keep_rules(folder, chosen)
        runner = build_platform(
            plan,
            transport,
            folder,
            rules=chosen,
            store_url=Settings().store,
            listener=view.entries,
        )
        stack.callback(runner.close)
        try:
            with suppress(KeyboardInterrupt):
                _serve(runner, stop, console, watch)
                transport.flush(10.0)
        except TransportError as error:
            failure = str(error)
        summary = note_rules(folder, platform_result(plan, runner, folder), chosen)
    return _end(summary, failure, is_json=half.is_json)


def _turn(parts: WorldParts, pace: MaxPace | RatePace, stop: Stop, *, wants_ack: bool) -> None:
    """Turn the world tick by tick; in lockstep each waits for the platform."""
    world, wire = parts.world, parts.wire
    is_ready = not wants_ack or _wait(wire, 0, stop)
    while is_ready and not (world.is_over or stop.is_asked):
        hold(pace, world.now_ms, time.monotonic, stop.wait)
        wire.collect(0.0)
        world.take_orders(wire.take_orders())
        tick = world.advance()
        is_ready = not wants_ack or _wait(wire, tick.tick, stop)


def _wait(wire: WorldWire, tick: int, stop: Stop) -> bool:
    """Wait for the acknowledgement of a tick; say so every ten seconds; False when stopped."""
    since_s = told_s = time.monotonic()
    while not wire.is_acknowledged(tick):
        if stop.is_asked:
            return False
        wire.collect(0.05)
        if time.monotonic() - told_s > _TELL_S:
            told_s = time.monotonic()
            say(f"waiting {told_s - since_s:.0f} s for the platform to do tick {tick}", 0)
    return True


def _serve(runner: EmbeddedRunner, stop: Stop, console: Console, watch: RuleWatch | None) -> None:
    """Work until the last tick; remind the world now and then where we are."""
    runner.start()
    gc.freeze()  # tables and models live as long as this process: never walk over them again
    if runner.last_tick:
        console.print(f"going on after tick {runner.last_tick}", highlight=False)
    if has_ended(runner.entries()):
        return
    reminded_s = time.monotonic()
    while not (runner.is_over or stop.is_asked):
        if watch is not None:
            watch.look(runner.now_ms, runner)
        if runner.pump(0.05):
            reminded_s = time.monotonic()
        elif time.monotonic() - reminded_s > _REMIND_S:
            runner.acknowledge()
            reminded_s = time.monotonic()


def _check_same_run(folder: Path, plan: RunPlan) -> None:
    """Raise WrongUseError when a folder belongs to a platform that ran another scenario."""
    file = folder / "scenario.json"
    if not file.is_file():
        return
    try:
        is_same = load_scenario(file).digest == plan.scenario.digest
    except ScenarioError:
        is_same = False
    if not is_same:
        raise WrongUseError(
            f"{folder} holds the state of another scenario than {plan.scenario.name}; "
            "give that one, or choose another --out"
        )


def _end(summary: Mapping[str, Any], failure: str, *, is_json: bool) -> int:
    """Print what a half came to and return the exit code."""
    if is_json:
        sys.stdout.write(json.dumps(summary, indent=1) + "\n")
    else:
        console = Console()
        for key, value in _flat(summary):
            console.print(f"{key}: {value}", highlight=False, markup=False, soft_wrap=True)
    if failure:
        return say(f"{failure}\nwhat was recorded until then is in {summary['out']}", FAILED)
    if summary["complete"]:
        return 0
    return say(f"interrupted; what was recorded is in {summary['out']}", INTERRUPTED)


def _flat(summary: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Yield what a summary holds, line by line, with the names of its parts joined by dots."""
    for key, value in summary.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value
