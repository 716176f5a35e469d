"""Carries out `tocsin run`: plans, shows the run while it goes, prints what it came to."""

import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from api.cities import city_size
from api.commands.checks import check_broker_url, checked_pace
from api.commands.errors import FAILED, INTERRUPTED, say
from api.commands.live import QuietView, TableView, view_for
from api.commands.stopping import Stop, stop_on_signals
from api.library import ScenarioFile, find_scenario
from api.plan import RunPlan, plan_run
from api.results import RunResult, counts_text
from api.rule_choice import RuleWatch, chosen_rules, watched_file
from api.session import RunSession, refuse_used_folder
from api.settings import Settings
from api.telling import city_time
from sensors.errors import TransportError

_SCORES = (
    ("POD", "pod", ""),
    ("FAR ratio", "far_ratio", ""),
    ("CSI", "csi", ""),
    ("detection delay", "detection_delay_min", " min"),
    ("lead time", "lead_time_min", " min"),
    ("location error", "location_error_m", " m"),
    ("", "location_error_pipes", " pipes off"),
    ("timeliness", "timeliness", ""),
)
"""Scores as they are shown: title, key in the summary, unit."""


@dataclass(frozen=True, slots=True)
class Wire:
    """How the halves shall talk: `memory` or `mqtt`, and the broker if not the embedded one."""

    transport: str
    broker: str | None


def host_run(
    scenario: str,
    *,
    pace: str | None,
    wire: Wire,
    out: Path | None,
    is_json: bool,
    seed: int | None = None,
    city: str | None = None,
    profile: str | None = None,
    rules: str | None = None,
    watches_rules: bool = False,
    name: str = "",
) -> int:
    """Run a scenario to its end, or until somebody stops it, and return the exit code."""
    chosen = chosen_rules(rules)
    watch = watch_of(rules) if watches_rules else None
    file = find_scenario(scenario)
    strategy = checked_pace(pace or file.scenario.pace)
    check_broker_url(wire.broker)
    folder = out or new_folder(name or file.scenario.name)
    refuse_used_folder(folder)
    plan = planned(file, seed=seed, city=city, profile=profile)
    console = Console(stderr=is_json)
    view = view_for(plan, console, is_json=is_json)
    with stop_on_signals() as stop:
        settings = Settings()
        session = RunSession(
            plan,
            folder,
            transport=wire.transport,
            broker=wire.broker,
            pace=strategy,
            nats_server=settings.nats_server,
            store_url=settings.store,
            listener=view.entries,
            sleep=stop.wait,
            rules=chosen,
            watch=watch,
        )
        result, failure = _carry_out(session, view, stop)
    if is_json:
        sys.stdout.write(result.to_json() + "\n")
    else:
        print_result(console, result)
    if failure:
        return say(f"{failure}\nwhat was recorded until then is in {folder}", FAILED)
    if result.summary["complete"]:
        return 0
    when = city_time(plan.scenario.start_ms + result.event_ms, plan.scenario.utc_offset_ms)
    return say(f"interrupted at {when}; what was recorded is in {folder}", INTERRUPTED)


def planned(
    file: ScenarioFile, *, seed: int | None, city: str | None, profile: str | None
) -> RunPlan:
    """Return the plan of a run; says on stderr what takes long meanwhile.

    Args:
        file: The scenario.
        seed: Seed instead of the scenario's own.
        city: City folder, or a size to generate, instead of the scenario's own.
        profile: Load profile instead of the scenario's own.
    """
    size = city_size(city)
    return plan_run(
        file.scenario,
        file.path,
        seed=seed,
        city_folder=None if city is None or size else Path(city),
        size=size,
        profile=profile,
        note=lambda text: say(f"{text} …", 0),
    )


def watch_of(rules: str | None) -> RuleWatch:
    """Return what looks after the file of `--rules`; RuleError when it is no file."""
    return RuleWatch(watched_file(rules), lambda text: say(text, 0))


def _carry_out(
    session: RunSession, view: QuietView | TableView, stop: Stop
) -> tuple[RunResult, str]:
    """Return what a run came to, and why it failed (empty when it did not)."""
    failure = ""
    with session:
        try:
            with view, suppress(KeyboardInterrupt):
                while not (session.is_over or stop.is_asked):
                    session.step()
                    view.tick(session.now_ms, session.world.true_values)
        except TransportError as error:
            failure = str(error)
        return session.finish(failure), failure


def print_result(console: Console, result: RunResult) -> None:
    """Print the outcome of a run for people."""
    summary = result.summary
    incidents, scores, readings = (summary[key] for key in ("incidents", "evaluation", "readings"))
    frames = summary["frames"]
    if incidents["found"] is None:
        head = f"stopped before the end and not scored; true incidents so far: {incidents['true']}"
    else:
        head = counts_text(incidents)
    shown = [
        f"{title} {scores[key]:.3g}{unit}".lstrip()
        for title, key, unit in _SCORES
        if scores[key] is not None
    ]
    lines = [
        Text(head, style="bold"),
        Text(" · ".join(shown) or "nothing to score"),
        Text(
            f"readings: {readings['published']:,} published, {readings['received']:,} received, "
            f"{readings['lost']:,} declared lost, {readings['duplicate']:,} duplicate, "
            f"{readings['rejected']:,} rejected"
        ),
        Text(
            f"frames: {frames['published']:,} published = {frames['received']:,} received + "
            f"{frames['declared_lost']:,} declared lost + {frames['unaccounted']:,} unaccounted"
        ),
        Text(
            f"{summary['pace']['actual']:,.0f}× real time (asked: {summary['pace']['asked']}), "
            f"{summary['wall_s']:.1f} s"
        ),
        Text(_conservation(summary)),
        Text(f"recording: {summary['out']}  hash {summary['recording_hash'][:16]}"),
    ]
    if result.report is not None:
        lines.append(Text(f"report:    {result.report}", style="bold"))
    console.print()
    for line in lines:
        console.print(line, soft_wrap=True)


def _conservation(summary: Mapping[str, Any]) -> str:
    """Return how well the networks conserved what flows in them."""
    parts = [f"water balance closes within {summary['water_balance']['error_share']:.2%}"]
    balances = summary.get("balances", {})
    if "flood" in balances:
        parts.append(f"storm water within {abs(balances['flood']['continuity_error']):.2%}")
    if "gas" in balances:
        parts.append(f"gas at its worst node within {balances['gas']['imbalance']:.0e}")
    return ", ".join(parts)


def new_folder(name: str) -> Path:
    """Return a folder for a new run under the runs folder, named by scenario and wall time."""
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    folder = Settings().runs / f"{name}-{stamp}"
    number = 1
    while folder.exists():
        number += 1
        folder = Settings().runs / f"{name}-{stamp}-{number}"
    return folder
