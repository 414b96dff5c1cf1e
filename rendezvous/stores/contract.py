"""What a store promises. One suite, tests/integration/rendezvous/test_stores.py, holds all to it.

* A room belongs to the first owner that claims it, until 30 days after it was last seen.
* An owner has at most ``rooms_per_owner`` rooms that were seen within those 30 days.
* The epoch of a room only grows: across claims, restarts, and rooms that were forgotten.
* ``release`` of an older epoch changes nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from rendezvous.wire.identity import Owner, RoomId

RETENTION = 30 * 24 * 3600.0  # seconds after a room was last seen
ROOMS_PER_OWNER = 32  # a house has fewer cameras; a name costs the server a row for 30 days


class RoomTakenError(Exception):
    """The room is bound to another owner."""


class TooManyRoomsError(Exception):
    """The owner has as many rooms as one may have; the sentence is for its person."""


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
        """Its epoch, now that it is the owner's; raises RoomTakenError or TooManyRoomsError."""

    async def look_up(self, room: RoomId) -> Binding | None:
        """What is known of the room."""

    async def renew(self, rooms: Iterable[RoomId]) -> None:
        """These rooms have cameras now: they were seen."""

    async def release(self, room: RoomId, epoch: int) -> None:
        """The camera of this epoch has gone; the name stays its owner's."""
