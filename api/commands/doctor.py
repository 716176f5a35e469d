"""`tocsin doctor`: checks that everything a run needs is there and works."""

import importlib.metadata
import platform
import sys
import tempfile
import uuid
from collections.abc import Callable
from typing import Annotated, Literal

import typer

_PACKAGES = ("sensors", "simulator", "pipeline", "api")
_OURS = "tocsin"


def doctor(
    broker: Annotated[
        str | None,
        typer.Option(envvar="TOCSIN_BROKER", help="Check this broker instead of the embedded one."),
    ] = None,
    only: Annotated[
        Literal["python", "packages", "epanet", "broker", "runs"] | None,
        typer.Option(help="Make this check alone (health checks use `broker`)."),
    ] = None,
) -> int:
    """Check this installation: packages, EPANET, broker, disk. Exit 1 when something is wrong.

    For example:

        tocsin doctor

        tocsin doctor --only broker --broker mqtt://127.0.0.1:1883
    """
    from rich.console import Console
    from rich.text import Text

    checks: dict[str, Callable[[], str]] = {
        "python": lambda: f"{platform.python_version()} on {platform.machine()}",
        "packages": check_packages,
        "epanet": _epanet,
        "broker": lambda: _broker(broker),
        "runs": _runs,
    }
    console, is_well = Console(soft_wrap=True), True
    for name in checks if only is None else (only,):
        try:
            mark, text = ("ok   ", "green"), checks[name]()
        except _NoteError as note:
            mark, text = ("note ", "yellow"), str(note)
        except Exception as error:  # a check may fail in any way; all are shown
            mark, text, is_well = ("wrong", "red"), str(error) or type(error).__name__, False
        console.print(Text.assemble(mark, f" {name}: {text}"))
    return 0 if is_well else 1


class _NoteError(Exception):
    """Something to know that keeps nothing from working."""


def check_packages() -> str:
    """Return where tocsin is installed.

    Raises:
        RuntimeError: another distribution in this environment owns one of its four packages.
    """
    owners = importlib.metadata.packages_distributions()
    for package in _PACKAGES:
        others = sorted(set(owners.get(package, [_OURS])) - {_OURS})
        if others:
            raise RuntimeError(
                f"package {package!r} also comes from {', '.join(others)}; "
                "install tocsin in an environment of its own"
            )
    return f"tocsin {importlib.metadata.version(_OURS)} in {sys.prefix}"


def _epanet() -> str:
    from simulator.city.generate import generate_town
    from simulator.physics.water.network import WaterNetwork

    city, registry = generate_town(7, junctions=40, city_id="check", name="check")
    network = WaterNetwork(city.networks["water"], 0)
    try:
        frame = network.step(300_000)
    finally:
        network.close()
    served = network.node_ids
    highest = float(frame.node["pressure"].max())
    return (
        f"solved {len(served)} nodes, {len(registry)} devices, highest pressure {highest:.2f} MPa"
    )


def _broker(url: str | None) -> str:
    from api.settings import Settings
    from sensors.transports.broker import EmbeddedBroker

    if url is not None:
        return _echo(url)
    with EmbeddedBroker(binary=Settings().nats_server) as server:
        return f"embedded, {_echo(server.url)}"


def _echo(url: str) -> str:
    from sensors.transports.mqtt import MqttTransport

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
    from api.settings import Settings

    folder = Settings().runs.resolve()
    nearest = next(place for place in (folder, *folder.parents) if place.exists())
    try:
        with tempfile.TemporaryFile(dir=nearest):
            pass
    except OSError as error:
        raise _NoteError(
            f"{folder} cannot be written ({error.strerror}); name another folder with --out or "
            "in TOCSIN_RUNS"
        ) from error
    return f"{folder} can be written"
