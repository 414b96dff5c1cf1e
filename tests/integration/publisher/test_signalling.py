"""The publisher's conversation with a real rendezvous, and with what is none."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import pytest

from publisher.errors import SignallingError
from publisher.identity import CameraKey, Keyring
from publisher.signalling.claiming import Room, claim
from publisher.signalling.connection import Connection, ServerAddress, connect
from rendezvous.wire.messages import Claimed, Error, Goaway, Joined, Ping, Source, SourceState
from tests.support import peers
from tests.support.server import Running, running_server
from tests.support.waiting import PATIENCE

LIVE = Source(state=SourceState.LIVE)
ROOM = Room("MyRoom", "", peers.VIEWER_SECRET)


@pytest.fixture
def key(tmp_path: Path) -> CameraKey:
    return Keyring(tmp_path / "state").camera_key()


def address(server: Running, *, tls: bool = False) -> ServerAddress:
    return ServerAddress(server.host, server.port, tls)


@asynccontextmanager
async def dialled(
    server: ServerAddress, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Connection]:
    connection = await connect(server, tls)
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def taken(
    server: Running, key: CameraKey, room: Room = ROOM
) -> AsyncIterator[tuple[Connection, Claimed]]:
    async with dialled(address(server)) as connection:
        yield connection, await claim(connection, address(server), key, room, LIVE)


async def test_a_claim_is_accepted_and_its_viewers_come(key: CameraKey) -> None:
    async with running_server() as server, taken(server, key) as (_, claimed):
        assert claimed.room == "MyRoom"
        async with peers.connect(server.host, server.port, transport="ws") as viewer:
            assert isinstance(await peers.join(viewer, "MyRoom"), Joined)


async def test_a_key_room_with_a_label_is_the_key_s_own(key: CameraKey) -> None:
    room = Room(key.room("yard"), "yard", None)
    async with running_server() as server, taken(server, key, room) as (_, claimed):
        assert claimed.room == room.room


async def test_the_room_of_another_key_is_refused_for_good(key: CameraKey, tmp_path: Path) -> None:
    thief = Keyring(tmp_path / "other").camera_key()
    async with running_server() as server, taken(server, key):
        with pytest.raises(SignallingError) as caught:
            async with taken(server, thief):
                pass
        assert caught.value.code == "room_unavailable"
        assert not caught.value.retry


async def test_a_second_publisher_with_the_same_key_takes_over(key: CameraKey) -> None:
    async with (
        running_server() as server,
        taken(server, key) as (first, before),
        taken(server, key) as (_, after),
    ):
        assert after.epoch > before.epoch
        said = await asyncio.wait_for(first.receive(), PATIENCE)
        assert isinstance(said, Error)
        assert said.code == "superseded"


async def test_a_server_that_is_dialled_by_a_name_it_does_not_know_says_how_to_mend_it(
    key: CameraKey,
) -> None:
    foreign = ServerAddress("evil.example.org", 4545)
    async with running_server() as server, dialled(address(server)) as connection:
        with pytest.raises(SignallingError, match="--public-origin") as caught:
            await claim(connection, foreign, key, ROOM, LIVE)
        assert caught.value.code == "origin_unknown"


async def test_a_server_that_goes_is_noticed(key: CameraKey) -> None:
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(running_server())
        connection, _ = await stack.enter_async_context(taken(server, key))
        stopping = asyncio.create_task(server.server.stop())
        with pytest.raises(SignallingError) as caught:
            async for _ in connection.messages():
                pass
        assert caught.value.code == "server_lost"
        await stopping


# ── TLS, and what is no rendezvous ───────────────────────────────────────────────────────────


async def test_tls_works_with_a_trusted_certificate_only(
    key: CameraKey, certificate: Path, client_tls: ssl.SSLContext
) -> None:
    async with running_server(tls_cert=certificate) as server:
        secure = address(server, tls=True)
        async with dialled(secure, client_tls) as connection:
            await claim(connection, secure, key, ROOM, LIVE)
        with pytest.raises(SignallingError) as caught:
            await connect(secure, ssl.create_default_context())
        assert caught.value.code == "server_untrusted"


async def test_a_host_that_cannot_be_one_is_named() -> None:
    with pytest.raises(SignallingError) as caught:
        await connect(ServerAddress("a..b", 4545), None)
    assert caught.value.code == "server_malformed"
    assert not caught.value.retry


async def test_a_connection_notices_a_network_that_is_gone(key: CameraKey) -> None:
    """TCP ends it after 20 s without an acknowledgement, and asks an idle peer every few."""
    async with running_server() as server, taken(server, key) as (connection, _):
        end = connection._writer.get_extra_info("socket")
        assert end.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert end.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 20_000
        assert end.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 10


async def test_saying_something_on_a_dead_connection_says_that_it_is_lost(key: CameraKey) -> None:
    async with running_server() as server, taken(server, key) as (connection, _):
        connection.abort()
        await asyncio.sleep(0)
        with pytest.raises(SignallingError) as caught:
            connection.send(Ping())
        assert caught.value.code == "server_lost"


async def test_a_server_without_tls_is_named() -> None:
    async with running_server() as server:
        with pytest.raises(SignallingError) as caught:
            await connect(address(server, tls=True), ssl.create_default_context())
        assert caught.value.code in ("server_without_tls", "server_unreachable")


@asynccontextmanager
async def something_else(answer: bytes) -> AsyncIterator[ServerAddress]:
    """A server that says this to whoever calls."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(answer)
            with suppress(ConnectionError):
                await reader.read(1000)  # what is closed with unread input is reset, answer and all
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield ServerAddress("127.0.0.1", server.sockets[0].getsockname()[1])


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (b"SSH-2.0-OpenSSH\r\n", "server_foreign"),
        (b"x" * 200_000, "server_foreign"),
        (b'{"type":"pong"}\n{"type":"goaway","after":1}\n', "server_foreign"),
        (b"", "server_lost"),
    ],
)
async def test_what_is_no_rendezvous_is_named(key: CameraKey, answer: bytes, code: str) -> None:
    async with something_else(answer) as foreign, dialled(foreign) as connection:
        with pytest.raises(SignallingError) as caught:
            await claim(connection, foreign, key, ROOM, LIVE)
        assert caught.value.code == code


async def test_messages_of_a_newer_server_are_left_out() -> None:
    newer = b'{"type":"novelty","x":1}\n{"type":"goaway","after":1}\n'
    async with something_else(newer) as server, dialled(server) as connection:
        assert isinstance(await connection.receive(), Goaway)
