"""`tocsin doctor`: checks that everything a run needs is there and works."""

import importlib.metadata
import platform
import sys
import tempfile
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from api.settings import Settings
from sensors.transports.broker import EmbeddedBroker
from sensors.transports.mqtt import MqttTransport
from simulator.city.generate import generate_town
from simulator.physics.water.network import WaterNetwork

_PACKAGES = ("sensors", "simulator", "pipeline", "api")


def doctor(
    broker: Annotated[
        str | None,
        typer.Option(envvar="TOCSIN_BROKER", help="Check this broker instead of the embedded one."),
    ] = None,
) -> int:
    """Check this installation: packages, EPANET, broker, disk. Exit 1 when something is wrong."""
    checks: tuple[tuple[str, Callable[[], str]], ...] = (
        ("python", lambda: f"{platform.python_version()} on {platform.machine()}"),
        ("packages", _packages),
        ("EPANET", _epanet),
        ("broker", lambda: _broker(broker)),
        ("runs folder", _runs),
    )
    console, is_well = Console(), True
    for name, check in checks:
        try:
            text, mark = check(), "[green]ok[/]   "
        except Exception as error:  # noqa: BLE001  (a check may fail in any way; all are shown)
            text, mark, is_well = f"{type(error).__name__}: {error}", "[red]wrong[/]", False
        console.print(f"{mark} {name}: ", end="")
        console.print(text, highlight=False, markup=False)
    return 0 if is_well else 1


def _packages() -> str:
    owners = importlib.metadata.packages_distributions()
    for package in _PACKAGES:
        others = sorted(set(owners.get(package, ["tocsin"])) - {"tocsin"})
        if others:
            raise RuntimeError(
                f"package {package!r} also comes from {others}; use an environment of its own"
            )
    return f"tocsin {importlib.metadata.version('tocsin')} in {sys.prefix}"


def _epanet() -> str:
    city, registry = generate_town(7, junctions=40, city_id="check", name="check")
    network = WaterNetwork(city.networks["water"], 0)
    try:
        frame = network.step(300_000)
    finally:
        network.close()
    lowest = float(frame.node["pressure"].min())
    return f"solved {len(network.node_ids)} nodes, {len(registry)} devices, lowest {lowest:.2f} MPa"


def _broker(url: str | None) -> str:
    if url is not None:
        return _echo(url)
    with EmbeddedBroker(binary=Settings().nats_server) as server:
        return f"embedded, {_echo(server.url)}"


def _echo(url: str) -> str:
    name = f"tocsin-doctor-{uuid.uuid4().hex[:8]}"
    transport = MqttTransport(url, name, clean=True)
    try:
        topic = f"tocsin/doctor/{name}"
        transport.subscribe([topic])
        transport.publish(topic, b"bell")
        received = transport.poll(5.0)
        if [item.payload for item in received] != [b"bell"]:
            raise RuntimeError(f"{url}: a message did not come back within 5 s")
        transport.ack(received)
    finally:
        transport.close()
    return f"{url} echoes"


def _runs() -> str:
    folder = Settings().runs
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):
        pass
    return str(Path(folder).resolve())
