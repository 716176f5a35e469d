"""`tocsin bench`: measure, with intervals, how well the platform does what it is for."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

from api.commands.options import JsonOption, RulesOption

app = typer.Typer(no_args_is_help=True, help="Measure detection over many runs, with intervals.")

_SEEDS = 30


@app.command("detect")
def detect(
    scenarios: Annotated[
        list[str] | None,
        typer.Argument(help="Scenario files or names. Default: the whole library."),
    ] = None,
    seeds: Annotated[int, typer.Option(help="Runs of each scenario.", min=1)] = _SEEDS,
    first_seed: Annotated[int, typer.Option(help="Seed of the first run.", min=0)] = 1,
    jobs: Annotated[int, typer.Option(help="Worker processes.", min=1)] = 2,
    out: Annotated[
        Path, typer.Option(help="Results, one JSON line a run; tables are written beside it.")
    ] = Path("runs/detect.jsonl"),
    rules: Annotated[
        str, typer.Option(help="Rule set: a name (`tocsin rules check` lists them), or a file.")
    ] = "",
    places: Annotated[
        Literal["moved", "filed"],
        typer.Option(help="Where picked elements are: another place with every seed, or as filed."),
    ] = "moved",
    is_resumed: Annotated[
        bool, typer.Option("--resume", help="Go on with the results file; done runs are kept.")
    ] = False,
    is_json: JsonOption = False,
) -> int:
    """Run scenarios over many seeds in memory and print how well each hazard is found.

    Per hazard and incident size: POD, FAR ratio, CSI, lead time over hits and with misses as 0,
    detection delay and error of place, each with a 95 % interval; where misses were lost, what
    false incidents were made of, and which rule came first. Ctrl-C keeps the runs that ended.

    For example:

        tocsin bench detect burst-small burst-large --seeds 10

        tocsin bench detect --jobs 8 --out runs/library.jsonl

        tocsin bench detect --out runs/library.jsonl --resume --json
    """
    from api.commands.errors import FAILED, INTERRUPTED, WrongUseError, say
    from api.detection.campaign import Progress, read_records, run_campaign, tasks_of
    from api.detection.table import tables_of
    from api.detection.writing import as_json, markdown, write_tables

    if out.is_file() and not is_resumed:
        raise WrongUseError(f"{out} is there already; add --resume, or name another --out")
    chosen = scenarios or []
    tasks = tasks_of(chosen, range(first_seed, first_seed + seeds), places=places, rules=rules)

    def tell(progress: Progress) -> None:
        record = progress.record
        hits = sum(event.is_hit for event in record.events)
        outcome = record.error or f"{hits}/{len(record.events)} found, {len(record.false)} false"
        left = f"{(progress.left_s or 0.0) / 60:.0f} min left"
        head = f"[{progress.done}/{progress.total}] {record.scenario} seed {record.seed}"
        typer.echo(f"{head}: {outcome}, {record.wall_s:.1f} s, {left}", err=True)

    try:
        read_records(out)
    except ValueError as error:
        raise WrongUseError(str(error)) from error
    try:
        records = run_campaign(tasks, out, jobs=jobs, told=tell)
    except KeyboardInterrupt:
        say(f"{len(read_records(out))} runs are kept in {out}; go on with --resume", INTERRUPTED)
        raise
    tables = tables_of(records)
    files = write_tables(out, tables, _title(len(records), seeds, rules, places))
    typer.echo(
        as_json(tables) if is_json else markdown(tables, _title(len(records), seeds, rules, places))
    )
    typer.echo(f"written: {out}, {', '.join(map(str, files))}", err=True)
    return say("\n".join(tables.errors), FAILED) if tables.errors else 0


@app.command("quiet")
def quiet(
    source: Annotated[
        str, typer.Argument(help="Folder of a recording, or a scenario's file or name.")
    ],
    days: Annotated[
        float | None, typer.Option(help="Of a recording, only so many days of it.", min=0.01)
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of a scenario's run.", min=0)] = None,
    rules: RulesOption = None,
    is_json: JsonOption = False,
) -> int:
    """Print what operators would have been told, and which rules told it.

    Of a quiet time every alarm is a false one: the aim is fewer than 72 announced an hour (12
    operators at 6) and no warning. Of any other, incidents must be few beside activations.

    For example:

        tocsin bench quiet quiet-day

        tocsin bench quiet runs/week --days 1

        tocsin bench quiet alarm-flood --seed 3 --json
    """
    import json

    from api.detection.quiet import as_dict, as_markdown, measure
    from api.rule_choice import chosen_rules

    def tell(hours: float) -> None:
        typer.echo(f"{hours:g} h done", err=True)

    load = measure(source, chosen_rules(rules), days=days, seed=seed, told=tell)
    typer.echo(json.dumps(as_dict(load)) if is_json else as_markdown(load), nl=is_json)
    return 0


@app.command("coupled")
def coupled(
    scenarios: Annotated[
        list[str] | None,
        typer.Argument(help="Scenario files or names. Default: those that need several signals."),
    ] = None,
    seeds: Annotated[int, typer.Option(help="Worlds of each scenario.", min=1)] = 5,
    first_seed: Annotated[int, typer.Option(help="Seed of the first world.", min=0)] = 1,
    out: Annotated[
        Path, typer.Option(help="Results, one JSON line a world; worlds that are there are kept.")
    ] = Path("runs/coupled.jsonl"),
    rules: Annotated[
        str, typer.Option(help="Rule set: a name from `tocsin rules list`, or a file.")
    ] = "",
    is_json: JsonOption = False,
) -> int:
    """Judge the same worlds by coupled rules, by all rules uncoupled, and by each rule alone.

    Every world is made once and nobody acts in it, so that all variants see the same. Printed are
    hits, false incidents, misses and CSI with its interval, over all and by scenario, and the
    best single rule of each scenario, which nobody could have chosen beforehand. Ctrl-C keeps
    the worlds that ended; the same command goes on.

    For example:

        tocsin bench coupled --seeds 5

        tocsin bench coupled burst-floods-underpass biogas-decoy --seeds 2 --json
    """
    import json
    from dataclasses import asdict

    from api.commands.errors import WrongUseError
    from api.detection.campaign import rules_of
    from api.detection.coupled import (
        Trial,
        coupled_scenarios,
        markdown,
        read_trials,
        run_trials,
        standings,
    )

    def tell(world: Sequence[Trial]) -> None:
        first, plain = world[0], world[1]
        typer.echo(
            f"{first.scenario} seed {first.seed}: coupled {first.hits} found, {first.false} false; "
            f"uncoupled {plain.hits} found, {plain.false} false; {len(world) - 2} single rules",
            err=True,
        )

    try:
        read_trials(out)
    except ValueError as error:
        raise WrongUseError(str(error)) from error
    chosen = rules_of(rules)
    names = scenarios or list(coupled_scenarios())
    trials = run_trials(names, range(first_seed, first_seed + seeds), chosen, out, tell)
    found = standings(trials)
    title = f"Coupled rules against single signals ({seeds} seeds, rules {rules or 'default'})"
    if is_json:
        typer.echo(json.dumps([asdict(one) for one in found], ensure_ascii=False, indent=1))
    else:
        typer.echo(markdown(found, title), nl=False)
    return 0


@app.command("scenario")
def scenario(
    name: Annotated[str, typer.Argument(help="Scenario file or name.")],
    seed: Annotated[int, typer.Option(help="Seed of the run in question.", min=0)] = 1,
) -> int:
    """Print a scenario with its places moved as `bench detect` moves them, to run it alone.

    For example:

        tocsin bench scenario burst-small --seed 4 > b4.yaml && tocsin run b4.yaml --seed 4
    """
    from api.detection.places import placed
    from api.library import find_scenario
    from simulator.scenario.compose import scenario_yaml

    typer.echo(scenario_yaml(placed(find_scenario(name), seed)), nl=False)
    return 0


def _title(runs: int, seeds: int, rules: str, places: str) -> str:
    return (
        f"Detection over {runs} runs ({seeds} seeds, rules {rules or 'default'}, places {places})"
    )
