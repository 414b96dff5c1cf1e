"""What happened, in the past tense: everything that the core ever learns."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from rendezvous.rooms.letters import Letter
from rendezvous.rooms.sessions import Role
from rendezvous.wire.identity import ConnectionId, NodeId, Owner, RoomId, SessionId
from rendezvous.wire.messages import Claim, ClientMessage, ErrorCode, Join

ResumeKey: TypeAlias = tuple[RoomId, SessionId, str]
"""Both members must name the same room, session and secret: nobody can occupy another's."""


@dataclass(frozen=True, slots=True)
class Home:
    """The node that a room's camera is connected to, and the epoch of its claim."""

    node: NodeId
    epoch: int
    owner: Owner | None = None
    """Whose the room is there; None: nobody has said."""


@dataclass(frozen=True, slots=True)
class ConnectionOpened:
    """A peer speaks JSON to us; ``stranger_since`` is when its socket was accepted."""

    connection: ConnectionId
    stranger_since: float
    origins: frozenset[str]
    """The names, host:port in lower case, under which this connection may have dialled us."""


@dataclass(frozen=True, slots=True)
class MessageReceived:
    """A well-formed message came."""

    connection: ConnectionId
    message: ClientMessage


@dataclass(frozen=True, slots=True)
class MessageRefused:
    """Something came that is not a message."""

    connection: ConnectionId
    code: ErrorCode
    sentence: str


@dataclass(frozen=True, slots=True)
class ConnectionLost:
    """The connection is no more; nothing can be sent to it."""

    connection: ConnectionId


@dataclass(frozen=True, slots=True)
class ConnectionFailed:
    """A defect of ours, or a peer that does not read, ends this connection with ``code``."""

    connection: ConnectionId
    code: ErrorCode
    sentence: str


@dataclass(frozen=True, slots=True)
class RoomClaimed:
    """The store gave the room to the connection's owner, under a new epoch."""

    connection: ConnectionId
    owner: Owner
    claim: Claim
    epoch: int
    until: float = math.inf
    """When the lease is over, by our own clock, unless it is renewed."""
    interested: tuple[NodeId, ...] = ()
    """Other nodes to be told: the one that held the room before, and those that seek it."""


@dataclass(frozen=True, slots=True)
class ClaimRefused:
    """The store does not give the room to the connection's owner, for this reason."""

    connection: ConnectionId
    code: ErrorCode
    sentence: str


@dataclass(frozen=True, slots=True)
class RoomLookedUp:
    """What the store knows of the room that a viewer wants to join."""

    connection: ConnectionId
    join: Join
    known: bool
    verifier: str | None = None
    """None, if known: the room is public."""
    home: Home | None = None
    """Where its camera is; None: away, or this store does not serve several nodes."""
    seat: int = 0
    """The question's."""


@dataclass(frozen=True, slots=True)
class StoreFailed:
    """The store could not be asked for this connection."""

    connection: ConnectionId
    seat: int = 0
    """The question's."""


@dataclass(frozen=True, slots=True)
class RoomFound:
    """Where the camera of a room that somebody here waits for is."""

    room: RoomId
    home: Home


@dataclass(frozen=True, slots=True)
class LeasesRenewed:
    """The store keeps these claims, by room, until then by our own clock."""

    epochs: Mapping[RoomId, int]
    until: float


@dataclass(frozen=True, slots=True)
class LeaseLost:
    """The store knows the claim of this epoch no longer: it was taken over, or data was lost."""

    room: RoomId
    epoch: int


@dataclass(frozen=True, slots=True)
class LeaseDue:
    """The lease of a room that has its camera here was not renewed in time."""

    room: RoomId


@dataclass(frozen=True, slots=True)
class StoreReached:
    """The store answers: claims whose leases are over can be made again."""


@dataclass(frozen=True, slots=True)
class LetterReceived:
    """Another node wrote."""

    node: NodeId
    letter: Letter


@dataclass(frozen=True, slots=True)
class NodeLost:
    """Another node is no more."""

    node: NodeId


@dataclass(frozen=True, slots=True)
class LettersLost:
    """Some of our letters to that node were given up; it may miss anything."""

    node: NodeId


@dataclass(frozen=True, slots=True)
class LettersMissed:
    """Some of that node's letters to us were given up, or it had taken us for dead."""

    node: NodeId


@dataclass(frozen=True, slots=True)
class AdriftDue:
    """A viewer's session has been without its home for long enough."""

    viewer: ConnectionId


@dataclass(frozen=True, slots=True)
class ConnectionDue:
    """A deadline of this connection may have come."""

    connection: ConnectionId


@dataclass(frozen=True, slots=True)
class SessionDue:
    """The deadline of this session has come."""

    session: SessionId


@dataclass(frozen=True, slots=True)
class WaitDue:
    """This viewer has waited for its camera for long enough."""

    room: RoomId
    viewer: ConnectionId


@dataclass(frozen=True, slots=True)
class ResumeDue:
    """The other member did not come to this resume."""

    key: ResumeKey
    role: Role


@dataclass(frozen=True, slots=True)
class DrainBegan:
    """The server is about to stop; peers should come back after so many seconds."""

    after: float


Fact: TypeAlias = (
    ConnectionOpened
    | MessageReceived
    | MessageRefused
    | ConnectionLost
    | ConnectionFailed
    | RoomClaimed
    | ClaimRefused
    | RoomLookedUp
    | StoreFailed
    | RoomFound
    | LeasesRenewed
    | LeaseLost
    | LeaseDue
    | StoreReached
    | LetterReceived
    | NodeLost
    | LettersLost
    | LettersMissed
    | AdriftDue
    | ConnectionDue
    | SessionDue
    | WaitDue
    | ResumeDue
    | DrainBegan
)
