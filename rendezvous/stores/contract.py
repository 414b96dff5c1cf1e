"""What a store promises. One suite, tests/integration/rendezvous/test_stores.py, holds all to it.

* A room belongs to the first owner that claims it, until 30 days after it was last seen.
* An owner has at most ``rooms_per_owner`` rooms that were seen within those 30 days.
* Of the claims of one owner the last wins, at once. It gets a lease with a higher epoch.
* The epoch of a room only grows: across claims, restarts, lost data, and rooms that were forgotten.
* An older epoch renews nothing and releases nothing.
* What nobody renews is gone after ``TTL``: leases, viewers' places, watches, and nodes themselves.

What a store does not promise is that there is one holder at every moment: after a failover of
Redis two nodes may believe it for a while. So whoever delivers a message compares epochs, and
stops believing in its own lease ``ttl`` seconds after it *asked* for it, by its own clock.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from rendezvous.wire.identity import ConnectionId, NodeId, Owner, RoomId

RETENTION = 30 * 24 * 3600.0  # seconds after a room was last seen
ROOMS_PER_OWNER = 32  # a house has fewer cameras; a name costs the server a row for 30 days
TTL = 15.0  # seconds; renewed every 5 s, so that two renewals may be lost
LAST_EPOCH = 2**53 - 1  # the last whole number that JavaScript and Lua hold exactly


class RoomTakenError(Exception):
    """The room is bound to another owner."""


class TooManyRoomsError(Exception):
    """The owner has as many rooms as one may have; the sentence is for its person."""


class StoreUnavailableError(Exception):
    """The store cannot be asked now; nothing is known about what was asked, not even its effect."""


def too_many_rooms(held: int) -> TooManyRoomsError:
    """The refusal for an owner that holds so many."""
    return TooManyRoomsError(
        f"Your key holds {held} rooms, as many as this server allows. Use one of them "
        "again, or ask the server's owner to raise --rooms-per-key."
    )


@dataclass(frozen=True, slots=True)
class Claimant:
    """Who wants a room: the owner, and where its camera is connected."""

    owner: Owner
    node: NodeId
    connection: ConnectionId
    newest: int = 0
    """The newest epoch of the room that its node has seen; a new one is above it."""


@dataclass(frozen=True, slots=True)
class Lease:
    """What is renewed and released: the room, as the claim of this epoch holds it."""

    room: RoomId
    epoch: int


@dataclass(frozen=True, slots=True)
class Holder:
    """Where the camera of a room is connected, and the epoch of its claim."""

    node: NodeId
    connection: ConnectionId
    epoch: int


@dataclass(frozen=True, slots=True)
class Claimed:
    """A claim that was granted."""

    epoch: int
    ttl: float
    """Seconds from the moment when it was asked for, not from that of the answer."""
    previous: Holder | None = None
    """Whose live lease was taken over, so that it can be told."""
    watchers: frozenset[NodeId] = frozenset()
    """Nodes that want to know that the room has a camera."""


@dataclass(frozen=True, slots=True)
class Binding:
    """What is known of a room. ``verifier`` None: it is public."""

    room: RoomId
    owner: Owner
    verifier: str | None
    epoch: int
    """The newest that was ever given, whether or not somebody holds it."""
    holder: Holder | None = None
    """None: no lease is alive, and so there is no camera."""


@dataclass(frozen=True, slots=True)
class Place:
    """A viewer's place in a room."""

    room: RoomId
    viewer: ConnectionId


class Store(Protocol):
    """Every method but ``stop`` raises StoreUnavailableError when the answer cannot be had.

    Everything is idempotent, and a call that is cancelled may still take effect.
    """

    async def start(self) -> None:
        """Makes the store ready; raises ProgramError with a cure when it cannot be."""

    async def stop(self) -> None:
        """Gives everything back. Idempotent."""

    # ── rooms ────────────────────────────────────────────────────────────────────────────────

    async def claim(self, room: RoomId, claimant: Claimant, verifier: str | None) -> Claimed:
        """Binds the room and leases it; raises RoomTakenError or TooManyRoomsError.

        The connection that holds the room already may ask again: it keeps its epoch, and is told
        the same ``previous`` again, for the first answer may have been lost.
        """

    async def look_up(self, room: RoomId) -> Binding | None:
        """What is known of the room."""

    async def renew(self, leases: Iterable[Lease]) -> frozenset[Lease]:
        """These have cameras now: another ``TTL``. Returns those that are lost."""

    async def release(self, lease: Lease) -> None:
        """The camera is gone; the name stays its owner's."""

    async def watch(self, rooms: Iterable[RoomId], node: NodeId) -> Mapping[RoomId, Binding]:
        """For ``TTL`` the node is among the ``watchers`` of claims.

        The result is as ``look_up``'s after the watch began, so no claim falls between the two.
        Rooms that nobody knows are neither watched nor in it.
        """

    # ── viewers' places ──────────────────────────────────────────────────────────────────────

    async def take_place(self, place: Place, most: int) -> bool:
        """For ``TTL``, unless ``most`` others have one. Who has one already keeps it."""

    async def keep_places(self, places: Iterable[Place]) -> None:
        """Another ``TTL`` for each, also for one that was lost meanwhile: the viewer is there."""

    async def give_place(self, place: Place) -> None:
        """The viewer is gone."""

    # ── nodes ────────────────────────────────────────────────────────────────────────────────

    async def beat(self, node: NodeId) -> None:
        """The node lives, for ``TTL``."""

    async def alive(self, nodes: Iterable[NodeId]) -> frozenset[NodeId]:
        """Those of the nodes whose beat was heard within ``TTL``."""
