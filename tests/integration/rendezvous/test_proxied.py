"""Behind a proxy: who the client is, a trusted proxy tells, and nobody else."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from rendezvous.gateways.whep import gateway
from rendezvous.transports.gate import DoorLimits
from rendezvous.wire import codec
from rendezvous.wire.messages import Claimed, Error, Hello, Welcome
from tests.support import peers
from tests.support.peers import Key, Peer, TcpWire, connect
from tests.support.server import Running, running_server
from tests.support.waiting import until

KEY = Key()
TRUSTED: dict[str, Any] = {"trusted_proxy": ("127.0.0.1",)}
HEADER = b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 4545\r\n"
BINARY = bytes.fromhex("0d0a0d0a000d0a515549540a2111000cc0000207c6336401dc0411c1")
HELLO = codec.encode(Hello(version=1)) + b"\n"


@asynccontextmanager
async def dialled(server: Running, *pieces: bytes) -> AsyncIterator[TcpWire]:
    """A connection on which these bytes were sent, each in a packet of its own."""
    reader, writer = await asyncio.open_connection(server.host, server.port)
    try:
        for piece in pieces:
            writer.write(piece)
            for _ in range(20):  # turns of the loop that the server runs on: each piece is read
                await asyncio.sleep(0)
        yield TcpWire(reader, writer)
    finally:
        writer.transport.abort()


async def answer(wire: TcpWire) -> object:
    async with asyncio.timeout(peers.DEADLINE):
        return codec.decode_server(await wire.receive())


@pytest.mark.parametrize("header", [HEADER, BINARY], ids=["version 1", "version 2"])
async def test_a_camera_behind_a_proxy_signs_what_it_dialled(header: bytes) -> None:
    """The proxy's own address, which the header tells; this server's counts no more."""
    async with running_server(**TRUSTED) as server, dialled(server, header + HELLO) as wire:
        welcome = await answer(wire)
        assert isinstance(welcome, Welcome)
        camera = Peer(wire, "198.51.100.1:4545", welcome)
        direct = f"{server.host}:{server.port}"
        await camera.send(peers.signed_claim(welcome, KEY, room="MyRoom", origin=direct))
        await camera.refused("origin_unknown")
        assert isinstance(await peers.claim(camera, KEY, "MyRoom"), Claimed)


@pytest.mark.parametrize("header", [HEADER, BINARY], ids=["version 1", "version 2"])
async def test_a_header_may_come_in_any_pieces(header: bytes) -> None:
    """Nothing of what follows is lost or taken for a part of it."""
    cuts = (1, 6, 13, len(header))
    pieces = [header[a:b] for a, b in zip((0, *cuts), cuts, strict=False)]
    async with running_server(**TRUSTED) as server, dialled(server, *pieces, HELLO) as wire:
        assert isinstance(await answer(wire), Welcome)


@pytest.mark.parametrize("first", [b"P", b"PO", b"POST", b"POST "])
async def test_a_request_that_begins_like_a_header_is_a_request(first: bytes) -> None:
    """A trusted proxy need not write one."""
    rest = b"POST /nothing HTTP/1.1\r\nHost: x\r\n\r\n".removeprefix(first)
    async with running_server(**TRUSTED) as server, dialled(server, first, rest) as wire:
        assert (await wire.reader.readline()).startswith(b"HTTP/1.1 405")


async def test_the_header_comes_before_tls(certificate: Path, client_tls: ssl.SSLContext) -> None:
    """The proxy does not see into the connection that it announces."""
    async with (
        running_server(tls_cert=certificate, **TRUSTED) as server,
        dialled(server, BINARY) as wire,
    ):
        await wire.writer.start_tls(client_tls, server_hostname="127.0.0.1")
        wire.writer.write(HELLO)
        assert isinstance(await answer(wire), Welcome)


async def test_only_a_trusted_proxy_is_believed() -> None:
    """Anybody else's header is refused, and counted."""
    async with running_server() as server:
        for header in (HEADER, BINARY):
            async with dialled(server, header + HELLO) as wire:
                error = await answer(wire)
                assert isinstance(error, Error)
                assert "--trusted-proxy" in error.message
        assert server.server.counters.totals["proxy_untrusted"] == 2


async def test_a_malformed_header_ends_the_connection() -> None:
    """What follows it could be anybody's."""
    async with running_server(**TRUSTED) as server:
        for header in (b"PROXY TCP4 nonsense\r\n", BINARY[:13] + b"\x12" + BINARY[14:]):
            async with dialled(server, header + HELLO) as wire:
                with pytest.raises(peers.ClosedError):
                    await answer(wire)
        assert server.server.counters.totals["proxy_malformed"] == 2
        await until(lambda: server.server.gate.strangers == 0)


async def test_half_a_header_holds_no_place_for_long() -> None:
    """The deadline of first bytes is the header's."""
    doors = DoorLimits(first_bytes=0.2, linger=0.1)
    async with (
        running_server(door_limits=doors, **TRUSTED) as server,
        dialled(server, HEADER[:20]) as wire,
    ):
        error = await answer(wire)
        assert isinstance(error, Error)
        assert error.code == "hello_timeout"
        await until(lambda: server.server.gate.strangers == 0)


async def test_strangers_are_counted_by_the_client_s_address() -> None:
    """One client cannot use up the places of all that come through the same proxy."""
    doors = DoorLimits(per_address=2, linger=0.1)
    other = HEADER.replace(b"192.0.2.7", b"192.0.2.8")
    async with (
        running_server(door_limits=doors, **TRUSTED) as server,
        dialled(server, HEADER + HELLO) as first,
        dialled(server, HEADER + HELLO) as second,
    ):
        assert isinstance(await answer(first), Welcome)
        assert isinstance(await answer(second), Welcome)
        async with dialled(server, HEADER) as third:
            error = await answer(third)
            assert isinstance(error, Error)
            assert error.code == "too_many_connections"
        async with dialled(server, other + HELLO) as fourth:
            assert isinstance(await answer(fourth), Welcome)
    await until(lambda: server.server.gate.strangers == 0)


async def requests(server: Running, client: str, times: int) -> list[int]:
    """The statuses of so many WHEP requests that a proxy says are this client's."""
    async with aiohttp.ClientSession(f"http://{server.origin}") as http:
        statuses = []
        for _ in range(times):
            headers = {"X-Forwarded-For": f"203.0.113.1, {client}"}
            async with http.options("/whep/MyRoom", headers=headers) as response:
                statuses.append(response.status)
    return statuses


async def test_rates_are_the_client_s_behind_a_proxy_that_speaks_http(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And the proxy's own where nobody is trusted to speak for others."""
    monkeypatch.setattr(gateway, "_REQUESTS_PER_SECOND", 1 / 3600)  # after the burst of 60
    async with running_server(**TRUSTED) as server:
        assert 429 in await requests(server, "192.0.2.7", 90)
        assert 429 not in await requests(server, "192.0.2.8", 30)
    async with running_server() as server:
        assert 429 in await requests(server, "192.0.2.7", 90)
        assert 429 in await requests(server, "192.0.2.8", 30)


async def test_a_page_s_socket_counts_for_its_client() -> None:
    """Whatever made the connection to us."""
    doors = DoorLimits(per_address=1, linger=0.1)
    headers = {"X-Forwarded-For": "192.0.2.7"}
    async with (
        running_server(door_limits=doors, **TRUSTED) as server,
        aiohttp.ClientSession(f"http://{server.origin}", headers=headers) as http,
        http.ws_connect("/ws"),
    ):
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await http.ws_connect("/ws")
        assert caught.value.status == 429
        async with connect(server.host, server.port):  # without a proxy's word it is the proxy
            pass
