"""`tocsin scenarios`: what can be run, and whether a file is right."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from api.plan import RunPlan

app = typer.Typer(no_args_is_help=True, help="List, check, compose and sample scenarios.")


@app.command("list")
def list_scenarios() -> None:
    """List the scenarios that come with the program and what each teaches.

    For example:

        tocsin scenarios list
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from api.library import library

    table = Table(box=None, pad_edge=False)
    table.add_column("name", no_wrap=True)
    for title in ("hours", "what it teaches"):
        table.add_column(title, overflow="fold")
    for item in library():
        hours = item.scenario.duration / 3600
        table.add_row(item.scenario.name, f"{hours:g}", Text(item.scenario.teaches))
    Console().print(table)


@app.command("check")
def check(files: Annotated[list[Path], typer.Argument(help="Scenario files.")]) -> int:
    """Check scenario files; errors name file, key, value and the fix (exit 2).

    The city is loaded and the world is built, as for a run, so every element and device is
    looked up. All files are checked, whatever is wrong with one of them.

    For example:

        tocsin scenarios check my-scenario.yaml
    """
    from api.commands.errors import WRONG_USE, say
    from api.plan import plan_run
    from simulator.errors import InjectionError, ScenarioError
    from simulator.scenario import load_scenario

    code = 0
    for file in files:
        try:
            scenario = load_scenario(file)
            _build(plan_run(scenario, file))
        except (ScenarioError, InjectionError) as error:
            text = str(error)
            code = say(text if text.startswith(str(file)) else f"{file}: {text}", WRONG_USE)
        else:
            typer.echo(f"{file}: {scenario.name} is right")
    return code


@app.command("compose")
def compose(
    names: Annotated[list[str], typer.Argument(help="Scenario files or names; the first leads.")],
    offset: Annotated[
        list[str] | None,
        typer.Option(
            help="Moves the next scenario after the first, such as 2h; once for each of them."
        ),
    ] = None,
    name: Annotated[str, typer.Option(help="Name of the new scenario.")] = "composed",
) -> int:
    """Print one scenario made of several: the first's city and times, everybody's events.

    Send what is printed to a file (`> both.yaml`) and run that. For example:

        tocsin scenarios compose storm-orange gas-strike --offset 3h
    """
    from api.commands.errors import WrongUseError
    from api.library import find_scenario, with_parts
    from simulator.scenario.compose import composed, scenario_yaml
    from simulator.scenario.values import parse_duration_s

    given = offset or []
    if len(given) > len(names) - 1:
        raise WrongUseError(f"--offset: {len(given)} given for {len(names) - 1} further scenarios")
    offsets = [*given, *["0s"] * (len(names) - 1 - len(given))]
    files = [find_scenario(item) for item in names]
    first, *others = (with_parts(file.scenario, file.path) for file in files)
    parts = []
    longest = first.duration
    for other, text in zip(others, offsets, strict=True):
        try:
            moved = parse_duration_s(text)
        except ValueError as error:
            raise WrongUseError(f"--offset {text}: {error}") from error
        assert isinstance(moved, int)
        parts.append((other, moved))
        longest = max(longest, moved + other.duration)
    head = {"name": name, "title": " + ".join(file.scenario.name for file in files)}
    head["teaches"] = "What happens when several things happen at once."
    whole = first.model_copy(update={**head, "duration": -(-longest // first.tick) * first.tick})
    typer.echo(scenario_yaml(composed(whole, parts, " + ".join(names))), nl=False)
    return 0


@app.command("sample")
def sample(
    days: Annotated[int, typer.Option(help="Length in days.", min=1, max=366)] = 30,
    seed: Annotated[int, typer.Option(help="Another seed, other events.", min=0)] = 1,
    rates: Annotated[
        Path | None, typer.Option(help="File of rates instead of the shipped ones.")
    ] = None,
    corners: Annotated[
        int, typer.Option(help="Size of the city; rates grow with it.", min=60, max=100_000)
    ] = 200,
    scale: Annotated[
        float, typer.Option(help="Factor on every rate, to see more.", min=0.0, max=1000.0)
    ] = 1.0,
) -> int:
    """Print a random scenario: what some days in a city might bring, by rates.

    Send what is printed to a file (`> month.yaml`) and run that. For example:

        tocsin scenarios sample --days 30 --seed 3
    """
    from simulator.scenario.compose import scenario_yaml
    from simulator.scenario.sample import load_rates, sampled

    scenario = sampled(load_rates(rates), days, seed, corners, scale)
    typer.echo(scenario_yaml(scenario), nl=False)
    return 0


def _build(plan: "RunPlan") -> None:
    """Build the world of a plan and throw it away; InjectionError when it cannot be."""
    from api.bootstrap import build_world
    from sensors.transports.memory import MemoryBus

    with tempfile.TemporaryDirectory(prefix="tocsin-check-") as folder:
        parts = build_world(plan, MemoryBus().client("world"), Path(folder))
        parts.world.close()
        parts.recorder.close()
