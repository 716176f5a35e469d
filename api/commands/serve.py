"""`tocsin serve`: the front desk over HTTP."""

from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from api.commands.options import RulesOption

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_PATIENCE_S = 8
"""How long requests and event streams may take to end when the server is stopped."""


def serve(
    host: Annotated[str, typer.Option(help="Address; others than loopback need a token.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(help="Port.", min=1, max=65535)] = 8000,
    runs: Annotated[
        Path | None, typer.Option(help="Folder of recordings. Default: ./runs.")
    ] = None,
    rules: RulesOption = None,
) -> int:
    """Serve runs over REST: start, watch, inject, read reports. Documentation at /docs.

    Without TOCSIN_API_TOKEN the server answers on loopback only. With it, every request needs
    the header `Authorization: Bearer TOKEN`.

    For example:

        tocsin serve --port 8000

        tocsin serve --rules beijing
    """
    from api.commands.checks import check_folder, check_port_is_free
    from api.commands.errors import WrongUseError
    from api.rule_choice import chosen_rules
    from api.settings import Settings

    settings = Settings()
    if host not in _LOOPBACK and not settings.api_token:
        raise WrongUseError(
            f"--host {host} is not loopback: set TOCSIN_API_TOKEN to a secret first"
        )
    chosen = chosen_rules(rules)
    folder = runs or settings.runs
    check_folder("--runs", folder)
    check_port_is_free(host, port)

    import uvicorn  # the web framework takes its time, so mistakes are told first

    from api.app import make_app

    app = make_app(
        folder,
        token=settings.api_token,
        broker=settings.broker,
        nats_server=settings.nats_server,
        rules=chosen,
    )
    shown = f"[{host}]" if ":" in host else host
    typer.echo(f"http://{shown}:{port}/docs  (runs in {folder}; Ctrl-C ends it)", err=True)
    with suppress(KeyboardInterrupt):  # the usual way to end a server is no failure
        uvicorn.run(
            app, host=host, port=port, log_level="warning", timeout_graceful_shutdown=_PATIENCE_S
        )
    return 0
