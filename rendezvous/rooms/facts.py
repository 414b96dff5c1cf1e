"""What happened, in the past tense: everything that the core ever learns."""

from dataclasses import dataclass
from typing import TypeAlias

from rendezvous.rooms.sessions import Role
from rendezvous.wire.identity import ConnectionId, RoomId, SessionId
from rendezvous.wire.messages import Claim, ClientMessage, ErrorCode, Join

ResumeKey: TypeAlias = tuple[RoomId, SessionId, str]
"""Both members must name the same room, session and secret: nobody can occupy another's."""


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
    claim: Claim
    epoch: int


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


@dataclass(frozen=True, slots=True)
class StoreFailed:
    """The store could not be asked for this connection."""

    connection: ConnectionId


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
    | ConnectionDue
    | SessionDue
    | WaitDue
    | ResumeDue
    | DrainBegan
)
