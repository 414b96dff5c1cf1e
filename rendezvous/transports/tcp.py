"""Raw TCP: one JSON object a line."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import cast

from rendezvous.relay.hub import Hub
from rendezvous.transports.conversation import converse, new_connection_id
from rendezvous.transports.gate import Arrival, DoorLimits
from rendezvous.transports.sniffer import Recogniser
from rendezvous.wire import codec
from rendezvous.wire.messages import MESSAGE_BYTES, Error, ErrorCode


class TcpLines:
    """Makes the protocol of each TCP peer, and knows when all of them are gone."""

    def __init__(self, hub: Hub, limits: DoorLimits) -> None:
        self.hub = hub
        self.limits = limits
        self.tasks: set[asyncio.Task[None]] = set()

    def recognisers(self) -> tuple[Recogniser, ...]:
        """A peer that begins with an object."""
        return (Recogniser(b"{", lambda arrival: _LineProtocol(self, arrival)),)

    async def stop(self) -> None:
        """Waits until the connections that the hub has closed are gone. Idempotent."""
        if self.tasks:
            await asyncio.wait(self.tasks, timeout=2 * self.limits.linger)


class _LineProtocol(asyncio.Protocol):
    """One peer: its own reader, its own task, and the hub's view of it."""

    def __init__(self, lines: TcpLines, arrival: Arrival) -> None:
        self.id = new_connection_id()
        self.stranger_since = arrival.stranger_since
        self.origins = arrival.origins
        self._lines = lines
        self._arrival = arrival
        self._reader = asyncio.StreamReader(limit=MESSAGE_BYTES)
        self._lost = asyncio.Event()
        self._closing = False
        self._transport: asyncio.Transport

    # ── for asyncio ──────────────────────────────────────────────────────────────────────────

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # asyncio's promise, uvloop's too
        self._arrival.cancel_deadline()  # the core has deadlines of its own from here on
        self._reader.set_transport(transport)  # it pauses reading beyond its limit
        task = asyncio.create_task(self._serve())
        self._lines.tasks.add(task)
        task.add_done_callback(self._lines.tasks.discard)

    def data_received(self, data: bytes) -> None:
        if not self._closing:
            self._reader.feed_data(data)

    def eof_received(self) -> bool:
        self._end_input()
        return not self._arrival.tls  # half open, for answers that are under way

    def connection_lost(self, _exc: Exception | None) -> None:
        self._end_input()
        self._arrival.depart()
        self._lost.set()

    # ── for the hub ──────────────────────────────────────────────────────────────────────────

    def send(self, data: bytes) -> bool:
        if self._transport.is_closing():
            return True
        if self._transport.get_write_buffer_size() > self._lines.limits.unread_output:
            return False
        self._transport.write(data + b"\n")
        return True

    def admitted(self) -> None:
        self._arrival.leave_gate()

    def unseated(self) -> None:
        self._arrival.return_to_gate()

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            self._end_input()
            self._transport.resume_reading()  # what still comes is thrown away

    # ── the conversation ─────────────────────────────────────────────────────────────────────

    def _end_input(self) -> None:
        if not self._reader.at_eof():
            self._reader.feed_eof()

    async def _serve(self) -> None:
        await converse(self._lines.hub, self, self._messages())
        await self._say_farewell()

    async def _messages(self) -> AsyncIterator[bytes]:
        while not self._closing:
            try:
                line = await self._reader.readuntil(b"\n")
            except asyncio.LimitOverrunError:
                raise codec.too_large() from None
            except (asyncio.IncompleteReadError, OSError):
                return
            if not self._closing:
                yield line[:-1]

    async def _say_farewell(self) -> None:
        # A socket that is closed with unread input is reset, and the peer may lose our last words.
        # So we end our side, and give the peer a moment to read and to end its own.
        self._closing = True
        # close() alone would wait for a peer that does not read, for ever.
        if self._transport.can_write_eof() and not self._transport.is_closing():
            with contextlib.suppress(OSError):  # the peer was faster
                self._transport.write_eof()
        else:
            self._transport.close()
        try:
            await asyncio.wait_for(self._lost.wait(), self._lines.limits.linger)
        except TimeoutError:
            self._transport.abort()


class ClearRefusal(asyncio.Protocol):
    """Tells a peer in clear that this port wants TLS."""

    def __init__(self, arrival: Arrival, limits: DoorLimits) -> None:
        self._arrival = arrival
        self._limits = limits

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The refusal is all there is to say."""
        transport = cast(asyncio.Transport, transport)  # asyncio's promise, uvloop's too
        error = Error(code=ErrorCode.TLS_REQUIRED, message="This port wants TLS.")
        transport.write(codec.encode(error) + b"\n")
        transport.write_eof()
        when = asyncio.get_running_loop().time() + self._limits.linger
        self._arrival.set_deadline(when, transport.abort)

    def connection_lost(self, _exc: Exception | None) -> None:
        """It has read it, or not."""
        self._arrival.depart()
