"""The one place where the core hears facts and its effects are performed.

They are performed on connections, by the store, at other nodes, and as time passes.
A defect ends the connection whose fact brought it to light, and no other; what every other fact
calls for is still done.
"""

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable, Coroutine
from typing import Any

from rendezvous.program.logs import Throttle, room_hash
from rendezvous.relay.counters import Counters
from rendezvous.relay.mail import Mail
from rendezvous.relay.nodes import Nodes
from rendezvous.relay.pace import Pace
from rendezvous.relay.registry import Question, Registry
from rendezvous.relay.sockets import Connection, Sockets
from rendezvous.rooms.core import Core
from rendezvous.rooms.effects import (
    Alert,
    Bind,
    ClaimRoom,
    Close,
    Drop,
    Effect,
    LookUpRoom,
    Post,
    ReleaseRoom,
    SeekRoom,
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
)
from rendezvous.stores.contract import Lease, Store
from rendezvous.wire import codec
from rendezvous.wire.identity import ConnectionId
from rendezvous.wire.messages import ErrorCode

log = logging.getLogger(__name__)


class Hub:
    """Feeds the core with facts and performs its effects.

    ``mail`` leads to other nodes; the core's book then has this node's name.
    """

    def __init__(
        self,
        core: Core,
        store: Store,
        *,
        counters: Counters,
        clock: Callable[[], float],
        tick: float = 0.5,
        mail: Mail | None = None,
        chance: random.Random | None = None,
    ) -> None:
        chance = chance or random.Random()  # noqa: S311  # it spreads load and hides nothing
        self.counters = counters
        self.sockets = Sockets(counters)
        self._core = core
        self._clock = clock
        self._tick = tick
        node = core.book.node
        self._registry = Registry(
            store, counters, node=node, clock=clock, chance=chance, hear=self.hear
        )
        self._nodes = (
            Nodes(
                node,
                mail,
                store,
                counters=counters,
                clock=clock,
                chance=chance,
                sought=lambda: core.sought_rooms,
                hear=self.hear,
            )
            if node is not None and mail is not None
            else None
        )
        self._trouble = Throttle()
        self._alerts = Throttle()
        self._asking: set[asyncio.Task[None]] = set()
        self._task: asyncio.Task[None] | None = None

    # ── for the composition root ─────────────────────────────────────────────────────────────

    def start(self) -> None:
        """Time begins to pass."""
        self._task = asyncio.create_task(self._pass_time())
        if self._nodes is not None:
            self._nodes.start()

    async def stop(self) -> None:
        """Closes every connection and stops time. Idempotent."""
        for connection in tuple(self.sockets.connections.values()):
            connection.close()
            self.lost(connection)
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        await asyncio.gather(*self._asking)
        await self._registry.stop()
        if self._nodes is not None:
            await self._nodes.stop()

    async def drain(self, *, after: float, patience: float) -> None:
        """Sends everybody away; sessions under negotiation have ``patience`` seconds to finish.

        So do cameras that can claim at another node before they leave this one.
        """
        self.hear(DrainBegan(after))
        end = self._clock() + patience
        while self._busy and self._clock() < end:  # noqa: ASYNC110  # the core is pure
            await asyncio.sleep(min(self._tick, 0.05))

    @property
    def _busy(self) -> bool:
        moving = self._nodes is not None and bool(self._core.held_rooms)
        return moving or self._core.negotiating

    # ── for transports ───────────────────────────────────────────────────────────────────────

    def opened(self, connection: Connection) -> None:
        """A peer is ready to talk."""
        self.sockets.add(connection)
        self.hear(ConnectionOpened(connection.id, connection.stranger_since, connection.origins))

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

    def refused(self, connection: Connection, error: codec.WireError) -> None:
        """Something came that is not a message, or cannot even be read as far as its end."""
        self.hear(MessageRefused(connection.id, error.code, str(error)))

    def lost(self, connection: Connection) -> None:
        """The connection is no more. Idempotent."""
        if self.sockets.remove(connection.id) is not None:
            self.hear(ConnectionLost(connection.id))

    # ── facts ────────────────────────────────────────────────────────────────────────────────

    def hear(self, fact: Fact) -> None:
        """Something happened; what only the store can answer is asked, and not waited for."""
        if questions := self._hear(fact):
            task = asyncio.create_task(self._ask(questions))
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)

    async def _ask(self, questions: list[Question]) -> None:
        for question in questions:
            self.hear(await self._registry.ask(question))

    def _hear(self, fact: Fact) -> list[Question]:
        try:
            return self._handle(fact)
        except Exception as error:  # noqa: BLE001  # logged, at most once a second
            self._report_defect(fact, error)
            if (connection := getattr(fact, "connection", None)) is not None:
                self._expel(connection)
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
        self.sockets.close(connection)

    def _handle(self, fact: Fact) -> list[Question]:
        questions: list[Question] = []
        for effect in self._core.handle(fact, self._clock()):
            if isinstance(effect, ClaimRoom | LookUpRoom):
                questions.append(effect)
            else:
                self._perform(effect)
        return questions

    # ── effects ──────────────────────────────────────────────────────────────────────────────

    def _perform(self, effect: Effect) -> None:
        match effect:
            case Send():
                self._send(effect)
            case Close():
                self.sockets.close(effect.connection)
            case Bind():
                self.sockets.bind(effect)
            case Unseat():
                self.sockets.unseat(effect.connection)
            case ReleaseRoom():
                self._registry.release(effect)
            case Drop():
                self.counters.add(effect.name)
            case Alert():
                self._alert(effect)
            case Post() if self._nodes is not None:
                self._nodes.post(effect)
            case SeekRoom() if self._nodes is not None:
                self._nodes.seek(effect.room)

    def _send(self, effect: Send) -> None:
        if not self.sockets.send(effect):
            sentence = "You do not read what is sent."
            self.hear(ConnectionFailed(effect.connection, ErrorCode.TOO_SLOW, sentence))

    def _alert(self, effect: Alert) -> None:
        self.counters.add("alert")
        if self._alerts.ready():
            log.warning("Room %s: %s", room_hash(effect.room), effect.sentence)

    # ── time ─────────────────────────────────────────────────────────────────────────────────

    def _held(self) -> tuple[Lease, ...]:
        return tuple(Lease(room, epoch) for room, epoch in self._core.held_rooms)

    async def _pass_time(self) -> None:
        while True:
            try:
                for fact in self._core.due(self._clock()):
                    self.hear(fact)
                self._registry.renew(self._held, self._clock())
                self.counters.report()
            except Exception:
                log.exception("A defect while time passed")
            await asyncio.sleep(self._tick)
