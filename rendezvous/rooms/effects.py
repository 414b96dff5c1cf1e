"""What the core wants done, as values; the hub does it."""

from dataclasses import dataclass
from typing import TypeAlias

from rendezvous.rooms.letters import Letter
from rendezvous.wire.identity import ConnectionId, NodeId, Owner, RoomId
from rendezvous.wire.messages import Claim, Join, ServerMessage


@dataclass(frozen=True, slots=True)
class Send:
    """Sends a message. With ``room``, only to a connection that is bound to that very room."""

    connection: ConnectionId
    message: ServerMessage
    room: RoomId | None = None


@dataclass(frozen=True, slots=True)
class Close:
    """Closes a connection after what was sent to it. The core has forgotten it already."""

    connection: ConnectionId


@dataclass(frozen=True, slots=True)
class Bind:
    """The connection is admitted: from now on it is of this room and of no other."""

    connection: ConnectionId
    room: RoomId


@dataclass(frozen=True, slots=True)
class Unseat:
    """The viewer has lost its place: it counts as a stranger until it is bound again."""

    connection: ConnectionId


@dataclass(frozen=True, slots=True)
class ClaimRoom:
    """Asks the store for the room; RoomClaimed, ClaimRefused or StoreFailed is the answer."""

    connection: ConnectionId
    owner: Owner
    claim: Claim
    newest: int = 0
    """The newest epoch of the room that was seen here: a lower one would be worth nothing."""
    permitted: bool = True
    """False: it is refused after as much work, so that time does not tell why."""


@dataclass(frozen=True, slots=True)
class LookUpRoom:
    """Asks the store about the room; RoomLookedUp or StoreFailed is the answer."""

    connection: ConnectionId
    join: Join
    seat: int = 0
    """Of a viewer of another node: which of its places the answer is for."""


@dataclass(frozen=True, slots=True)
class ReleaseRoom:
    """Tells the store that the camera of this epoch is gone."""

    room: RoomId
    epoch: int


@dataclass(frozen=True, slots=True)
class Post:
    """Sends a letter to another node: in order, again until it is acknowledged, only once."""

    node: NodeId
    letter: Letter


@dataclass(frozen=True, slots=True)
class SeekRoom:
    """Somebody here wants to know where the room's camera is; RoomFound says so."""

    room: RoomId


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that the operator should look at, about a room."""

    room: RoomId
    sentence: str


@dataclass(frozen=True, slots=True)
class Drop:
    """Nothing is sent: the message had nobody to go to, or may not. Counted under this name."""

    name: str


Effect: TypeAlias = (
    Send
    | Close
    | Bind
    | Unseat
    | ClaimRoom
    | LookUpRoom
    | ReleaseRoom
    | Post
    | SeekRoom
    | Alert
    | Drop
)
