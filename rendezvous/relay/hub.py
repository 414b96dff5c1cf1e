"""The one place where effects are performed: on connections, by the store, and as time passes.

The hub keeps its own record of which room each connection is bound to. It was written by the
core's ``Bind`` and is checked again at every delivery: a message of one room that was about to
reach a connection of another is dropped and counted. That count must stay 0.

A defect ends the connection whose fact brought it to light, and no other; what every other fact
calls for is still done.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from rendezvous.program.logs import Throttle
from rendezvous.relay.counters import Counters
from rendezvous.relay.pace import Pace
from rendezvous.relay.registry import Question, Registry
from rendezvous.rooms.core import Core
from rendezvous.rooms.effects import (
    Bind,
    ClaimRoom,
    Close,
    Drop,
    LookUpRoom,
    ReleaseRoom,
    Send,
    Unseat,
)
from rendezvous.rooms.facts import (
    ConnectionFailed,
    ConnectionLost,
    ConnectionOpened,
    DrainBegan,
    Fact,
    MessageReceived,
    MessageRefused,
    ResumeDue,
    SessionDue,
    WaitDue,
)
from rendezvous.stores.contract import Lease, Store
from rendezvous.wire import codec
from rendezvous.wire.identity import ConnectionId, RoomId
from rendezvous.wire.messages import Error, ErrorCode, ServerMessage

log = logging.getLogger(__name__)


class Connection(Protocol):
    """What the hub needs of a transport's connection."""

    id: ConnectionId
    stranger_since: float
    origins: frozenset[str]

    def send(self, data: bytes) -> bool:
        """Queues one message; False when the peer reads too slowly to take it."""

    def admitted(self) -> None:
        """The connection is in a room: it no longer counts as a stranger."""

    def unseated(self) -> None:
        """It has no place in its room any more: it counts as a stranger again."""

    def close(self) -> None:
        """Closes after what was queued; ``lost`` follows."""


class Hub:
    """Feeds the core with facts and performs its effects."""

    def __init__(
        self,
        core: Core,
        store: Store,
        *,
        counters: Counters,
        clock: Callable[[], float],
        tick: float = 0.5,
    ) -> None:
        self._core = core
        self._registry = Registry(store, counters)
        self._clock = clock
        self._tick = tick
        self._connections: dict[ConnectionId, Connection] = {}
        self._bound: dict[ConnectionId, RoomId] = {}
        self._trouble = Throttle()
        self._task: asyncio.Task[None] | None = None
        self.counters = counters

    # ── for the composition root ─────────────────────────────────────────────────────────────

    def start(self) -> None:
        """Time begins to pass."""
        self._task = asyncio.create_task(self._pass_time())

    async def stop(self) -> None:
        """Closes every connection and stops time. Idempotent."""
        for connection in tuple(self._connections.values()):
            connection.close()
            self.lost(connection)
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        await self._registry.stop()

    async def drain(self, *, after: float, patience: float) -> None:
        """Sends everybody away; sessions under negotiation have ``patience`` seconds to finish."""
        self._hear(DrainBegan(after))
        end = self._clock() + patience
        while self._core.negotiating and self._clock() < end:  # noqa: ASYNC110  # the core is pure
            await asyncio.sleep(min(self._tick, 0.05))

    # ── for transports ───────────────────────────────────────────────────────────────────────

    def opened(self, connection: Connection) -> None:
        """A peer is ready to talk."""
        self._connections[connection.id] = connection
        fact = ConnectionOpened(connection.id, connection.stranger_since, connection.origins)
        self._hear(fact)

    def pace(self) -> Pace:
        """How fast a new connection is to be read: what ``welcome`` promises is enforced."""
        limits = self._core.book.limits
        return Pace(limits.messages_per_second, limits.burst)

    def take(self, connection: Connection, data: bytes) -> Coroutine[Any, Any, None] | None:
        """A message came. Read the next one only when what this returns, if anything, is over.

        It is what only the store can answer; everything else is done at once.
        """
        try:
            message = codec.decode_client(data)
        except codec.WireError as error:
            self.refused(connection, error)
            return None
        questions = self._hear(MessageReceived(connection.id, message))
        return self._ask(questions) if questions else None

    async def received(self, connection: Connection, data: bytes) -> None:
        """The same, for who can wait here."""
        if (work := self.take(connection, data)) is not None:
            await work

    async def _ask(self, questions: list[Question]) -> None:
        for question in questions:
            self._hear(await self._registry.ask(question))

    def refused(self, connection: Connection, error: codec.WireError) -> None:
        """Something came that is not a message, or cannot even be read as far as its end."""
        self._hear(MessageRefused(connection.id, error.code, str(error)))

    def lost(self, connection: Connection) -> None:
        """The connection is no more. Idempotent."""
        if self._connections.pop(connection.id, None) is not None:
            self._bound.pop(connection.id, None)
            self._hear(ConnectionLost(connection.id))

    # ── effects ──────────────────────────────────────────────────────────────────────────────

    def _hear(self, fact: Fact) -> list[Question]:
        try:
            return self._handle(fact)
        except Exception as error:  # noqa: BLE001  # logged, at most once a second
            self._report_defect(fact, error)
            if not isinstance(fact, DrainBegan | SessionDue | WaitDue | ResumeDue):
                self._expel(fact.connection)
            return []

    def _report_defect(self, fact: Fact, error: Exception) -> None:
        self.counters.add("defect")
        if self._trouble.ready():  # a tick may bring the same one for many connections
            what = fact.message if isinstance(fact, MessageReceived) else fact
            log.error("A defect while handling %s", type(what).__name__, exc_info=error)

    def _expel(self, connection: ConnectionId) -> None:
        sentence = "A defect of the server."
        try:
            self._handle(ConnectionFailed(connection, ErrorCode.INTERNAL, sentence))
        except Exception:
            log.exception("A defect while a connection was expelled")
        self._close(connection)

    def _handle(self, fact: Fact) -> list[Question]:
        questions: list[Question] = []
        for effect in self._core.handle(fact, self._clock()):
            if isinstance(effect, ClaimRoom | LookUpRoom):
                questions.append(effect)
            else:
                self._perform(effect)
        return questions

    def _perform(self, effect: Send | Close | Bind | Unseat | ReleaseRoom | Drop) -> None:
        match effect:
            case Send():
                self._send(effect)
            case Close():
                self._close(effect.connection)
            case Bind():
                self._bind(effect)
            case Unseat():
                self._unseat(effect.connection)
            case ReleaseRoom():
                self._registry.release(effect)
            case Drop():
                self.counters.add(effect.name)

    def _send(self, effect: Send) -> None:
        connection = self._connections.get(effect.connection)
        if connection is None:
            self.counters.add("to_lost_connection")
        elif effect.room is not None and self._bound.get(effect.connection) != effect.room:
            self.counters.add("cross_room")
            log.error("A message of another room was about to be delivered; it was dropped")
        else:
            self._deliver(connection, effect.message)

    def _deliver(self, connection: Connection, message: ServerMessage) -> None:
        if isinstance(message, Error):
            self.counters.add(message.code)
        taken = connection.send(codec.encode(message))
        if not taken and not isinstance(message, Error):
            sentence = "You do not read what is sent."
            self._hear(ConnectionFailed(connection.id, ErrorCode.TOO_SLOW, sentence))

    def _close(self, connection_id: ConnectionId) -> None:
        self._bound.pop(connection_id, None)
        connection = self._connections.pop(connection_id, None)
        if connection is not None:
            connection.close()

    def _bind(self, effect: Bind) -> None:
        connection = self._connections.get(effect.connection)
        if connection is not None:
            self._bound[effect.connection] = effect.room
            connection.admitted()

    def _unseat(self, connection_id: ConnectionId) -> None:
        connection = self._connections.get(connection_id)
        if connection is not None:
            connection.unseated()

    # ── time ─────────────────────────────────────────────────────────────────────────────────

    async def _pass_time(self) -> None:
        while True:
            try:
                for fact in self._core.due(self._clock()):
                    self._hear(fact)
                held = tuple(Lease(room, epoch) for room, epoch in self._core.held_rooms)
                self._registry.renew(held, self._clock())
                self.counters.report()
            except Exception:
                log.exception("A defect while time passed")
            await asyncio.sleep(self._tick)
