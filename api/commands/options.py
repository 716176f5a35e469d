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
    str | None,
    typer.Option(
        help="City instead of the scenario's: a folder (`tocsin city import`), or a size to "
        "generate: town, city, metropolis."
    ),
]
ProfileOption = Annotated[
    str | None,
    typer.Option(
        help="Load profile of the devices: default, real, beijing, nanjing, shenyang, stress, or "
        "a .yaml file. Default: as filed."
    ),
]
RulesOption = Annotated[
    str | None,
    typer.Option(
        help="Rule set: national, beijing, hebei, shanghai, handan, or a .yaml file "
        "(`tocsin rules --help`). Default: national.",
    ),
]
WatchRulesOption = Annotated[
    bool,
    typer.Option(
        help="Read the file of --rules again whenever it changes; no state is lost, and a wrong "
        "file is refused whole while the rules in use stay."
    ),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on stdout, nothing else.")
]
