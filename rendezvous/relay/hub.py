"""The one place where effects are performed: connections, the store, and the passing of time.

The hub keeps its own record of which room each connection is bound to. It was written by the
core's ``Bind`` and is checked again at every delivery: a message of one room that was about to
reach a connection of another is dropped and counted. That count must stay 0.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Protocol, TypeAlias

from rendezvous.program.logs import room_hash
from rendezvous.relay.counters import Counters
from rendezvous.rooms.core import Core
from rendezvous.rooms.effects import (
    Bind,
    ClaimRoom,
    Close,
    Drop,
    LookUpRoom,
    ReleaseRoom,
    Send,
)
from rendezvous.rooms.facts import (
    ClaimRefused,
    ConnectionFailed,
    ConnectionLost,
    ConnectionOpened,
    DrainBegan,
    Fact,
    MessageReceived,
    MessageRefused,
    RoomClaimed,
    RoomLookedUp,
    StoreFailed,
    TimePassed,
)
from rendezvous.stores.contract import RoomTakenError, Store, StoreUnavailableError
from rendezvous.wire import codec
from rendezvous.wire.identity import ConnectionId, RoomId
from rendezvous.wire.messages import Error, ErrorCode, ServerMessage

log = logging.getLogger(__name__)

_RENEW_EVERY = 60.0  # seconds; names live for 30 days after they were last seen

Question: TypeAlias = ClaimRoom | LookUpRoom
"""An effect that only the store can answer; the answer is a fact."""


class Connection(Protocol):
    """What the hub needs of a transport's connection."""

    id: ConnectionId
    opened_at: float
    origins: frozenset[str]

    def send(self, data: bytes) -> bool:
        """Queues one message; False when the peer reads too slowly to take it."""

    def admitted(self) -> None:
        """The connection is in a room: it no longer counts as a stranger."""

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
        self._store = store
        self._clock = clock
        self._tick = tick
        self._connections: dict[ConnectionId, Connection] = {}
        self._bound: dict[ConnectionId, RoomId] = {}
        self._releases: set[asyncio.Task[None]] = set()
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
        await asyncio.gather(*self._releases)

    async def drain(self, *, after: float, patience: float) -> None:
        """Sends everybody away; sessions under negotiation have ``patience`` seconds to finish."""
        self._handle(DrainBegan(after))
        end = self._clock() + patience
        while self._core.negotiating and self._clock() < end:  # noqa: ASYNC110  # the core is pure
            await asyncio.sleep(min(self._tick, 0.05))

    # ── for transports ───────────────────────────────────────────────────────────────────────

    def opened(self, connection: Connection) -> None:
        """A peer is ready to talk."""
        self._connections[connection.id] = connection
        self._handle(ConnectionOpened(connection.id, connection.opened_at, connection.origins))

    async def received(self, connection: Connection, data: bytes) -> None:
        """A message came. Read the next one only when this returns: the store may be asked."""
        try:
            message = codec.decode_client(data)
        except codec.WireError as error:
            self.refused(connection, error)
            return
        try:
            for question in self._handle(MessageReceived(connection.id, message)):
                self._handle(await self._ask(question))
        except Exception:
            log.exception("A defect while handling %s", type(message).__name__)
            self._fail(connection.id, ErrorCode.INTERNAL, "A defect of the server.")

    def refused(self, connection: Connection, error: codec.WireError) -> None:
        """Something came that is not a message, or cannot even be read as far as its end."""
        self._handle(MessageRefused(connection.id, error.code, str(error)))

    def lost(self, connection: Connection) -> None:
        """The connection is no more. Idempotent."""
        if self._connections.pop(connection.id, None) is not None:
            self._bound.pop(connection.id, None)
            self._handle(ConnectionLost(connection.id))

    # ── effects ──────────────────────────────────────────────────────────────────────────────

    def _handle(self, fact: Fact) -> list[Question]:
        questions: list[Question] = []
        for effect in self._core.handle(fact, self._clock()):
            if isinstance(effect, ClaimRoom | LookUpRoom):
                questions.append(effect)
            else:
                self._perform(effect)
        return questions

    def _perform(self, effect: Send | Close | Bind | ReleaseRoom | Drop) -> None:
        match effect:
            case Send():
                self._send(effect)
            case Close():
                self._close(effect.connection)
            case Bind():
                self._bind(effect)
            case ReleaseRoom():
                self._release(effect)
            case Drop():
                self.counters.add(effect.name)

    def _fail(self, connection: ConnectionId, code: ErrorCode, sentence: str) -> None:
        self._handle(ConnectionFailed(connection, code, sentence))

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
            self._fail(connection.id, ErrorCode.TOO_SLOW, "You do not read what is sent.")

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

    # ── the store ────────────────────────────────────────────────────────────────────────────

    async def _ask(self, question: Question) -> Fact:
        try:
            if isinstance(question, ClaimRoom):
                return await self._claim(question)
            return await self._look_up(question)
        except StoreUnavailableError as error:
            self._count_store_failure(error)
            return StoreFailed(question.connection)

    async def _claim(self, question: ClaimRoom) -> Fact:
        claim = question.claim
        try:
            epoch = await self._store.claim(RoomId(claim.room), question.owner, claim.verifier)
        except RoomTakenError:
            return ClaimRefused(question.connection)
        log.debug("Room %s has its camera (epoch %d)", room_hash(claim.room), epoch)
        return RoomClaimed(question.connection, claim, epoch)

    async def _look_up(self, question: LookUpRoom) -> Fact:
        found = await self._store.look_up(RoomId(question.join.room))
        return RoomLookedUp(
            question.connection,
            question.join,
            known=found is not None,
            verifier=found.verifier if found else None,
        )

    def _release(self, effect: ReleaseRoom) -> None:
        # Nobody waits for this one, least of all the connection that is already gone.
        task = asyncio.create_task(self._release_quietly(effect))
        self._releases.add(task)
        task.add_done_callback(self._releases.discard)

    async def _release_quietly(self, effect: ReleaseRoom) -> None:
        try:
            await self._store.release(effect.room, effect.epoch)
        except StoreUnavailableError as error:
            self._count_store_failure(error)

    def _count_store_failure(self, error: StoreUnavailableError) -> None:
        self.counters.add("store_failed")
        log.debug("The store failed: %s", error)

    # ── time ─────────────────────────────────────────────────────────────────────────────────

    async def _pass_time(self) -> None:
        renew_at = self._clock()
        while True:
            try:
                self._handle(TimePassed())
                self.counters.report()
                if self._clock() >= renew_at:
                    renew_at = self._clock() + _RENEW_EVERY
                    await self._store.renew(self._core.held_rooms)
            except StoreUnavailableError as error:
                self._count_store_failure(error)
            except Exception:
                log.exception("A defect while time passed")
            await asyncio.sleep(self._tick)
