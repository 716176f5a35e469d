"""Arguments and options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

ScenarioArg = Annotated[
    str, typer.Argument(help="Scenario file, or a name from `tocsin scenarios list`.")
]
PaceOption = Annotated[
    str | None,
    typer.Option(help="`max`, or seconds of event time per second: 1, 60, 600. Default: as filed."),
]
SeedOption = Annotated[
    int | None, typer.Option(help="Seed instead of the scenario's own, from 0.", min=0)
]
OutOption = Annotated[
    Path | None, typer.Option(help="Folder of the recording. Default: a new one in ./runs.")
]
CityOption = Annotated[
    Path | None, typer.Option(help="City folder (`tocsin city import`) instead of the scenario's.")
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on stdout, nothing else.")
]
