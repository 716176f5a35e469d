"""`tocsin scenarios`: what can be run, and whether a file is right."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from api.library import library
from simulator.scenario import load_scenario

app = typer.Typer(no_args_is_help=True, help="List the scenarios, or check a scenario file.")


@app.command("list")
def list_scenarios() -> None:
    """List the scenarios that come with the program and what each teaches."""
    table = Table(box=None, pad_edge=False)
    for title in ("name", "hours", "what it teaches"):
        table.add_column(title, overflow="fold")
    for item in library():
        hours = item.scenario.duration / 3600
        table.add_row(item.scenario.name, f"{hours:g}", item.scenario.teaches)
    Console().print(table)


@app.command("check")
def check(files: Annotated[list[Path], typer.Argument(help="Scenario files.")]) -> None:
    """Check scenario files; errors name file, key, value and the fix (exit 2)."""
    for file in files:
        scenario = load_scenario(file)
        Console().print(f"{file}: {scenario.name} is right", highlight=False)
