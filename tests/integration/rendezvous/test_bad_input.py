"""What strangers do wrong: each gets a sentence and a code, and nobody else notices."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from rendezvous.rooms.limits import Limits
from rendezvous.transports import http
from rendezvous.transports.gate import Arrival, DoorLimits
from rendezvous.transports.port import Port
from rendezvous.wire import codec
from rendezvous.wire.messages import (
    MESSAGE_BYTES,
    Answer,
    End,
    Error,
    Join,
    Ping,
    Pong,
    Presence,
    ServerMessage,
    Welcome,
)
from tests.support import peers
from tests.support.peers import (
    ClosedError,
    Key,
    Transport,
    WebSocketWire,
    claim,
    connect,
    open_wire,
)
from tests.support.server import DAY, Running, only, running_server
from tests.support.waiting import until

KEY = Key()
ROOM = "MyRoom"
INVALID = json.loads((Path(__file__).parents[2] / "wire" / "invalid.json").read_text())["inputs"]
SHORT = Limits(hello=0.5, unadmitted=0.8, ping=0.2, idle=0.8)
SHORT_DOORS = DoorLimits(first_bytes=0.5, page_grace=0.5, linger=0.1)


def _bytes(case: dict[str, object]) -> bytes:
    if "hex" in case:
        return bytes.fromhex(str(case["hex"]))
    fill = str(case.get("with", "a")) * int(str(case.get("fill", 0)))
    return str(case["text"]).replace("‹fill›", fill).encode()


@pytest_asyncio.fixture
async def running() -> AsyncIterator[Running]:
    async with running_server() as server:
        yield server


@pytest_asyncio.fixture
async def hurried() -> AsyncIterator[Running]:
    """A server whose deadlines are fractions of a second."""
    async with running_server(limits=SHORT, door_limits=SHORT_DOORS) as server:
        yield server


async def read_to_end(reader: asyncio.StreamReader) -> bytes:
    """Everything until the server closes or resets."""
    async with asyncio.timeout(peers.DEADLINE):
        try:
            return await reader.read(-1)
        except ConnectionError:
            return b""


def errors(text: bytes) -> list[str]:
    """The codes of the errors among these lines."""
    said: list[ServerMessage] = [codec.decode_server(line) for line in text.splitlines()]
    return [message.code for message in said if isinstance(message, Error)]


@pytest.mark.parametrize("transport", ["tcp", "ws"])
async def test_every_invalid_message_is_refused_and_nobody_else_notices(
    running: Running, transport: Transport
) -> None:
    """All golden bad inputs, one connection each if they close it; a camera sees none of it."""
    async with connect(running.host, running.port) as camera:
        await claim(camera, KEY, ROOM)
        for case in INVALID:
            if transport == "ws" and case.get("hex", "").startswith("ff"):
                continue  # not UTF-8: the server closes with 1007 as RFC 6455 §8.1 demands
            async with connect(running.host, running.port, transport=transport) as peer:
                await peer.send(_bytes(case)) if transport == "tcp" or "hex" not in case else None
                if transport == "ws" and "hex" in case:
                    assert isinstance(peer.wire, WebSocketWire)
                    await peer.wire.socket.send_bytes(_bytes(case))
                await peer.refused(case["code"])
                if case["code"] == "message_too_large":
                    await peer.closed()
                else:
                    await peer.send(Ping())
                    await peer.expect(Pong)
        await camera.send(Ping())
        await camera.expect(Pong)


@pytest.mark.parametrize("transport", ["tcp", "ws"])
@pytest.mark.parametrize("size", [MESSAGE_BYTES + 1, 1_000_000])
async def test_a_message_over_the_limit_closes_with_a_sentence(
    running: Running, transport: Transport, size: int
) -> None:
    """However much of it there is."""
    async with connect(running.host, running.port, transport=transport) as peer:
        sending = asyncio.create_task(peer.send(b'{"type":"ping","x":"' + b"a" * size + b'"}'))
        await peer.refused("message_too_large")
        await peer.closed()
        await asyncio.gather(sending, return_exceptions=True)


async def test_a_message_at_the_limit_passes(running: Running) -> None:
    """64 KiB, to the byte."""
    frame = b'{"type":"ping","x":"' + b'"}'
    for transport in ("tcp", "ws"):
        async with connect(running.host, running.port, transport=transport) as peer:
            await peer.send(frame[:-2] + b"a" * (MESSAGE_BYTES - len(frame)) + frame[-2:])
            await peer.expect(Pong)


async def test_neither_json_nor_http_is_told_so(running: Running) -> None:
    """A person with telnet learns something."""
    reader, writer = await asyncio.open_connection(running.host, running.port)
    writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")
    assert errors(await read_to_end(reader)) == ["malformed"]
    writer.close()


async def test_a_camera_that_half_closes_still_hears_the_answers(running: Running) -> None:
    """As in ``printf … | nc``."""
    reader, writer = await asyncio.open_connection(running.host, running.port)
    writer.write(b'{"type":"hello","version":1}\n{"type":"ping"}\n')
    writer.write_eof()
    lines = (await read_to_end(reader)).splitlines()
    assert [type(codec.decode_server(line)) for line in lines] == [Welcome, Pong]
    writer.close()


# ── silence and trickles ─────────────────────────────────────────────────────────────────────

UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
TRICKLES = {
    "nothing": b"",
    "half a hello": b'{"type":"hello",',
    "an endless object": b'{"' + b"x" * 5000,
    "an endless request line": b"GET /" + b"x" * 5000,
    "endless headers": b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X-Slow: 1\r\n" * 500,
    "a body that was announced": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\n\r\n"
    + b"x" * 100,
    "a WebSocket that says nothing": UPGRADE,
}
ENDLESS = {name for name, sent in TRICKLES.items() if len(sent) >= 5000}  # half a minute


@pytest.mark.parametrize("name", sorted(TRICKLES))
async def test_who_trickles_is_gone_in_time(hurried: Running, name: str) -> None:
    """Whatever it sends, a byte at a time: what has no end is cut off."""
    reader, writer = await asyncio.open_connection(hurried.host, hurried.port)

    async def trickle() -> None:
        for byte in TRICKLES[name]:
            writer.write(bytes((byte,)))
            await writer.drain()
            await asyncio.sleep(0.005)

        finished.set()

    finished = asyncio.Event()
    sending = asyncio.create_task(trickle())
    await read_to_end(reader)
    assert not (finished.is_set() and name in ENDLESS)
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    writer.close()


SENTENCES = {
    "nothing": (b"", b"hello_timeout"),
    "half a method": (b"GE", b"hello_timeout"),
    "half a hello": (b'{"type"', b"hello_timeout"),
    "half a request": (b"GET / HTTP/1.1\r\nHost: x\r\n", b"HTTP/1.1 408 Request Timeout"),
}


@pytest.mark.parametrize("name", sorted(SENTENCES))
async def test_who_comes_to_no_point_is_told_before_it_is_closed(
    hurried: Running, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the words of what it seems to speak, and not by a timer that has none."""
    monkeypatch.setattr(http, "_KEEPALIVE", 0.1)
    sent, expected = SENTENCES[name]
    reader, writer = await asyncio.open_connection(hurried.host, hurried.port)
    writer.write(sent)
    assert expected in await read_to_end(reader)
    writer.close()


async def test_hello_counts_from_the_upgrade_of_a_connection_that_fetched_a_page(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A browser keeps its connection, and upgrades it when the page comes to it."""
    arrivals: list[Arrival] = []
    arrive = Port._arrival

    def arrival(port: Port, accepted: socket.socket) -> Arrival:
        arrivals.append(arrive(port, accepted))
        return arrivals[-1]

    monkeypatch.setattr(Port, "_arrival", arrival)
    doors = DoorLimits(page_grace=DAY, linger=0.1)
    async with running_server(
        limits=only(hello=60.0, unadmitted=60.0), door_limits=doors
    ) as running:
        reader, writer = await asyncio.open_connection(running.host, running.port)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readuntil(b"}")
        arrivals[0].stranger_since -= 3600.0  # it has fetched pages for an hour
        writer.write(UPGRADE)
        await reader.readuntil(b"\r\n\r\n")
        peers_ = running.server.core.book.peers
        await until(lambda: all(peer.check_at > running.now for peer in peers_.values()))
        assert len(peers_) == 1  # it was looked at, and stays for now
        running.wind(60.0)
        assert b"hello_timeout" in await read_to_end(reader)
        writer.close()


async def test_a_second_request_is_not_waited_for_longer(hurried: Running) -> None:
    """Keep-alive ends in time, too."""
    reader, writer = await asyncio.open_connection(hurried.host, hurried.port)
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /heal")
    assert b'"status": "ok"' in await read_to_end(reader)
    writer.close()


async def test_a_tls_handshake_that_trickles_is_gone_in_time(certificate: Path) -> None:
    """One record header, then nothing."""
    async with running_server(
        limits=SHORT, door_limits=SHORT_DOORS, tls_cert=certificate
    ) as running:
        reader, writer = await asyncio.open_connection(running.host, running.port)
        writer.write(b"\x16\x03\x01\x02\x00")
        await read_to_end(reader)
        writer.close()


@pytest.mark.parametrize("transport", ["tcp", "ws"])
async def test_who_says_hello_and_no_more_is_told_why_it_is_closed(transport: Transport) -> None:
    """Unadmitted, after the time for strangers."""
    async with (
        running_server(limits=only(unadmitted=10.0)) as running,
        connect(running.host, running.port, transport=transport) as peer,
    ):
        running.wind(10.0)
        await peer.closed()
        assert [m.code for m in peer.seen if isinstance(m, Error)] == ["hello_timeout"]


@pytest.mark.parametrize("transport", ["tcp", "ws"])
async def test_an_admitted_peer_that_falls_silent_is_closed(transport: Transport) -> None:
    """It is pinged first, and does not answer."""
    async with (
        running_server(limits=only(ping=5.0, idle=DAY)) as running,
        connect(running.host, running.port, transport=transport) as camera,
    ):
        await claim(camera, KEY, ROOM)
        running.wind(5.0)
        assert isinstance(codec.decode_server(await camera.wire.receive()), Ping)
        running.wind(DAY)
        await camera.refused("idle_timeout")
        await camera.closed()


# ── too many, too fast, too slow ─────────────────────────────────────────────────────────────


async def test_strangers_of_one_address_are_capped_and_the_admitted_do_not_count() -> None:
    """A place is given back by claiming a room or by leaving."""
    async with running_server(strangers_per_address=3) as running:
        host, port = running.host, running.port
        async with connect(host, port) as camera, connect(host, port), connect(host, port):
            await claim(camera, KEY, ROOM)
            async with connect(host, port):
                wire = await open_wire("tcp", host, port)
                error = codec.decode_server(await wire.receive())
                assert isinstance(error, Error)
                assert (error.code, error.retry_after) == ("too_many_connections", 10.0)
                with pytest.raises(ClosedError):
                    await wire.receive()
                await wire.close()
            await _until_welcome(host, port)


async def _until_welcome(host: str, port: int) -> None:
    async with asyncio.timeout(peers.DEADLINE):
        while True:
            try:
                async with connect(host, port):
                    return
            except (AssertionError, ClosedError, ConnectionError):
                await asyncio.sleep(0.01)


async def test_who_talks_too_fast_is_read_more_slowly_and_loses_nothing() -> None:
    """20 a second and bursts of 60 in the product; smaller here."""
    limits = Limits(messages_per_second=50, burst=10)
    async with running_server(limits=limits) as running:
        for transport in ("tcp", "ws"):
            async with connect(running.host, running.port, transport=transport) as peer:
                started = asyncio.get_running_loop().time()
                for _ in range(40):
                    await peer.send(Ping())
                for _ in range(40):
                    await peer.expect(Pong)
                assert asyncio.get_running_loop().time() - started > 0.5


async def test_control_frames_cost_as_much_as_messages() -> None:
    """Pings and pongs of WebSocket are paced like everything else, and pings still answered."""
    limits = Limits(messages_per_second=50, burst=10)
    async with (
        running_server(limits=limits) as running,
        connect(running.host, running.port, transport="ws") as peer,
    ):
        assert isinstance(peer.wire, WebSocketWire)
        started = asyncio.get_running_loop().time()
        for _ in range(20):
            await peer.wire.socket.ping()
            await peer.wire.socket.pong()
        await peer.send(Ping())
        await peer.expect(Pong)
        assert asyncio.get_running_loop().time() - started > 0.5


async def test_a_websocket_ping_is_answered(running: Running) -> None:
    """With its own payload (RFC 6455 §5.5.3)."""
    reader, writer = await asyncio.open_connection(running.host, running.port)
    writer.write(UPGRADE + b"\x89\x82\0\0\0\0hi")
    await reader.readuntil(b"\r\n\r\n")
    async with asyncio.timeout(peers.DEADLINE):
        assert await reader.readexactly(4) == b"\x8a\x02hi"
    writer.close()


async def test_a_viewer_without_a_place_counts_as_a_stranger_again() -> None:
    """Until it joins again, or leaves."""
    async with (
        running_server() as running,
        connect(running.host, running.port) as camera,
    ):
        await claim(camera, KEY, ROOM)
        gate = running.server.gate
        async with connect(running.host, running.port, transport="ws") as viewer:
            for strangers in (0, 0):
                session = await peers.joined(viewer, ROOM)
                assert gate.strangers == strangers
                await viewer.send(End(session=session.session, reason="left"))
                await viewer.send(Ping())
                await viewer.expect(Pong)
                assert gate.strangers == 1
        await until(lambda: gate.strangers == 0)


async def test_a_key_has_a_bounded_number_of_rooms() -> None:
    """Its owner is told how many, and what can be done."""
    async with (
        running_server(rooms_per_key=1) as running,
        connect(running.host, running.port) as camera,
        connect(running.host, running.port) as second,
    ):
        await claim(camera, KEY, ROOM)
        await second.send(
            peers.signed_claim(second.welcome, KEY, room="Other", origin=second.origin)
        )
        assert "--rooms-per-key" in (await second.refused("too_many_rooms")).message


@pytest.mark.parametrize("transport", ["tcp", "ws"])
async def test_who_does_not_read_is_let_go_and_memory_stays_bounded(transport: Transport) -> None:
    """Its output is queued up to a limit; then it is closed."""
    doors = DoorLimits(unread_output=1 << 16, linger=0.1)
    limits = Limits(messages_per_second=1_000_000)
    async with (
        running_server(limits=limits, door_limits=doors) as running,
        connect(running.host, running.port) as camera,
        connect(running.host, running.port, transport=transport) as viewer,
    ):
        await claim(camera, KEY, ROOM)
        joined = await peers.negotiate(viewer, camera, ROOM)
        answer = Answer(session=joined.session, sdp="a" * 32_000)
        async with asyncio.timeout(peers.DEADLINE):
            while running.server.counters.totals["too_slow"] == 0:
                await camera.send(answer)
                await asyncio.sleep(0)
        assert (await camera.expect(Presence)).present is False


# ── guessing ─────────────────────────────────────────────────────────────────────────────────


async def test_guessing_names_teaches_nothing() -> None:
    """Live, away or never claimed: the same bytes, and no ICE servers among them."""
    async with running_server(
        stun=("stun:stun.example.org",), turn=("turn:turn.example.org",), turn_secret="s3cret"
    ) as running:
        host, port = running.host, running.port
        async with connect(host, port) as camera:
            async with connect(host, port) as away:
                await claim(away, KEY, "Away")
            await claim(camera, KEY, "Live")
            answers = set()
            for room in ("Live", "Away", "Never"):
                for secret in (None, "d3Jvbmctc2VjcmV0LTAwMQ"):
                    async with connect(host, port) as guesser:
                        await guesser.send(peers.proven_join(guesser.welcome, room, secret))
                        answers.add(await guesser.wire.receive())
                        assert b"stun" not in b"".join(answers)
            assert len(answers) == 1
            async with connect(host, port) as viewer:
                joined = await peers.joined(viewer, "Live")
                assert [server.urls for server in joined.ice_servers] == [
                    ("stun:stun.example.org",),
                    ("turn:turn.example.org",),
                ]


async def test_a_malformed_room_is_named(running: Running) -> None:
    """For cameras and viewers."""
    async with connect(running.host, running.port) as peer:
        await peer.send(Join(room="no room!"))
        await peer.refused("room_malformed")


# ── pages of others ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (None, 101),
        ("http://{host}", 101),
        ("https://friend.example.org", 101),
        ("https://FRIEND.example.org", 101),
        ("https://friend.example.org:8443", 403),
        ("https://other.example.org", 101),
        ("https://foe.example.org", 403),
        ("null", 403),
        ("http://127.0.0.1:1", 403),
        ("file://", 403),
    ],
)
async def test_the_origin_of_a_page_is_checked(origin: str | None, status: int) -> None:
    """Same origin, or named with --allow-origin; programs have none."""
    async with (
        running_server(
            allow_origin=("https://friend.example.org", "https://Other.example.org:443")
        ) as running,
        aiohttp.ClientSession() as session,
    ):
        host = f"{running.host}:{running.port}"
        headers = {} if origin is None else {"Origin": origin.format(host=host)}
        if status == 101:
            async with session.ws_connect(f"http://{host}/ws", headers=headers) as socket:
                await socket.send_str('{"type":"hello","version":1}')
                assert (await socket.receive_json())["type"] == "welcome"
        else:
            with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
                await session.ws_connect(f"http://{host}/ws", headers=headers)
            assert caught.value.status == status
