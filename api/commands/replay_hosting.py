"""Carries out `tocsin replay`: shows it while it goes, prints what it came to."""

import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from api.commands.checks import check_broker_url, checked_pace
from api.commands.errors import FAILED, INTERRUPTED, WrongUseError, say
from api.commands.hosting import new_folder
from api.commands.live import view_for
from api.commands.stopping import stop_on_signals
from api.replaying.recording import Recording
from api.replaying.session import ReplaySession
from api.results import RunResult, counts_text
from api.rule_choice import chosen_rules
from api.session import refuse_used_folder
from api.settings import Settings
from api.telling import city_time
from sensors.errors import TransportError

_SCORES = (
    ("POD", "pod", ""),
    ("FAR ratio", "far_ratio", ""),
    ("CSI", "csi", ""),
    ("detection delay", "detection_delay_min", " min"),
    ("lead time", "lead_time_min", " min"),
)


def host_replay(
    folder: Path,
    *,
    pace: str,
    rules: str | None,
    transport: str,
    broker: str | None,
    out: Path | None,
    is_json: bool,
) -> int:
    """Replay a recording to its end, or until somebody stops it, and return the exit code."""
    strategy = checked_pace(pace)
    check_broker_url(broker)
    if not folder.is_dir():
        raise WrongUseError(f"{folder}: no such folder; give one that `tocsin run` wrote")
    chosen = chosen_rules(rules) if rules is not None else None
    try:
        recording = Recording.open(folder)
    except TransportError as error:
        raise WrongUseError(str(error)) from error
    into = out or new_folder(f"{folder.name}-replay")
    refuse_used_folder(into)
    settings, console = Settings(), Console(stderr=is_json)
    view, failure = view_for(recording.plan, console, is_json=is_json), ""
    with (
        stop_on_signals() as stop,
        ReplaySession(
            recording,
            chosen or recording.rules() or chosen_rules(None),
            into,
            transport=transport,
            broker=broker,
            pace=strategy,
            store_url=settings.store,
            nats_server=settings.nats_server,
            listener=view.entries,
            sleep=stop.wait,
        ) as session,
    ):
        try:
            with view, suppress(KeyboardInterrupt):
                while not (session.is_over or stop.is_asked):
                    session.step()
                    view.tick(session.now_ms, session.playback.shown)
        except TransportError as error:
            failure = str(error)
        result = session.finish(failure)
    if is_json:
        sys.stdout.write(result.to_json() + "\n")
    else:
        _print(console, result)
    if failure:
        return say(f"{failure}\nwhat was done until then is in {into}", FAILED)
    if result.summary["complete"]:
        return 0
    scenario = recording.scenario
    when = city_time(scenario.start_ms + result.event_ms, scenario.utc_offset_ms)
    return say(f"interrupted at {when}; what was done is in {into}", INTERRUPTED)


def _print(console: Console, result: RunResult) -> None:
    """Print the outcome for people."""
    summary = result.summary
    incidents, readings, loop = (summary[key] for key in ("incidents", "readings", "loop"))
    head = "stopped before the end and not scored"
    if incidents["found"] is not None:
        head = counts_text(incidents)
    scores = [
        f"{title} {summary['evaluation'][key]:.3g}{unit}"
        for title, key, unit in _SCORES
        if summary["evaluation"][key] is not None
    ]
    lines = [
        Text(head, style="bold"),
        Text(" · ".join(scores) or "nothing to score"),
        Text(
            f"readings: {readings['published']:,} published, {readings['received']:,} received, "
            f"{readings['duplicate']:,} duplicate, {readings['rejected']:,} rejected"
        ),
        Text(_against(summary["recorded"])),
        Text(
            f"open loop: {loop['orders']} orders, {loop['unanswered']} of them unanswered; "
            f"{loop['feedback_given']} recorded feedbacks given, "
            f"{loop['feedback_withheld']} withheld"
        ),
        Text(
            f"rules: {summary['rules']['set']} {summary['rules']['version']}"
            f" · {summary['pace']['actual']:,.0f}× real time, {summary['wall_s']:.1f} s"
        ),
        Text(f"result: {summary['out']}  events {summary['events_hash'][:16]}"),
    ]
    if result.report is not None:
        lines.append(Text(f"report: {result.report}", style="bold"))
    console.print()
    for line in lines:
        console.print(line, soft_wrap=True)


def _against(recorded: Mapping[str, Any] | None) -> str:
    """Return how the replay differs from the recorded run."""
    if recorded is None:
        return "the recording holds no run of the platform to compare with"
    if recorded["is_same"]:
        return "event log: the same as recorded"
    parts = [
        f"{name}: {counts['same']} as recorded, {len(counts['only_replayed'])} new, "
        f"{len(counts['only_recorded'])} gone"
        for name, counts in recorded.items()
        if name != "is_same"
    ]
    return " · ".join(parts)
