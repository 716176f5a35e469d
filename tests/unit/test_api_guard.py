"""The guard asks for the token, for a loopback host, and for bodies of a bearable size."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.unit.api_runs import ApiClient, client_of

TOKEN = "s3cret-ünd-lang"


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[ApiClient]:
    """Yield a client of a server with a token."""
    with client_of(tmp_path, token=TOKEN, most_bytes=100) as client:
        yield client


def bearer(text: str) -> dict[str, bytes]:
    return {"Authorization": text.encode()}


@pytest.mark.parametrize("path", ["/runs", "/readyz", "/metrics", "/docs", "/openapi.json", "/no"])
def test_everything_but_the_health_check_needs_the_token(guarded: ApiClient, path: str) -> None:
    answer = guarded.get(path)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["type"] == "urn:tocsin:problem:no-token"


def test_the_health_check_needs_none(guarded: ApiClient) -> None:
    assert guarded.get("/healthz").json()["status"] == "ok"


@pytest.mark.parametrize("text", [f"Bearer {TOKEN}", f"bearer  {TOKEN}"])
def test_the_token_opens(guarded: ApiClient, text: str) -> None:
    assert guarded.get("/runs", headers=bearer(text)).status_code == 200


@pytest.mark.parametrize(
    "text", ["", "Bearer", "Bearer ", TOKEN, f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer S3CRET"]
)
def test_anything_else_does_not(guarded: ApiClient, text: str) -> None:
    assert guarded.get("/runs", headers=bearer(text)).status_code == 401


def test_with_a_token_any_host_may_be_asked(guarded: ApiClient) -> None:
    headers = {"Host": "tocsin.example", **bearer(f"Bearer {TOKEN}")}
    assert guarded.get("/runs", headers=headers).status_code == 200


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8000", "[::1]:8000"])
def test_without_a_token_a_loopback_host_is_served(tmp_path: Path, host: str) -> None:
    with client_of(tmp_path) as client:
        assert client.get("/runs", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["tocsin.example", "127.0.0.1.example", "10.0.0.7:8000", "[::1", ""]
)
def test_without_a_token_no_other_host_is(tmp_path: Path, host: str) -> None:
    with client_of(tmp_path) as client:
        answer = client.get("/runs", headers={"Host": host})
        assert answer.status_code == 421
        assert "TOCSIN_API_TOKEN" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("origin", "status"),
    [("http://localhost:8000", 200), ("https://page.example", 403), ("null", 403)],
)
def test_without_a_token_no_foreign_page_is_served(
    tmp_path: Path, origin: str, status: int
) -> None:
    with client_of(tmp_path) as client:
        assert client.get("/runs", headers={"Origin": origin}).status_code == status


@pytest.mark.parametrize("is_announced", [True, False])
def test_a_body_beyond_the_limit_is_refused(guarded: ApiClient, is_announced: bool) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b" " * 50

    headers = {**bearer(f"Bearer {TOKEN}"), "Content-Type": "application/json"}
    content = b" " * 101 if is_announced else pieces()
    answer = guarded.post("/runs", content=content, headers=headers)
    assert ("content-length" in answer.request.headers) is is_announced
    assert answer.status_code == 413
    assert "100 bytes" in answer.json()["detail"]


def test_a_body_at_the_limit_is_read(guarded: ApiClient) -> None:
    headers = {**bearer(f"Bearer {TOKEN}"), "Content-Type": "application/json"}
    body = b'{"scenario": "none"}'.ljust(100)
    answer = guarded.post("/runs", content=body, headers=headers)
    assert answer.json()["type"] == "urn:tocsin:problem:unknown-scenario"
