"""The other nodes: letters go out and come in, and who has fallen silent is noticed.

Loops that never end by themselves; what they find out becomes a fact for the core.
"""

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable, Coroutine
from typing import Any

from rendezvous.relay.counters import Counters
from rendezvous.relay.link import Links
from rendezvous.relay.mail import Mail
from rendezvous.rooms.effects import Post
from rendezvous.rooms.facts import (
    Fact,
    Home,
    LetterReceived,
    LettersLost,
    LettersMissed,
    NodeLost,
    RoomFound,
    StoreReached,
)
from rendezvous.stores.contract import Store, StoreUnavailableError
from rendezvous.wire.identity import NodeId, RoomId

log = logging.getLogger(__name__)

_BEAT_EVERY = 1.0  # seconds; also how soon it is noticed that the store is back
_BEATS_MISSED = 5  # others may have taken us for dead, for example while the process was stopped
_LOOK_EVERY = 5  # beats between two looks at who is alive
_SEEK_EVERY = 4.0  # seconds; a watch lasts for 15, and a notice may be lost
_RETRY = 0.25  # seconds, when the store is away
_MOST_SOUGHT = 500  # rooms in one question


class Nodes:
    """``start``, then ``post`` and ``seek`` as the core wants, then ``stop``.

    ``sought`` names the rooms that somebody here waits for; ``hear`` takes what happened.
    """

    def __init__(
        self,
        node: NodeId,
        mail: Mail,
        store: Store,
        *,
        counters: Counters,
        clock: Callable[[], float],
        chance: random.Random,
        sought: Callable[[], tuple[RoomId, ...]],
        hear: Callable[[Fact], None],
    ) -> None:
        self.node = node
        self._mail = mail
        self._store = store
        self._counters = counters
        self._clock = clock
        self._chance = chance
        self._sought = sought
        self._hear = hear
        self._links = Links(node, counters.add)
        self._written = asyncio.Event()
        self._wanted: dict[RoomId, None] = {}
        self._wants = asyncio.Event()
        self._seek_at = 0.0
        self._silent: frozenset[NodeId] = frozenset()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """The node can be written to, and is known to live."""
        loops = (self._receive, self._send, self._beat, self._seek)
        self._tasks = [asyncio.create_task(_forever(loop)) for loop in loops]

    async def stop(self) -> None:
        """Says farewell to the others. Idempotent."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if tasks:
            with contextlib.suppress(StoreUnavailableError):
                await self._mail.send(self._links.outgoing(self._clock()))
                await self._mail.send(self._links.outgoing(self._clock(), farewell=True))
        await self._mail.stop()

    def post(self, effect: Post) -> None:
        """Sends a letter, soon."""
        self._links.write(effect.node, effect.letter, self._clock())
        self._written.set()

    def seek(self, room: RoomId) -> None:
        """Finds out where the room's camera is, and watches for it."""
        self._wanted[room] = None
        self._wants.set()

    # ── letters ──────────────────────────────────────────────────────────────────────────────

    async def _receive(self) -> None:
        await self._mail.start(self.node, self._deliver)
        await asyncio.Event().wait()

    def _deliver(self, data: bytes) -> None:
        found = self._links.read(data, self._clock())
        if found is None:
            return
        source = found.frame.source
        if found.missed:
            log.warning("Letters of a node of ours were missed; all shared begins anew")
            self._hear(LettersMissed(source))
        for letter in found.letters:
            self._hear(LetterReceived(source, letter))
        if found.frame.farewell:
            self._lose(source)
        self._written.set()  # an acknowledgement is due, and maybe answers

    async def _send(self) -> None:
        while True:
            for node in self._links.broken(self._clock()):
                log.warning("A node of ours did not take its letters; all shared begins anew")
                self._hear(LettersLost(node))
            await self._flush()
            await self._until_due()

    async def _flush(self) -> None:
        frames = self._links.outgoing(self._clock())
        if not frames:
            return
        try:
            await self._mail.send(frames)
        except StoreUnavailableError as error:
            self._counters.add("mail_failed")
            log.debug("Letters could not be sent: %s", error)
            await asyncio.sleep(_RETRY)

    async def _until_due(self) -> None:
        due = self._links.due()
        pause = None if due is None else max(0.0, due - self._clock())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await self._written.wait()
        self._written.clear()

    # ── who lives ────────────────────────────────────────────────────────────────────────────

    async def _beat(self) -> None:
        away, reached = False, self._clock()
        for number in range(1_000_000_000):
            try:
                await self._store.beat(self.node)
                away = away or self._clock() - reached > _BEATS_MISSED * _BEAT_EVERY
                reached = self._clock()
                if number % _LOOK_EVERY == 0:
                    await self._look_around()
            except StoreUnavailableError:
                away = True
                self._silent = frozenset()
            else:
                self._reached(returned=away)
                away = False
            await asyncio.sleep(_BEAT_EVERY * self._chance.uniform(0.8, 1.2))

    def _reached(self, *, returned: bool) -> None:
        if returned:
            self._links.hurry()
            self._written.set()
            self._wants.set()
        self._hear(StoreReached())

    async def _look_around(self) -> None:
        known = self._links.nodes
        alive = await self._store.alive(known) if known else frozenset()
        silent = [node for node in known if node not in alive]
        for node in silent:
            if node in self._silent:  # twice: after a loss of data all are silent once
                log.warning("A node of ours has fallen silent")
                self._lose(node)
        self._silent = frozenset(silent)

    def _lose(self, node: NodeId) -> None:
        self._links.forget(node)
        self._hear(NodeLost(node))

    # ── where rooms are ──────────────────────────────────────────────────────────────────────

    async def _seek(self) -> None:
        while True:
            rooms, self._wanted = self._wanted, {}
            if self._clock() >= self._seek_at:
                self._seek_at = self._clock() + _SEEK_EVERY * self._chance.uniform(0.8, 1.2)
                rooms.update(dict.fromkeys(self._sought()))
            await self._ask_for(tuple(rooms))
            pause = max(0.0, self._seek_at - self._clock())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._wants.wait()
            self._wants.clear()

    async def _ask_for(self, rooms: tuple[RoomId, ...]) -> None:
        try:
            for first in range(0, len(rooms), _MOST_SOUGHT):
                await self._watch(rooms[first : first + _MOST_SOUGHT])
        except StoreUnavailableError:
            self._seek_at = 0.0  # all of them, as soon as it is back
            await asyncio.sleep(_RETRY)

    async def _watch(self, rooms: tuple[RoomId, ...]) -> None:
        found = await self._store.watch(rooms, self.node)
        for room, binding in found.items():
            holder = binding.holder
            if holder is not None and holder.node != self.node:
                home = Home(holder.node, holder.epoch, binding.owner)
                self._hear(RoomFound(room, home))


async def _forever(loop: Callable[[], Coroutine[Any, Any, None]]) -> None:
    while True:
        try:
            await loop()
        except Exception:
            log.exception("A defect between nodes; it goes on")
        await asyncio.sleep(_RETRY)
