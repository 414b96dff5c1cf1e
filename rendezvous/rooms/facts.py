"""What happened, in the past tense: everything that the core ever learns."""

from dataclasses import dataclass
from typing import TypeAlias

from rendezvous.wire.identity import ConnectionId
from rendezvous.wire.messages import Claim, ClientMessage, ErrorCode, Join


@dataclass(frozen=True, slots=True)
class ConnectionOpened:
    """A peer speaks JSON to us; ``opened_at`` is when its socket was accepted."""

    connection: ConnectionId
    opened_at: float
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
    """The store holds the room for another owner."""

    connection: ConnectionId


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
class TimePassed:
    """Deadlines may have come."""


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
    | TimePassed
    | DrainBegan
)
