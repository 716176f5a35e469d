"""`tocsin run` and `tocsin demo`: world and platform in one process."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from api.commands.live import view_for
from api.library import find_scenario
from api.plan import RunPlan, plan_run
from api.results import RunResult
from api.session import RunSession
from api.settings import Settings
from pipeline.ports import LogEntry
from simulator.clock import pace_of

ScenarioArg = Annotated[
    str, typer.Argument(help="Scenario file, or a name from `tocsin scenarios list`.")
]
PaceOption = Annotated[
    str | None,
    typer.Option(help="`max`, or seconds of event time per second: 1, 60, 600. Default: as filed."),
]
SeedOption = Annotated[int | None, typer.Option(help="Seed instead of the scenario's own.")]
BrokerOption = Annotated[
    str | None,
    typer.Option(
        envvar="TOCSIN_BROKER",
        help="MQTT broker, mqtt://[user:password@]host:port. Default: the embedded one.",
    ),
]
OutOption = Annotated[
    Path | None, typer.Option(help="Folder of the recording. Default: a new one in ./runs.")
]
CityOption = Annotated[
    Path | None, typer.Option(help="City folder (`tocsin city import`) instead of the scenario's.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object, nothing else.")]


def run(
    scenario: ScenarioArg,
    pace: PaceOption = None,
    seed: SeedOption = None,
    transport: Annotated[
        Literal["memory", "mqtt"],
        typer.Option(help="How the halves talk: in memory, or through a real broker."),
    ] = "memory",
    broker: BrokerOption = None,
    out: OutOption = None,
    city: CityOption = None,
    is_json: JsonOption = False,
) -> int:
    """Run a scenario: world and platform face each other until its end.

    The recording folder gets the readings, the truth, every event of the loop, the reports and
    `manifest.json`. Ctrl-C ends the run after the tick at hand and keeps all of it (exit 130).

    Examples:

        tocsin run water-burst

        tocsin run scenarios/water-burst.yaml --transport mqtt --pace 600 --out runs/b1

        tocsin run water-burst --city cities/net3 --seed 7 --json
    """
    file = find_scenario(scenario)
    loaded = file.scenario
    plan = plan_run(loaded, file.path, seed=seed, city_folder=city)
    return carry_out(
        plan,
        out or new_folder(loaded.name),
        pace=pace or loaded.pace,
        transport="mqtt" if broker else transport,
        broker=broker,
        is_json=is_json,
    )


def demo(
    pace: Annotated[str, typer.Option(help="Event time per second of wall time.")] = "900",
    out: OutOption = None,
    is_json: JsonOption = False,
) -> int:
    """Run a burst day on a generated town over the embedded MQTT broker, so that you can follow.

    Takes about a minute and a half; see the report it names at the end.
    """
    file = find_scenario("water-burst")
    plan = plan_run(file.scenario, file.path)
    return carry_out(
        plan, out or new_folder("demo"), pace=pace, transport="mqtt", broker=None, is_json=is_json
    )


def carry_out(
    plan: RunPlan, out: Path, *, pace: str, transport: str, broker: str | None, is_json: bool
) -> int:
    """Run a plan to its end or to Ctrl-C, print the outcome and return the exit code."""
    console = Console(stderr=is_json)
    view = view_for(plan, console, is_json=is_json)

    def listen(entries: Sequence[LogEntry]) -> None:
        view.entries(entries)

    is_interrupted = False
    with RunSession(
        plan,
        out,
        transport=transport,
        broker=broker,
        pace=pace_of(pace),
        nats_server=Settings().nats_server,
        store_url=Settings().store,
        listener=listen,
    ) as session:
        try:
            with view:
                while not session.is_over:
                    session.step()
                    view.tick(session.now_ms, session.world.true_values)
        except KeyboardInterrupt:
            is_interrupted = True
        result = session.finish()
    if is_json:
        sys.stdout.write(result.to_json() + "\n")
    else:
        print_result(console, result)
    return 130 if is_interrupted else 0


def print_result(console: Console, result: RunResult) -> None:
    """Print the outcome of a run for people."""
    summary = result.summary
    incidents, scores = summary["incidents"], summary["evaluation"]
    console.print()
    console.print(
        f"[bold]{incidents['found']} of {incidents['true']} incidents found[/], "
        f"{incidents['false']} false, {incidents['missed']} missed"
    )
    shown = (
        ("POD", "pod", ""),
        ("FAR ratio", "far_ratio", ""),
        ("CSI", "csi", ""),
        ("detection delay", "detection_delay_min", " min"),
        ("lead time", "lead_time_min", " min"),
        ("location error", "location_error_m", " m"),
        ("timeliness", "timeliness", ""),
    )
    parts = [f"{name} {scores[key]:.3g}{unit}" for name, key, unit in shown if scores[key] is not None]
    console.print(" · ".join(parts) or "nothing to score")
    readings = summary["readings"]
    console.print(
        f"readings: {readings['published']:,} published, {readings['received']:,} received, "
        f"{readings['lost']:,} declared lost, {readings['duplicate']:,} duplicate, "
        f"{readings['rejected']:,} rejected"
    )
    console.print(
        f"{summary['pace']['actual']:,.0f}× real time (asked: {summary['pace']['asked']}), "
        f"{summary['wall_s']:.1f} s; water balance closes within "
        f"{summary['water_balance']['error_share']:.2%}"
    )
    console.print(f"recording: {summary['out']}  hash {summary['recording_hash'][:16]}")
    if result.report is not None:
        console.print(f"report:    {result.report}")


def new_folder(name: str) -> Path:
    """Return a folder for a new run under the runs folder, named by scenario and wall time."""
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    folder = Settings().runs / f"{name}-{stamp}"
    number = 1
    while folder.exists():
        number += 1
        folder = Settings().runs / f"{name}-{stamp}-{number}"
    return folder
