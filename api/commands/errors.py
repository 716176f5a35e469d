"""Turns expected errors into one line on stderr and an exit code."""

import sys
from collections.abc import Callable

import typer

from pipeline.errors import PipelineError, RuleError
from sensors.errors import RegistryError, SensorsError
from simulator.errors import InjectionError, ScenarioError, SimulatorError

FAILED, WRONG_USE, INTERRUPTED = 1, 2, 130
"""Exit codes beside 0."""

_UsageError = typer.BadParameter.__mro__[1]
"""Root of typer's own complaints about a command line; older ones take it from click."""


class WrongUseError(Exception):
    """A command was asked for something it cannot do; the message names thing, value and fix."""


_WRONG_USE = (WrongUseError, ScenarioError, InjectionError, RegistryError, RuleError)
_FAILURES = (SimulatorError, SensorsError, PipelineError)


def run_guarded(app: Callable[..., object]) -> int:
    """Run a typer app and return its exit code; only defects show a traceback."""
    try:
        result = app(standalone_mode=False)
    except (KeyboardInterrupt, typer.Abort):
        return say("interrupted", INTERRUPTED)
    except typer.Exit as leave:
        code = int(leave.exit_code)
        return say("interrupted", INTERRUPTED) if code == INTERRUPTED else code
    except (*_WRONG_USE, FileExistsError) as error:
        return say(_line(error), WRONG_USE)
    except (*_FAILURES, OSError) as error:
        return say(_line(error), FAILED)
    except Exception as error:
        if not isinstance(error, _UsageError):
            raise
        return say(_usage(error), WRONG_USE)
    return result if isinstance(result, int) else 0


def say(text: str, code: int) -> int:
    """Write a message for people on stderr and return the exit code it goes with."""
    for line in text.splitlines():
        sys.stderr.write(f"tocsin: {line}\n")
    return code


def _line(error: Exception) -> str:
    """Return an error's message; what the system said is put behind the file it is about."""
    if isinstance(error, OSError) and error.strerror:
        about = f"{error.filename}: " if error.filename is not None else ""
        return f"{about}{error.strerror}"
    return str(error)


def _usage(error: Exception) -> str:
    """Return a complaint about a command line, with the value and where to read on.

    Empty for "no arguments": the help that is shown says it all.
    """
    text = " ".join(str(getattr(error, "format_message", error.__str__)()).split()).removesuffix(
        "."
    )
    if not text:
        return ""
    details = getattr(error.__cause__, "errors", None)
    if details is not None:
        text = f"{text} (got {details()[0].get('input')!r})"
    context = getattr(error, "ctx", None)
    path = getattr(context, "command_path", "tocsin")
    return f"{text.replace('Value error, ', '')}; see `{path} --help`"
