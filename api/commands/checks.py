"""Checks of what a person asked for, before anything is begun."""

import math
import socket
from pathlib import Path

from api.commands.errors import WrongUseError
from sensors.errors import BrokerError, TransportError
from sensors.transports.mqtt import BrokerAddress
from simulator.clock import MaxPace, RatePace, pace_of


def checked_pace(text: str) -> MaxPace | RatePace:
    """Return the pace named by `text`; WrongUseError when it is none."""
    try:
        pace = pace_of(text)
    except ValueError as error:
        raise WrongUseError(f"--pace: {error}") from error
    if not math.isfinite(getattr(pace, "factor", 1.0)):
        raise WrongUseError(f"--pace {text}: use max, or a number such as 1, 60 or 600")
    return pace


def check_broker_url(url: str | None) -> None:
    """Raise WrongUseError when a broker's URL is not one."""
    if url is None:
        return
    try:
        BrokerAddress.parse(url)
    except TransportError as error:
        raise WrongUseError(str(error)) from error


def check_folder(option: str, folder: Path) -> None:
    """Raise WrongUseError when a folder to write to is a file or lies in one."""
    nearest = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not nearest.is_dir():
        raise WrongUseError(f"{option} {folder}: {nearest} is a file; name a folder")


def check_port_is_free(host: str, port: int) -> None:
    """Raise BrokerError when another program listens on a port, or the address is not ours."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, OverflowError) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise BrokerError(
                f"cannot listen on {host}:{port} ({why.lower()}); choose another --port or --host"
            ) from error
