"""What every request passes first: host, bearer token and size of the body."""

import hmac
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import ProblemError, problem

MOST_BYTES = 1024 * 1024
"""Largest body taken; a scenario of a few thousand lines is far below it."""

OPEN_PATHS = frozenset({"/healthz"})
"""Paths that need no token, for health checks."""

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class Guard:
    """ASGI middleware that refuses requests before any route sees them.

    Without a token the server is for this machine only: `Host` and `Origin` must be loopback
    too, so that no web page can reach it, be it through a name that resolves to 127.0.0.1.
    """

    def __init__(self, app: ASGIApp, *, token: str | None, most_bytes: int = MOST_BYTES) -> None:
        self._app, self._token, self._most_bytes = app, token, most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer with a problem."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self._refusal(scope["path"], headers)
        if refusal is None:
            await self._app(scope, self._counted(receive), send)
            return
        response = problem(
            refusal.status_code,
            refusal.kind,
            refusal.detail,
            instance=scope["path"],
            members=refusal.members,
            headers=refusal.headers,
        )
        await response(scope, receive, send)

    def _refusal(self, path: str, headers: Headers) -> ProblemError | None:
        if self._token is None:
            host, origin = headers.get("host", ""), headers.get("origin")
            if not _is_loopback(f"//{host}"):
                return ProblemError(
                    421,
                    "wrong-host",
                    f"host {host!r} is not loopback: ask 127.0.0.1, or set TOCSIN_API_TOKEN",
                )
            if origin is not None and not _is_loopback(origin):
                return ProblemError(
                    403,
                    "foreign-origin",
                    f"origin {origin!r} is not loopback: set TOCSIN_API_TOKEN to let pages ask",
                )
        elif path not in OPEN_PATHS and not self._has_token(headers, self._token):
            return ProblemError(
                401,
                "no-token",
                "send the header `Authorization: Bearer TOKEN` with the server's token",
                headers={"WWW-Authenticate": "Bearer"},
            )
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length) > self._most_bytes:
            return self._too_large()
        return None

    def _has_token(self, headers: Headers, token: str) -> bool:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        is_same = hmac.compare_digest(given.strip().encode("latin-1"), token.encode())
        return scheme.lower() == "bearer" and is_same

    def _too_large(self) -> ProblemError:
        return ProblemError(413, "too-large", f"the body may have {self._most_bytes} bytes at most")

    def _counted(self, receive: Receive) -> Receive:
        """Return `receive` with a limit for bodies that do not say how long they are."""
        count = 0

        async def counted() -> Message:
            nonlocal count
            message = await receive()
            count += len(message.get("body", b""))
            if count > self._most_bytes:
                raise self._too_large()
            return message

        return counted


def _is_loopback(url: str) -> bool:
    try:
        return urlsplit(url).hostname in _LOOPBACK
    except ValueError:
        return False
