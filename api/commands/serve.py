"""`tocsin serve`: the front desk over HTTP."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from api.settings import Settings

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def serve(
    host: Annotated[str, typer.Option(help="Address; others than loopback need a token.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(help="Port.", min=1, max=65535)] = 8000,
    runs: Annotated[Path | None, typer.Option(help="Folder of recordings.")] = None,
) -> int:
    """Serve runs over REST: start, watch, inject, read reports. Documentation at /docs.

    Without TOCSIN_API_TOKEN the server answers on loopback only. With it, every request needs
    the header `Authorization: Bearer TOKEN`.
    """
    import uvicorn  # web framework loaded only here, so that other commands start at once

    from api.app import make_app

    settings = Settings()
    if host not in _LOOPBACK and not settings.api_token:
        raise ValueError(f"--host {host} is not loopback: set TOCSIN_API_TOKEN to a secret first")
    folder = runs or settings.runs
    app = make_app(folder, token=settings.api_token, broker=settings.broker)
    Console(stderr=True).print(f"http://{host}:{port}/docs  (runs in {folder})", highlight=False)
    uvicorn.run(app, host=host, port=port, log_level="warning")
    return 0
