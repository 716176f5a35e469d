"""`tocsin rules backtest`, `why-not` and `tune`: rules tried on what was recorded."""

from pathlib import Path
from typing import Annotated

import typer

from api.commands.options import JsonOption

_Recordings = Annotated[
    list[Path], typer.Argument(help="Folders of recordings (`tocsin run --out`, `tocsin import`).")
]
_Out = Annotated[
    Path | None, typer.Option(help="Folder for tables (CSV) and plots (SVG, PNG). Default: none.")
]


def backtest(
    recordings: _Recordings,
    rules: Annotated[
        str,
        typer.Option(
            "--rules", help="Rule set A: a name or a file. Default: those of the recording."
        ),
    ] = "",
    against: Annotated[
        str, typer.Option("--against", help="Rule set B: a name or a file. Default: national.")
    ] = "",
    out: _Out = None,
    is_json: JsonOption = False,
) -> int:
    """Show what would have changed on a recording, had other rules been in use.

    Alarms and incidents that are new, gone, earlier, later or of another level; POD, FAR ratio,
    lead time and delay where there is truth; alarms put before operators an hour. The loop is
    open: what crews did stays as it was recorded.

    For example:

        tocsin rules backtest runs/burst --against mine.yaml

        tocsin rules backtest runs/a runs/b --against mine.yaml --out backtest --json
    """
    import json

    from api.backtest.compare import compare
    from api.backtest.figures import base_of, rules_of
    from api.backtest.plots import plot_comparison
    from api.backtest.totals import totals_json, totals_text
    from api.backtest.writing import comparison_json, comparison_text, write_differences
    from api.replaying.source import Recording, replay_detection

    rules_of(rules)  # a wrong set is refused before a recording is read
    second = rules_of(against)
    second_name = against or second.source
    found, compared, first_names = [], [], set[str]()
    for folder in recordings:
        recording = Recording.open(folder)
        first = base_of(recording, rules)
        names = (first.words, second_name)
        first_names.add(first.words)
        typer.echo(f"replaying {folder} with {names[0]} and {names[1]} …", err=True)
        ticks = list(recording.ticks())
        sides = (replay_detection(recording, side, ticks=ticks) for side in (first.rules, second))
        comparison = compare(str(folder), *sides)
        found.append(comparison_json(comparison))
        compared.append(comparison)
        if not is_json:
            typer.echo(comparison_text(comparison, names, recording.scenario.utc_offset_ms))
        if out is not None:
            stem = _stem(out, folder, recordings)
            write_differences(comparison, stem.with_name(stem.name + ".csv"))
            plot_comparison(comparison, stem)
    if is_json:
        told: dict[str, object] = {"a": "; ".join(sorted(first_names)), "b": second_name}
        told |= {"all": totals_json(compared), "recordings": found}
        typer.echo(json.dumps(told, indent=1))
    elif len(compared) > 1:
        typer.echo(totals_text(compared))
    return _written(out)


def why_not(
    incident: Annotated[str, typer.Argument(help="Id of a true incident, such as B1.")],
    run: Annotated[
        Path | None, typer.Option(help="Folder of the recording. Default: the newest in ./runs.")
    ] = None,
    rules: Annotated[
        str, typer.Option(help="Rule set: a name or a file. Default: those of the recording.")
    ] = "",
    is_json: JsonOption = False,
) -> int:
    """Say why a true incident was missed, and what it would have cost to catch it.

    For each rule that watches a device the incident moved: the worst signal it reached against
    each limit, the samples held against those needed; then the smallest single change that would
    have caught it, tried on the whole recording: what it adds in false incidents and alarms.

    For example:

        tocsin rules why-not B1 --run runs/burst-small
    """
    import json
    from dataclasses import asdict

    from api.backtest.why_not import explain_miss, explanation_text

    typer.echo("replaying, once for each change that is tried …", err=True)
    explanation = explain_miss(run or newest_run(), incident, rules)
    if is_json:
        typer.echo(json.dumps(asdict(explanation), indent=1, default=str))
    else:
        typer.echo(explanation_text(explanation))
    return 0


def tune(
    recordings: _Recordings,
    rule: Annotated[str, typer.Option(help="Id of the rule.")],
    figure: Annotated[
        list[str],
        typer.Option(help="Figure to change, such as thresholds.yellow; several make a grid."),
    ],
    begin: Annotated[
        list[float], typer.Option("--from", help="Least value, once for each figure.")
    ],
    end: Annotated[list[float], typer.Option("--to", help="Greatest value, once for each.")],
    steps: Annotated[int, typer.Option(help="Values of each figure.", min=1)] = 5,
    random: Annotated[
        int, typer.Option(help="So many random choices instead of the grid.", min=0)
    ] = 0,
    rules: Annotated[
        str, typer.Option(help="Rule set to start from: a name or a file. Default: national.")
    ] = "",
    out: _Out = None,
    is_json: JsonOption = False,
) -> int:
    """Sweep figures of a rule over recordings and print the POD-FAR front.

    A choice is on the front (*) when none finds more without more false incidents. The best of
    it, by CSI and then by fewer alarms, is printed as a fragment of a rule file to paste.

    For example:

        tocsin rules tune runs/b1 --rule water.pressure_z --figure thresholds.yellow --from 3 --to 6
    """
    import json

    from api.backtest.figures import variant
    from api.backtest.plots import plot_front
    from api.backtest.tuning import Range, checked, choices
    from api.backtest.tuning import tune as sweep
    from api.backtest.writing import trials_json, trials_text, write_trials
    from api.commands.errors import WrongUseError

    if not len(figure) == len(begin) == len(end):
        raise WrongUseError(
            f"--figure, --from and --to go together: got {len(figure)}, {len(begin)}, {len(end)}"
        )
    ranges = checked([Range(*one, steps) for one in zip(figure, begin, end, strict=True)])
    asked = choices(ranges, random=random)
    trials = sweep(
        recordings, rules, rule, asked, told=lambda _: typer.echo(".", nl=False, err=True)
    )
    typer.echo("", err=True)
    front = [one for one in trials if one.is_best]
    best = max(front, key=lambda one: (one.csi or 0.0, -one.alarms, one.is_now), default=trials[0])
    fragment = variant(rules, rule, best.figures).fragment if best.figures else ""
    if is_json:
        typer.echo(json.dumps({"trials": trials_json(trials), "fragment": fragment}, indent=1))
    else:
        typer.echo(trials_text(trials))
        typer.echo(f"\n{_advice(fragment, has_truth=trials[0].pod is not None)}")
    if out is not None:
        stem = _stem(out, Path(rule), [])
        write_trials(trials, stem.with_name(stem.name + ".csv"))
        plot_front(trials, stem, f"{rule}: {', '.join(figure)}")
    return _written(out)


def _advice(fragment: str, *, has_truth: bool) -> str:
    if fragment:
        return f"to paste:\n\n{fragment}"
    if not has_truth:
        return "no true incident in these recordings: only alarms can be compared"
    return "nothing beats the figures in use"


def newest_run() -> Path:
    """Return the newest recording in ./runs; WrongUseError when there is none."""
    from api.commands.errors import WrongUseError

    runs = [one.parent for one in Path("runs").glob("*/scenario.json")]
    if not runs:
        raise WrongUseError("no recording in ./runs; name one with --run")
    return max(runs, key=lambda folder: (folder / "scenario.json").stat().st_mtime)


def _stem(out: Path, name: Path, siblings: list[Path]) -> Path:
    """Return the path of a result without suffix; a number tells recordings of one name apart."""
    out.mkdir(parents=True, exist_ok=True)
    same = [one for one in siblings if one.name == name.name]
    number = f"-{same.index(name) + 1}" if len(same) > 1 else ""
    return out / f"{name.name or 'recording'}{number}"


def _written(out: Path | None) -> int:
    if out is not None:
        typer.echo(f"written: {out}", err=True)
    return 0
