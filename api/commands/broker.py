"""`tocsin broker`: the embedded broker on its own."""

import signal
import threading
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from api.settings import Settings
from sensors.transports.broker import EmbeddedBroker


def broker(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="MQTT port; 0: a free one.", min=0, max=65535)] = 1883,
    store: Annotated[
        Path | None, typer.Option(help="Folder for sessions and messages. Default: a temporary one.")
    ] = None,
) -> None:
    """Run the message broker (NATS with MQTT 3.1.1) until Ctrl-C or SIGTERM.

    It has no users and no TLS: keep it on loopback or on a private network.
    """
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with EmbeddedBroker(binary=Settings().nats_server, host=host, port=port, store=store) as server:
        Console().print(f"broker at {server.url}", highlight=False)
        stop.wait()
