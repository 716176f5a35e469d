"""`tocsin replay`: the platform alone over a recording."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from api.commands.options import JsonOption, OutOption


def replay(
    recording: Annotated[
        Path, typer.Argument(help="Folder written by `tocsin run` or `tocsin import`.")
    ],
    pace: Annotated[
        str, typer.Option(help="`max`, or seconds of event time per second: 1, 60, 600.")
    ] = "max",
    rules: Annotated[
        str | None,
        typer.Option(
            help="Rule set: national, beijing, hebei, shanghai, handan, or a .yaml file. "
            "Default: the one the recording was made with."
        ),
    ] = None,
    transport: Annotated[
        Literal["memory", "mqtt"] | None,
        typer.Option(help="Through memory, or through a real broker. Default: memory."),
    ] = None,
    broker: Annotated[
        str | None,
        typer.Option(
            envvar="TOCSIN_BROKER",
            help="MQTT broker, mqtt://[user:password@]host:port. Default: the embedded one.",
        ),
    ] = None,
    out: OutOption = None,
    is_json: JsonOption = False,
) -> int:
    """Run the seven stages over a recording, and score them against what really happened.

    The recording's own clock is used. With the same rules and version the event log comes out
    the same, hash for hash. The loop is open: what the platform orders changes no reading, and
    recorded feedback of crews is given back only for orders that are issued again.

    For example:

        tocsin replay runs/water-burst-20260601-060000

        tocsin replay runs/b1 --rules my-rules.yaml --out runs/b1-mine --json
    """
    from api.commands.replay_hosting import host_replay

    return host_replay(
        recording,
        pace=pace,
        rules=rules,
        transport=transport or ("mqtt" if broker else "memory"),
        broker=broker,
        out=out,
        is_json=is_json,
    )
