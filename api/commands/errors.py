"""Turns expected errors into one line on stderr and an exit code."""

import sys
from collections.abc import Callable

import click
import typer

from pipeline.errors import PipelineError
from sensors.errors import SensorsError
from simulator.errors import InjectionError, ScenarioError, SimulatorError

FAILED, WRONG_USE, INTERRUPTED = 1, 2, 130
"""Exit codes beside 0."""


def run_guarded(app: Callable[..., object]) -> int:
    """Run a typer app and return its exit code; only defects show a traceback."""
    try:
        code = app(standalone_mode=False)
    except click.exceptions.Abort:
        return INTERRUPTED
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except typer.Exit as leave:
        return int(leave.exit_code)
    except KeyboardInterrupt:
        return INTERRUPTED
    except (ScenarioError, InjectionError, FileExistsError, FileNotFoundError, ValueError) as error:
        return _say(str(error), WRONG_USE)
    except (SimulatorError, SensorsError, PipelineError, OSError) as error:
        return _say(str(error), FAILED)
    return code if isinstance(code, int) else 0


def _say(text: str, code: int) -> int:
    for line in text.splitlines() or [""]:
        sys.stderr.write(f"tocsin: {line}\n")
    return code
