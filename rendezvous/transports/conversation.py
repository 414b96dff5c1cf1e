"""What every transport does with its messages, whatever they came in.

No task, no stream and no queue: a connection that says nothing is a handful of small objects, and
there are thousands of them. A message is handled where it arrives; a task lives only for as long
as the store is asked.
"""

import asyncio
import contextlib
import logging
import secrets
from abc import ABC, abstractmethod
from collections.abc import Coroutine
from typing import Any, Generic, TypeVar, cast

from rendezvous.relay.hub import Hub
from rendezvous.transports.gate import Arrival, DoorLimits
from rendezvous.wire.codec import WireError
from rendezvous.wire.identity import ConnectionId
from rendezvous.wire.messages import MESSAGE_BYTES

log = logging.getLogger(__name__)

Unit = TypeVar("Unit")
"""What a transport reads at a time, and what costs its sender one message of its pace."""


def new_connection_id() -> ConnectionId:
    """128 random bits: part of what a claim signs."""
    return ConnectionId(secrets.token_urlsafe(16))


class Conversations:
    """What all conversations of one server share; knows when the last of them is over."""

    def __init__(self, hub: Hub, limits: DoorLimits) -> None:
        self.hub = hub
        self.limits = limits
        self._open: set[asyncio.Protocol] = set()
        self._answering: set[asyncio.Task[None]] = set()
        self._emptied = asyncio.Event()

    def began(self, conversation: asyncio.Protocol) -> None:
        """There is one more."""
        self._open.add(conversation)

    def ended(self, conversation: asyncio.Protocol) -> None:
        """Its connection is gone."""
        self._open.discard(conversation)
        if not self._open:
            self._emptied.set()

    def answer(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs what a message has left to do."""
        task = asyncio.create_task(work)
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def stop(self) -> None:
        """Waits until the connections that the hub has closed are gone. Idempotent."""
        self._emptied.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2 * self.limits.linger):
                while self._open:
                    await self._emptied.wait()


class Conversation(asyncio.Protocol, ABC, Generic[Unit]):
    """One peer, and the hub's view of it. A transport says what its units look like in bytes."""

    __slots__ = (
        "_all",
        "_arrival",
        "_busy",
        "_closing",
        "_ended",
        "_input",
        "_pace",
        "_transport",
        "id",
        "origins",
        "stranger_since",
    )

    def __init__(self, conversations: Conversations, arrival: Arrival) -> None:
        self.id = new_connection_id()
        self.stranger_since = arrival.stranger_since
        self.origins = arrival.origins
        self._all = conversations
        self._arrival = arrival
        self._pace = conversations.hub.pace()
        self._input = b""
        self._busy = False  # a unit waits for its turn, or for the store
        self._ended = False  # the peer says no more
        self._closing = False  # nothing that it says is heard any more
        self._transport: asyncio.Transport

    # ── for transports to say ────────────────────────────────────────────────────────────────

    @abstractmethod
    def next_unit(self) -> Unit | None:
        """Takes a whole unit out of the input; None: there is none yet. Raises WireError."""

    @abstractmethod
    def handle(self, unit: Unit) -> None:
        """Its turn has come."""

    @abstractmethod
    def wrapped(self, data: bytes) -> bytes:
        """The message as it is sent."""

    def farewell(self) -> None:
        """Last words of the transport's own; there are none."""

    # ── for asyncio ──────────────────────────────────────────────────────────────────────────

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The peer speaks to us from here on."""
        self._transport = cast(asyncio.Transport, transport)  # asyncio's promise, uvloop's too
        self._arrival.cancel_deadline()  # the core has deadlines of its own from here on
        self._all.began(self)
        self._all.hub.opened(self)

    def data_received(self, data: bytes) -> None:
        """Some bytes, whole units or not."""
        if not self._closing:
            self._input = self._input + data if self._input else data
            self._go_on()

    def eof_received(self) -> bool:
        """What is under way is still answered, unless TLS has no half-open connections."""
        self._ended = True
        self._go_on()
        return not self._arrival.tls

    def connection_lost(self, _exc: Exception | None) -> None:
        """It is over."""
        self._closing = True
        self._arrival.depart()
        self._all.hub.lost(self)
        self._all.ended(self)

    # ── for the hub ──────────────────────────────────────────────────────────────────────────

    def send(self, data: bytes) -> bool:
        """See relay.sockets.Connection."""
        if self._closing or self._transport.is_closing():
            return True
        if self._transport.get_write_buffer_size() > self._all.limits.unread_output:
            return False
        self._transport.write(self.wrapped(data))
        return True

    def admitted(self) -> None:
        """See relay.sockets.Connection."""
        self._arrival.leave_gate()

    def unseated(self) -> None:
        """See relay.sockets.Connection."""
        self._arrival.return_to_gate()

    def close(self) -> None:
        """See relay.sockets.Connection."""
        if not self._closing:
            self.farewell()
            self._closing = True
            self._part()

    # ── units, one after the other ───────────────────────────────────────────────────────────

    def _go_on(self) -> None:
        try:
            while not (self._busy or self._closing) and (unit := self.next_unit()) is not None:
                self._take(unit)
        except WireError as error:
            self._all.hub.refused(self, error)
            self._finish()
        except Exception:
            log.exception("A defect in a connection")
            self._finish()
        self._regulate()
        if self._ended and not self._busy:
            self._finish()

    def _take(self, unit: Unit) -> None:
        loop = asyncio.get_running_loop()
        delay = self._pace.delay(loop.time())
        if delay > 0:
            self._busy = True
            loop.call_later(delay, self._take_late, unit)
        else:
            self.handle(unit)

    def _take_late(self, unit: Unit) -> None:
        self._busy = False
        if not self._closing:
            self.handle(unit)
            self._go_on()

    def converse(self, message: bytes) -> None:
        """Hands a message to the hub; the next unit waits until it is answered."""
        work = self._all.hub.take(self, message)
        if work is not None:
            self._busy = True
            self._all.answer(self._until_answered(work))

    async def _until_answered(self, work: Coroutine[Any, Any, None]) -> None:
        await work
        self._busy = False
        if not self._closing:
            self._go_on()

    def _regulate(self) -> None:
        # While a unit waits, one more may be read; a peer that goes on is held back by TCP.
        full = self._busy and len(self._input) > MESSAGE_BYTES
        if full == self._transport.is_reading() and not self._transport.is_closing():
            self._transport.pause_reading() if full else self._transport.resume_reading()

    # ── the end ──────────────────────────────────────────────────────────────────────────────

    def _finish(self) -> None:
        if not self._closing:
            self.close()
            self._all.hub.lost(self)

    def _part(self) -> None:
        # A socket that is closed with unread input is reset, and the peer may lose our last words.
        # So we end our side, and give the peer a moment to read and to end its own.
        self._input = b""
        self._regulate()  # what still comes is thrown away
        if self._transport.can_write_eof() and not self._transport.is_closing():
            try:
                self._transport.write_eof()
            except OSError:  # the peer was faster
                self._transport.abort()
        else:
            self._transport.close()
        # Closing alone would wait for a peer that does not read, for ever.
        when = asyncio.get_running_loop().time() + self._all.limits.linger
        self._arrival.set_deadline(when, self._transport.abort)
