"""The names of all keys, in one place. What is in ``{…}`` decides on the slot in a Cluster.

Rooms and owners are hashed, so that no name has a brace and all are of one length. It hides
nothing: letters carry room IDs. Every key has a time to live.
"""

import hashlib
from typing import NamedTuple

from rendezvous.wire.identity import NodeId, Owner, RoomId


class RoomKeys(NamedTuple):
    """All that is kept of a room, in one slot. Times are in milliseconds since 1970."""

    name: str
    """Hash: owner, verifier (empty: public), epoch (the newest), enrolled (when, last)."""
    lease: str
    """Hash: node, connection, epoch, and ``previous_…``, the same of the lease it took over."""
    watchers: str
    """Sorted set: node → when its watch ends."""
    places: str
    """Sorted set: viewer's connection → when its place is free."""


def of_room(room: RoomId) -> RoomKeys:
    """The keys of a room."""
    prefix = f"porthole:{{room.{tag(room)}}}:"
    kinds = ("name", "lease", "watchers", "places")
    return RoomKeys(*(prefix + kind for kind in kinds))


def of_owner(owner: Owner) -> str:
    """Sorted set: tag of a room → until when it counts."""
    return f"porthole:{{owner.{tag(owner)}}}:rooms"


def of_node(node: NodeId) -> str:
    """String: there while the node lives."""
    return f"porthole:{{node.{node}}}:beat"


def tag(text: str) -> str:
    """A name for a room or an owner: 160 bits of BLAKE2b."""
    return hashlib.blake2b(text.encode(), digest_size=20).hexdigest()
