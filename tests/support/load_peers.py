"""Cheap peers for load: thousands in one process, so that the server is what is measured.

``peers.py`` is for tests and says what it missed; here a peer is one protocol object. Pings are
answered where they arrive.
"""

import asyncio
import base64
import os
import ssl
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator
from typing import TypeVar, cast

from rendezvous.wire import codec
from rendezvous.wire.messages import Ping, Pong

DEADLINE = 30.0  # seconds for anything; a storm is slow, not dead

_PING, _PONG = codec.encode(Ping()), codec.encode(Pong())
_TEXT, _CLOSE, _WS_PING, _WS_PONG = 1, 8, 9, 10  # opcodes of RFC 6455 §5.2
_MASK = bytes(4)  # a mask is there for proxies; zero costs us nothing to apply

_T = TypeVar("_T", bound=asyncio.Protocol)


class Gone(Exception):  # noqa: N818  # an event, as asyncio.CancelledError is
    """The server has closed the connection."""


class Talker(asyncio.Protocol, ABC):
    """JSON messages over one connection."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport
        self.open = False
        self._input = b""
        self._inbox: deque[bytes] = deque()
        self._waiter: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # asyncio's promise, uvloop's too
        self.open = True

    def connection_lost(self, _exc: Exception | None) -> None:
        self.open = False
        self._wake()

    def data_received(self, data: bytes) -> None:
        self._input += data
        for message in self.messages():
            if message == _PING:
                self.say(_PONG)
            else:
                self._inbox.append(message)
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    @abstractmethod
    def messages(self) -> Iterator[bytes]:
        """Takes the whole messages out of what has come so far."""

    @abstractmethod
    def say(self, data: bytes) -> None:
        """Sends one message."""

    async def hear(self) -> bytes:
        """The next message; raises Gone."""
        while not self._inbox:
            if not self.open:
                raise Gone
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        return self._inbox.popleft()

    def hang_up(self) -> None:
        """Closes at once."""
        self.transport.abort()


class Lines(Talker):
    """One object a line."""

    def messages(self) -> Iterator[bytes]:
        *whole, self._input = self._input.split(b"\n")
        yield from whole

    def say(self, data: bytes) -> None:
        self.transport.write(data + b"\n")


class Frames(Talker):
    """One object a text message, once ``upgraded``."""

    def __init__(self) -> None:
        super().__init__()
        self._upgraded = False

    def ask(self, target: str, host: str) -> None:
        """Asks for the upgrade; the first message that is heard is its status line."""
        key = base64.b64encode(os.urandom(16)).decode()
        self.transport.write(
            f"GET {target} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: {key}\r\n\r\n".encode()
        )

    def messages(self) -> Iterator[bytes]:
        if not self._upgraded and b"\r\n\r\n" in self._input:
            head, self._input = self._input.split(b"\r\n\r\n", 1)
            self._upgraded = True
            yield head.split(b"\r\n")[0]
        while self._upgraded and (frame := self._frame()) is not None:
            opcode, payload = frame
            if opcode == _TEXT:
                yield payload
            elif opcode == _WS_PING:
                self._send(_WS_PONG, payload)
            elif opcode == _CLOSE:
                self.transport.abort()

    def _frame(self) -> tuple[int, bytes] | None:
        data = self._input
        if len(data) < 2:
            return None
        length, start = data[1] & 0x7F, 2
        for marker, size in ((126, 2), (127, 8)):
            if data[1] & 0x7F == marker:
                length, start = int.from_bytes(data[2 : 2 + size]), 2 + size
        if len(data) < start or len(data) < start + length:
            return None
        self._input = data[start + length :]
        return data[0] & 0x0F, data[start : start + length]

    def say(self, data: bytes) -> None:
        self._send(_TEXT, data)

    def _send(self, opcode: int, data: bytes) -> None:
        size = len(data)
        length = bytes([0x80 | size]) if size < 126 else b"\xfe" + size.to_bytes(2)
        self.transport.write(bytes([0x80 | opcode]) + length + _MASK + data)


async def lines(host: str, port: int, tls: ssl.SSLContext | None = None) -> Lines:
    """A raw TCP connection."""
    return await _dial(Lines, host, port, tls)


async def frames(
    host: str, port: int, target: str = "/ws", tls: ssl.SSLContext | None = None
) -> Frames:
    """A WebSocket; raises Gone when the server has none at ``target``."""
    made = await _dial(Frames, host, port, tls)
    made.ask(target, f"{host}:{port}")
    upgraded = False
    try:
        upgraded = b" 101 " in await made.hear()
    finally:
        if not upgraded:  # or whoever dials was cancelled
            made.hang_up()
    if not upgraded:
        raise Gone
    return made


async def _dial(kind: Callable[[], _T], host: str, port: int, tls: ssl.SSLContext | None) -> _T:
    loop = asyncio.get_running_loop()
    _, made = await loop.create_connection(kind, host, port, ssl=tls)
    return made
