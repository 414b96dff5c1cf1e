"""Connections between people and nodes, without sockets: in order, late, until they are cut.

The node's end is what the hub sees of a transport. Who is cut off learns it at once; the node may
take a while, and until then believes that the peer is there.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any

from rendezvous.relay.hub import Hub
from rendezvous.wire import codec
from rendezvous.wire.identity import ConnectionId
from rendezvous.wire.messages import Message, Ping, Pong, ServerMessage

_ORDER = 1e-7  # seconds between two messages of the same moment


class Socket:
    """One connection."""

    def __init__(
        self,
        number: int,
        hub: Hub,
        context: Context,
        *,
        origin: str,
        delay: float,
        hear: Callable[[ServerMessage], None],
        closed: Callable[[], None],
    ) -> None:
        loop = asyncio.get_running_loop()
        self.id = ConnectionId(f"{number:022d}")
        self.stranger_since = loop.time()
        self.origins = frozenset({origin})
        self._loop = loop
        self._hub = hub
        self._context = context
        self._outside = Context()
        self._delay = delay
        self._hear = hear
        self._closed = closed
        self._queue: deque[bytes] = deque()
        self._busy = False
        self._opened = False
        self._cut = False
        self._shut = False  # by the node
        self._next_in = self._next_out = 0.0

    # ── the person's end ─────────────────────────────────────────────────────────────────────

    def say(self, message: Message) -> None:
        """Sends a message."""
        if not self._cut:
            self._next_in = max(self._next_in + _ORDER, self._loop.time() + self._delay)
            data = codec.encode(message)
            self._loop.call_at(self._next_in, self._arrive, data, context=self._context)

    def cut(self, *, unnoticed: float = 0.0) -> None:
        """The connection is gone; the node learns it after so many seconds."""
        if not self._cut:
            self._cut = True
            self._loop.call_later(unnoticed + self._delay, self._lose, context=self._context)

    def _read(self, data: bytes) -> None:
        if self._cut:
            return
        message = codec.decode_server(data)
        if isinstance(message, Ping):
            self.say(Pong())
        else:
            self._hear(message)

    def _end(self) -> None:
        if not self._cut:
            self._cut = True
            self._closed()

    # ── the node's end: relay.hub.Connection ─────────────────────────────────────────────────

    def send(self, data: bytes) -> bool:
        if not self._shut:
            self._outwards(self._read, data)
        return True

    def admitted(self) -> None:
        """Nothing here is short of places."""

    def unseated(self) -> None:
        """Nor has a use for them."""

    def close(self) -> None:
        if not self._shut:
            self._shut = True
            self._outwards(self._end)

    def _outwards(self, what: Callable[..., None], *arguments: Any) -> None:
        self._next_out = max(self._next_out + _ORDER, self._loop.time() + self._delay)
        self._loop.call_at(self._next_out, what, *arguments, context=self._outside)

    def node_died(self) -> None:
        """Its kernel closes what it had."""
        self._shut = True
        self._loop.call_later(self._delay, self._end, context=self._outside)

    def _lose(self) -> None:
        self._shut = True
        if self._opened:
            self._hub.lost(self)

    def _arrive(self, data: bytes) -> None:
        if self._shut:
            return
        if not self._opened:
            self._opened = True
            self._hub.opened(self)
        self._queue.append(data)
        self._go_on()

    def _go_on(self) -> None:
        while self._queue and not (self._busy or self._shut):
            work = self._hub.take(self, self._queue.popleft())
            if work is not None:
                self._busy = True
                self._task = self._loop.create_task(self._wait(work), context=self._context)

    async def _wait(self, work: Coroutine[Any, Any, None]) -> None:
        await work
        self._busy = False
        self._go_on()
