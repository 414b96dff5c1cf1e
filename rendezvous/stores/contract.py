"""What a store promises. One suite, tests/integration/rendezvous/test_stores.py, holds all to it.

* A room belongs to the first owner that claims it, until 30 days after it was last seen.
* The epoch of a room only grows: across claims, restarts, and rooms that were forgotten.
* ``release`` of an older epoch changes nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from rendezvous.wire.identity import Owner, RoomId

RETENTION = 30 * 24 * 3600.0  # seconds after a room was last seen


class RoomTakenError(Exception):
    """The room is bound to another owner."""


class StoreUnavailableError(Exception):
    """The store cannot be asked now; nothing is known about what was asked."""


@dataclass(frozen=True, slots=True)
class Binding:
    """What is known of a room. ``verifier`` None: it is public."""

    room: RoomId
    owner: Owner
    verifier: str | None
    epoch: int


class Store(Protocol):
    """Every method raises StoreUnavailableError when the answer cannot be had."""

    async def start(self) -> None:
        """Makes the store ready; raises ProgramError with a cure when it cannot be."""

    async def stop(self) -> None:
        """Gives everything back. Idempotent."""

    async def claim(self, room: RoomId, owner: Owner, verifier: str | None) -> int:
        """Gives the room to its owner under a new epoch; raises RoomTakenError."""

    async def look_up(self, room: RoomId) -> Binding | None:
        """What is known of the room."""

    async def renew(self, rooms: Iterable[RoomId]) -> None:
        """These rooms have cameras now: they were seen."""

    async def release(self, room: RoomId, epoch: int) -> None:
        """The camera of this epoch has gone; the name stays its owner's."""
