"""A WebSocket on the wire: fragments, endings, and peers that break the protocol."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.support.peers import DEADLINE
from tests.support.server import Running

REQUEST = (
    b"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
HELLO = b'{"type":"hello","version":1}'


def frame(first: int, payload: bytes) -> bytes:
    """A short frame, masked with nothing."""
    return bytes([first, 0x80 | len(payload)]) + bytes(4) + payload


@asynccontextmanager
async def upgraded(
    running: Running, said: bytes = b""
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection after its handshake; ``said`` came in the same packet as the request."""
    reader, writer = await asyncio.open_connection(running.host, running.port)
    try:
        writer.write(REQUEST + said)
        async with asyncio.timeout(DEADLINE):
            assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
            yield reader, writer
    finally:
        writer.close()


async def heard(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """The next frame: its first byte, and what it holds."""
    first, length = await reader.readexactly(2)
    if length == 126:
        length = int.from_bytes(await reader.readexactly(2))
    return first, await reader.readexactly(length)


async def test_a_message_may_come_in_pieces(running: Running) -> None:
    """§5.4: with a ping in between, and every byte on its own."""
    pieces = frame(0x01, HELLO[:9]) + frame(0x89, b"?") + frame(0x00, b"") + frame(0x80, HELLO[9:])
    async with upgraded(running) as (reader, writer):
        for byte in pieces:
            writer.write(bytes([byte]))
            await writer.drain()
        assert await heard(reader) == (0x8A, b"?")
        first, message = await heard(reader)
        assert first == 0x81
        assert b'"welcome"' in message


async def test_what_came_with_the_request_is_not_lost(running: Running) -> None:
    async with upgraded(running, frame(0x81, HELLO)) as (reader, _):
        assert b'"welcome"' in (await heard(reader))[1]


async def test_a_close_is_answered_and_the_connection_ends(running: Running) -> None:
    """§5.5.1; the server closes first, §7.1.1."""
    async with upgraded(running) as (reader, writer):
        writer.write(frame(0x88, b"\x03\xe8"))
        assert await heard(reader) == (0x88, b"\x03\xe8")
        assert await reader.read() == b""


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (b"\x81\x02hi", 1002),  # not masked
        (frame(0x80, b"more"), 1002),  # of nothing
        (frame(0x01, b"one") + frame(0x81, b"two"), 1002),  # inside another message
        (frame(0x81, b"\xff"), 1007),
        (frame(0x01, b"\xff") + frame(0x80, b""), 1007),
    ],
)
async def test_who_breaks_the_protocol_is_closed_with_its_code(
    running: Running, said: bytes, code: int
) -> None:
    async with upgraded(running) as (reader, writer):
        writer.write(said)
        assert await heard(reader) == (0x88, code.to_bytes(2))
        assert await reader.read() == b""


async def test_pieces_are_bounded_together(running: Running) -> None:
    """64 KiB and one byte, in pieces of which none is too long."""
    piece = bytes([0x00, 0xFE]) + (4096).to_bytes(2) + bytes(4) + b"a" * 4096
    async with upgraded(running) as (reader, writer):
        writer.write(frame(0x01, b"a") + 16 * piece)
        assert b"message_too_large" in (await heard(reader))[1]
        assert await heard(reader) == (0x88, (1009).to_bytes(2))
