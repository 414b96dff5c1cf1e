"""How many rooms an owner has: a list of each owner's rooms, which those that live renew daily."""

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from rendezvous.stores.contract import StoreUnavailableError, too_many_rooms
from rendezvous.stores.redis import keys
from rendezvous.stores.redis.link import RedisLink
from rendezvous.stores.redis.script import Script
from rendezvous.wire.identity import Owner, RoomId

log = logging.getLogger(__name__)

_ENROL = Script(Path(__file__).parent / "scripts" / "enrol.lua")
_TIMES = 30  # in the life of a name: once a day
_SPREAD = 0.25  # of the time between two

Owned: TypeAlias = tuple[RoomId, Owner]


class Enrolments:
    """``name_ms``: how long a name lives; ``most``: rooms of one owner."""

    def __init__(self, link: RedisLink, name_ms: int, most: int) -> None:
        self.every_ms = name_ms // _TIMES
        self._name_ms = name_ms
        self._most = most
        self._link = link
        self._tasks: set[asyncio.Task[None]] = set()

    def due_after(self, room: RoomId) -> int:
        """Milliseconds between two enrolments of this room: not all that began together."""
        part = int(keys.tag(room)[:4], 16) / 0xFFFF
        return round(self.every_ms * (1 - _SPREAD * part))

    async def reserve(self, room: RoomId, owner: Owner) -> None:
        """For two days, unless the owner has too many; raises TooManyRoomsError then."""
        reply = await self._link.run(
            _ENROL, (keys.of_owner(owner),), keys.tag(room), self._most, 2 * self.every_ms
        )
        outcome, *held = reply
        if outcome == "full":
            raise too_many_rooms(int(held[0]))

    def enrol_soon(self, rooms: Sequence[Owned]) -> None:
        """These count for as long as their names live.

        Nobody waits, and a failure costs nobody a lease: it is tried again a day later, for thirty
        days.
        """
        if rooms:
            task = asyncio.create_task(self._enrol(rooms))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _enrol(self, rooms: Sequence[Owned]) -> None:
        lasting = self._name_ms + self.every_ms
        calls = [((keys.of_owner(owner),), (keys.tag(room), "", lasting)) for room, owner in rooms]
        try:
            await self._link.run_all(_ENROL, calls)
        except StoreUnavailableError as error:
            log.debug("Rooms were not enrolled: %s", error)

    async def stop(self) -> None:
        """Waits for what is under way, as long as the link lets it. Idempotent."""
        await asyncio.gather(*self._tasks)
