"""`tocsin scenarios`: what can be run, and whether a file is right."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from api.plan import RunPlan

app = typer.Typer(no_args_is_help=True, help="List the scenarios, or check a scenario file.")


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
    for title in ("name", "hours", "what it teaches"):
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
        except ScenarioError as error:
            code = say(str(error), WRONG_USE)
        except InjectionError as error:
            code = say(f"{file}: {error}", WRONG_USE)
        else:
            typer.echo(f"{file}: {scenario.name} is right")
    return code


def _build(plan: "RunPlan") -> None:
    """Build the world of a plan and throw it away; InjectionError when it cannot be."""
    from api.bootstrap import build_world
    from sensors.transports.memory import MemoryBus

    with tempfile.TemporaryDirectory(prefix="tocsin-check-") as folder:
        parts = build_world(plan, MemoryBus().client("world"), Path(folder))
        parts.world.close()
        parts.recorder.close()
