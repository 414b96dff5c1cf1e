"""The names of all keys, in one place. What is in ``{…}`` decides on the slot in a Cluster.

Rooms and owners are hashed: whoever watches Redis learns no room ID from it, and no name has a
brace. Every key has a time to live.
"""

import base64
import hashlib

from rendezvous.wire.identity import NodeId, Owner, RoomId

_PREFIX = "porthole"


def name(room: RoomId) -> str:
    """Hash: owner, verifier (empty: public), epoch (the newest), enrolled (ms since 1970)."""
    return f"{_room(room)}:name"


def lease(room: RoomId) -> str:
    """Hash: node, connection, epoch, and the same of the lease that was taken over, if any."""
    return f"{_room(room)}:lease"


def watchers(room: RoomId) -> str:
    """Sorted set: node → when its watch ends (ms since 1970)."""
    return f"{_room(room)}:watchers"


def places(room: RoomId) -> str:
    """Sorted set: viewer's connection → when its place is free (ms since 1970)."""
    return f"{_room(room)}:places"


def rooms(owner: Owner) -> str:
    """Sorted set: a room's tag → until when it counts (ms since 1970)."""
    return f"{_PREFIX}:{{owner.{_hash(owner)}}}:rooms"


def beat(node: NodeId) -> str:
    """String: there while the node lives."""
    return f"{_PREFIX}:{{node.{node}}}:beat"


def tag(room: RoomId) -> str:
    """A name for the room among its owner's."""
    return _hash(room)


def _room(room: RoomId) -> str:
    return f"{_PREFIX}:{{room.{_hash(room)}}}"


def _hash(text: str) -> str:
    return base64.b32encode(hashlib.sha256(text.encode()).digest()[:20]).decode().lower()
