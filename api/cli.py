"""The command line: what a person types."""

import sys
from importlib.metadata import version
from typing import Annotated

import typer

from api.commands import (
    bench,
    broker,
    city,
    doctor,
    importing,
    replay,
    rules,
    run,
    scenarios,
    serve,
    split,
)
from api.commands.errors import run_guarded
from api.commands.stopping import interrupt_on_sigterm

app = typer.Typer(
    name="tocsin",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="""Tocsin simulates a city and the platform that watches its water, gas, floods and fire.

**Start here:** `tocsin demo` runs a burst day you can follow, and `tocsin scenarios list` shows
what else can be run with `tocsin run`.

Rules: `tocsin rules` checks, tests and tunes them, over recordings too. Real devices:
`tocsin import` turns their series into a recording, `tocsin replay` runs the
platform over it.

The two halves also run alone: `tocsin simulate` is the world, `tocsin pipeline` the platform,
and `tocsin broker` the message broker between them.
""",
    epilog="Exit codes: 0 done · 1 failed · 2 wrong usage or a wrong file · 130 interrupted "
    "by Ctrl-C or SIGTERM (what was recorded is kept).",
    pretty_exceptions_enable=False,
)


def _tell_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"tocsin {version('tocsin')}")
        raise typer.Exit


@app.callback()
def _options(
    is_version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_tell_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Options that go before a command."""


app.command("run")(run.run)
app.command("demo")(run.demo)
app.command("simulate")(split.simulate)
app.command("pipeline")(split.pipeline)
app.command("broker")(broker.broker)
app.command("replay")(replay.replay)
app.command("import")(importing.import_)
app.command("serve")(serve.serve)
app.command("doctor")(doctor.doctor)
app.add_typer(rules.app, name="rules")
app.add_typer(bench.app, name="bench")
app.add_typer(city.app, name="city")
app.add_typer(scenarios.app, name="scenarios")


def main() -> None:
    """Run the command line; turns expected errors into one line on stderr and an exit code."""
    interrupt_on_sigterm()
    sys.exit(run_guarded(app))
