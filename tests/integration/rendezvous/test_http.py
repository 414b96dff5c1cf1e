"""The page, its files, health, and what the port says to clear and to TLS traffic."""

import asyncio
import contextlib
import re
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from rendezvous.program.errors import UnavailableError
from rendezvous.transports import pages
from rendezvous.transports.pages import player_files
from rendezvous.wire import codec
from rendezvous.wire.messages import Error, Ping, Pong
from tests.support import peers
from tests.support.peers import Key, claim, connect, open_wire
from tests.support.server import Running, running_server

UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
)


@pytest_asyncio.fixture
async def running() -> AsyncIterator[Running]:
    async with running_server(allow_origin=("https://friend.example.org",)) as server:
        yield server


@pytest_asyncio.fixture
async def http(running: Running) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(f"http://{running.origin}") as session:
        yield session


@pytest_asyncio.fixture
async def secure(certificate: Path) -> AsyncIterator[Running]:
    async with running_server(tls_cert=certificate) as server:
        yield server


async def test_the_page_is_bound_to_its_own_server(http: aiohttp.ClientSession) -> None:
    """HTML, never cached without asking, with a strict policy."""
    async with http.get("/") as response:
        assert response.status == 200
        assert response.content_type == "text/html"
        assert response.headers["Cache-Control"] == "no-cache"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        policy = response.headers["Content-Security-Policy"].split("; ")
        assert "default-src 'none'" in policy
        assert "script-src 'self'" in policy
        assert "connect-src 'self'" in policy
        assert "frame-ancestors 'self' https://friend.example.org" in policy
        assert "<title>" in await response.text()


async def test_modules_have_their_type_and_may_be_imported_anywhere(
    http: aiohttp.ClientSession,
) -> None:
    """Browsers refuse modules of another type; other sites embed the element."""
    async with http.get("/porthole-player.js") as response:
        assert response.status == 200
        assert response.content_type == "text/javascript"
        assert response.headers["Access-Control-Allow-Origin"] == "*"


async def test_what_has_not_changed_is_not_sent_again(http: aiohttp.ClientSession) -> None:
    """By ETag."""
    async with http.get("/") as response:
        tag = response.headers["ETag"]
    async with http.get("/", headers={"If-None-Match": tag}) as response:
        assert response.status == 304
        assert await response.read() == b""


@pytest.mark.parametrize(
    "path",
    [
        "/nothing.js",
        "/../pyproject.toml",
        "/%2e%2e/pyproject.toml",
        "/package.json",
        "/__init__.py",
    ],
)
async def test_nothing_else_is_served(http: aiohttp.ClientSession, path: str) -> None:
    """No other file of the package, none of the disk."""
    async with http.get(path) as response:
        assert response.status == 404


async def test_head_is_get_without_the_body(http: aiohttp.ClientSession) -> None:
    """And nothing but the two is taken."""
    async with http.head("/") as response:
        assert response.status == 200
        assert int(response.headers["Content-Length"]) > 0
    async with http.post("/", data=b"x" * 100_000) as response:
        assert response.status == 405


async def test_health_says_little(http: aiohttp.ClientSession) -> None:
    """Status and version, for load balancers and people."""
    async with http.get("/healthz") as response:
        assert set(await response.json()) == {"status", "version"}


async def test_a_websocket_path_without_upgrade_is_explained(http: aiohttp.ClientSession) -> None:
    """426, not a stack trace."""
    async with http.get("/ws") as response:
        assert response.status == 426


@pytest.mark.parametrize(
    "request_",
    [
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET \x00\x01 HTTP/1.1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    ],
)
async def test_malformed_requests_get_a_status(running: Running, request_: bytes) -> None:
    """And the server goes on."""
    reader, writer = await asyncio.open_connection(running.host, running.port)
    writer.write(request_)
    async with asyncio.timeout(peers.DEADLINE):
        answer = await reader.read(-1)
    writer.close()
    assert answer.splitlines()[0].endswith(b" 400 Bad Request")
    async with connect(running.host, running.port) as peer:
        await peer.send(Ping())
        await peer.expect(Pong)


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /<secret> HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n<secret>\r\n\r\n",
        UPGRADE + b"<secret>\r\n\r\n",
        UPGRADE + b"AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
    ],
)
async def test_answers_name_no_library_and_repeat_nothing(
    running: Running, request_: bytes
) -> None:
    """Neither the good nor the bad ones."""
    reader, writer = await asyncio.open_connection(running.host, running.port)
    writer.write(request_)
    async with asyncio.timeout(peers.DEADLINE):
        answer = await reader.readuntil(b"\r\n\r\n")
        if length := re.search(rb"Content-Length: (\d+)", answer):
            answer += await reader.readexactly(int(length[1]))
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
    assert b"Server: porthole\r\n" in answer
    assert b"<secret>" not in answer
    assert b"aiohttp" not in answer
    assert b"Python" not in answer


def test_another_module_named_player_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page is found beside the server's own package, whatever the path of modules is."""
    (tmp_path / "player.py").write_text("raise SystemExit('this was run')")
    monkeypatch.syspath_prepend(tmp_path)
    assert (player_files() / "page.js").is_file()


def test_a_player_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the cure, before a port is opened."""
    monkeypatch.setattr(pages, "_PACKAGE", tmp_path / "rendezvous")
    with pytest.raises(UnavailableError) as caught:
        player_files()
    assert caught.value.code == "player_missing"


# ── TLS ──────────────────────────────────────────────────────────────────────────────────────


async def test_a_page_in_clear_is_redirected(secure: Running) -> None:
    """To the same host and path, not for ever."""
    async with (
        aiohttp.ClientSession(f"http://{secure.origin}") as http,
        http.get("/page?x=1", allow_redirects=False) as response,
    ):
        assert response.status == 307
        assert response.headers["Location"] == f"https://{secure.origin}/page?x=1"


async def test_a_redirect_goes_nowhere_else(secure: Running) -> None:
    """A Host that is no host is not repeated."""
    async with (
        aiohttp.ClientSession(f"http://{secure.origin}") as http,
        http.get("/", headers={"Host": "evil/\\x"}, allow_redirects=False) as response,
    ):
        assert response.status == 400


@pytest.mark.parametrize("transport", ["tcp", "ws"])
async def test_peers_in_clear_are_told_that_tls_is_required(
    secure: Running, transport: peers.Transport
) -> None:
    """With the code that says what to do."""
    wire = await open_wire(transport, secure.host, secure.port)
    if transport == "tcp":
        await wire.send(b'{"type":"hello","version":1}')
    error = codec.decode_server(await wire.receive())
    assert isinstance(error, Error)
    assert error.code == "tls_required"
    with pytest.raises(peers.ClosedError):
        await wire.receive()
    await wire.close()


async def test_clear_and_tls_may_be_served_side_by_side(
    certificate: Path, client_tls: ssl.SSLContext
) -> None:
    """With --allow-clear."""
    async with (
        running_server(tls_cert=certificate, allow_clear=True) as running,
        connect(running.host, running.port) as camera,
        connect(running.host, running.port, transport="ws", tls=client_tls) as viewer,
    ):
        await claim(camera, Key(), "MyRoom")
        await peers.negotiate(viewer, camera, "MyRoom")


async def test_tls_without_a_certificate_is_closed_and_counted(
    running: Running, client_tls: ssl.SSLContext
) -> None:
    """The client sees a failed handshake at once, not a time-out."""
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await asyncio.open_connection(running.host, running.port, ssl=client_tls)
    assert running.server.counters.totals["tls_not_configured"] == 1
