"""Somebody between a client and Redis who changes the order of its replies."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeAlias

_CHUNK = 65_536

Replies: TypeAlias = list[bytes]
Tamper: TypeAlias = Callable[[Replies], Replies]
"""What becomes of the replies of one connection that have come at one time."""


def honest() -> Tamper:
    """Everything as it came."""
    return lambda replies: replies


def late() -> Tamper:
    """Each reply is that of the call before: as when the reply of a cancelled one was left."""
    kept: Replies = []

    def tamper(replies: Replies) -> Replies:
        queue = [*(kept or [b"$-1\r\n"]), *replies]
        kept[:] = queue[-1:]
        return queue[:-1]

    return tamper


def swapped() -> Tamper:
    """Calls that travelled together get each other's."""
    return lambda replies: replies[::-1]


def cut_once() -> Callable[[], Tamper]:
    """One connection breaks when its next reply is on its way; what was asked was done."""
    left = [True]

    def tamper(replies: Replies) -> Replies:
        if left and replies:
            left.clear()
            raise ConnectionResetError
        return replies

    return lambda: tamper


class Middleman:
    """``tampering`` makes what changes replies, for each connection anew: none has another's."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._meetings: set[asyncio.Task[None]] = set()
        self.tampering: Callable[[], Tamper] = honest

    def meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A client connects."""
        meeting = asyncio.create_task(self._meet(reader, writer))
        self._meetings.add(meeting)
        meeting.add_done_callback(self._meetings.discard)

    async def leave(self) -> None:
        """Both ends of all connections are closed, and gone."""
        for meeting in self._meetings:
            meeting.cancel()
        await asyncio.gather(*self._meetings, return_exceptions=True)

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with _closing(writer):
            server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._port)
            async with _closing(server_writer), asyncio.TaskGroup() as group:
                calls = group.create_task(_copy(reader, server_writer))
                with contextlib.suppress(ConnectionError):
                    await self._answer(server_reader, writer)
                calls.cancel()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        buffer, tampering, tamper = b"", honest, honest()
        while chunk := await reader.read(_CHUNK):
            if tampering is not self.tampering:
                tampering, tamper = self.tampering, self.tampering()
            replies, buffer = split(buffer + chunk)
            writer.write(b"".join(tamper(replies)))
            await writer.drain()


@asynccontextmanager
async def _closing(writer: asyncio.StreamWriter) -> AsyncIterator[None]:
    try:
        yield
    finally:
        writer.transport.abort()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while chunk := await reader.read(_CHUNK):
            writer.write(chunk)
            await writer.drain()
    writer.close()


def split(data: bytes) -> tuple[Replies, bytes]:
    """The whole replies (RESP2) at the beginning, and the rest."""
    replies, start = [], 0
    while (end := _end(data, start)) is not None:
        replies.append(data[start:end])
        start = end
    return replies, data[start:]


def _end(data: bytes, start: int) -> int | None:
    line = data.find(b"\r\n", start)
    if line < 0:
        return None
    kind, after = data[start : start + 1], line + 2
    if kind == b"$":
        size = int(data[start + 1 : line])
        end = after + size + 2 if size >= 0 else after
        return end if end <= len(data) else None
    if kind != b"*":
        return after
    at: int | None = after
    for _ in range(int(data[start + 1 : line])):
        at = None if at is None else _end(data, at)
    return at


@asynccontextmanager
async def middleman(port: int) -> AsyncIterator[tuple[Middleman, str]]:
    """Before the Redis on this port; gives what --redis takes."""
    man = Middleman(port)
    server = await asyncio.start_server(man.meet, "127.0.0.1", 0)
    try:
        yield man, f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await man.leave()
