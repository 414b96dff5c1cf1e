"""WebSocket: one JSON object a text message."""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Callable
from functools import partial
from urllib.parse import urlsplit

from aiohttp import WSCloseCode, WSMessage, WSMsgType, hdrs, web

from rendezvous.relay.hub import Hub
from rendezvous.transports.conversation import converse, new_connection_id
from rendezvous.transports.gate import Arrival, DoorLimits
from rendezvous.wire import codec
from rendezvous.wire.messages import MESSAGE_BYTES, Error

SERVER = "porthole"  # and no versions of libraries
_DEFAULT_PORTS = {"http": 80, "https": 443}


def same_origin(origin: str, host: str) -> bool:
    """Whether a page of this origin was served under this Host (RFC 6454 §4)."""
    try:
        page, served = urlsplit(origin), urlsplit(f"//{host}")
        default = _DEFAULT_PORTS[page.scheme]
        ports = page.port or default, served.port or default
    except (KeyError, ValueError):  # "null", another scheme, a port that is no number
        return False
    named = page.hostname is not None
    return named and page.hostname == served.hostname and ports[0] == ports[1]


class _Socket(web.WebSocketResponse):
    """aiohttp closes by itself when a message is too long; the reason in our words comes first."""

    async def close(
        self, *, code: int = WSCloseCode.OK, message: bytes = b"", drain: bool = True
    ) -> bool:
        if code == WSCloseCode.MESSAGE_TOO_BIG and not self.closed:
            refusal = codec.too_large()
            error = codec.encode(Error(code=refusal.code, message=str(refusal)))
            with contextlib.suppress(ConnectionError):
                await self.send_str(error.decode())
        return await super().close(code=code, message=message, drain=drain)


class WebSocketConnection:
    """The hub's view of one peer: output is queued, and bounded in bytes."""

    def __init__(
        self,
        socket: web.WebSocketResponse,
        arrival: Arrival,
        limits: DoorLimits,
        abort: Callable[[], None],
    ) -> None:
        self.id = new_connection_id()
        self.stranger_since = arrival.stranger_since
        self.origins = arrival.origins
        self._socket = socket
        self._arrival = arrival
        self._limits = limits
        self._abort = abort
        self._outbox: deque[bytes] = deque()
        self._queued = 0  # bytes
        self._wake = asyncio.Event()
        self._closing = False

    def send(self, data: bytes) -> bool:
        """See relay.hub.Connection."""
        if self._closing:
            return True
        if self._queued > self._limits.unread_output:
            return False
        self._outbox.append(data)
        self._queued += len(data)
        self._wake.set()
        return True

    def admitted(self) -> None:
        """See relay.hub.Connection."""
        self._arrival.leave_gate()

    def unseated(self) -> None:
        """See relay.hub.Connection."""
        self._arrival.return_to_gate()

    def close(self) -> None:
        """See relay.hub.Connection."""
        if not self._closing:
            self._closing = True
            self._wake.set()
            # A peer that does not read keeps the writer waiting, for ever.
            when = asyncio.get_running_loop().time() + 2 * self._limits.linger
            self._arrival.set_deadline(when, self._abort)

    async def write(self) -> None:
        """Writes what is queued until the connection is closed from this end or lost."""
        while True:
            while self._outbox:
                data = self._outbox.popleft()
                await self._socket.send_str(data.decode())
                self._queued -= len(data)
            if self._closing:
                await self._socket.close(code=WSCloseCode.POLICY_VIOLATION)
                return
            self._wake.clear()
            await self._wake.wait()

    async def messages(self) -> AsyncIterator[bytes | None]:
        """What the peer says, None for a control frame; raises WireError if it is unreadable."""
        async for message in self._socket:
            if self._closing:
                continue
            if message.type is WSMsgType.TEXT:
                yield message.data.encode()
            elif message.type is WSMsgType.BINARY:
                yield message.data
            elif message.type in (WSMsgType.PING, WSMsgType.PONG):
                yield None  # a ping is answered when the pace has let it through
                await self._pong(message)
        if self._socket.close_code == WSCloseCode.MESSAGE_TOO_BIG:
            raise codec.too_large()

    async def _pong(self, message: WSMessage) -> None:
        if message.type is WSMsgType.PING:
            with contextlib.suppress(ConnectionError):  # the peer was faster
                await self._socket.pong(message.data)


async def serve(
    request: web.BaseRequest, arrival: Arrival, hub: Hub, limits: DoorLimits
) -> web.StreamResponse:
    """Holds the conversation of one WebSocket until its end."""
    socket = _Socket(
        max_msg_size=MESSAGE_BYTES + 1,
        compress=False,
        timeout=limits.linger,
        autoping=False,  # aiohttp would answer pings as fast as they come
    )
    socket.headers[hdrs.SERVER] = SERVER
    await socket.prepare(request)
    arrival.cancel_deadline()  # the core has deadlines of its own from here on
    connection = WebSocketConnection(socket, arrival, limits, partial(_abort, request))
    writer = asyncio.create_task(_write(connection, request))
    await converse(hub, connection, connection.messages())
    connection.close()
    await asyncio.wait((writer,), timeout=2 * limits.linger)
    writer.cancel()
    _abort(request)
    return socket


async def _write(connection: WebSocketConnection, request: web.BaseRequest) -> None:
    try:
        await connection.write()
    except (ConnectionError, RuntimeError):  # aiohttp's words for a peer that is gone
        _abort(request)


def _abort(request: web.BaseRequest) -> None:
    if request.transport is not None:
        request.transport.abort()
