"""`tocsin broker`: the embedded broker on its own."""

from pathlib import Path
from typing import Annotated

import typer

from api.commands.stopping import stop_on_signals

_LONG_S = 3600.0


def broker(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="MQTT port; 0: a free one.", min=0, max=65535)] = 1883,
    store: Annotated[
        Path | None,
        typer.Option(help="Folder for sessions and messages. Default: a temporary one."),
    ] = None,
) -> None:
    """Run the message broker (NATS with MQTT 3.1.1) until Ctrl-C or SIGTERM.

    It has no users and no TLS: keep it on loopback or on a private network.

    For example:

        tocsin broker --port 1883 --store runs/broker
    """
    from rich.console import Console

    from api.commands.checks import check_port_is_free
    from api.settings import Settings
    from sensors.transports.broker import EmbeddedBroker

    check_port_is_free(host, port)
    server = EmbeddedBroker(binary=Settings().nats_server, host=host, port=port, store=store)
    with stop_on_signals() as stop, server:
        Console(soft_wrap=True).print(f"broker at {server.url}", highlight=False, markup=False)
        while not stop.wait(_LONG_S):
            pass
