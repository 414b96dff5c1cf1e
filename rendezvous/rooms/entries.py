"""The entries of the book: connections and rooms, as the core remembers them."""

import math
from dataclasses import dataclass, field

from rendezvous.rooms.facts import ResumeKey
from rendezvous.rooms.seats import Away, Far
from rendezvous.rooms.sessions import Role, Session
from rendezvous.wire.identity import ConnectionId, Owner, RoomId, SessionId
from rendezvous.wire.messages import IcePolicy, Join, Source


@dataclass(frozen=True, slots=True)
class Takeovers:
    """How often one live camera has taken a room from another, and when it did last."""

    times: int = 0
    last: float = -math.inf


@dataclass(slots=True)
class Peer:
    """A connection, and what it has become."""

    id: ConnectionId
    nonce: str
    origins: frozenset[str]
    opened_at: float
    """When it could speak to us for the first time: ``hello`` is due from then."""
    stranger_since: float
    admit_by: float
    """It is closed then, if it is still a stranger: without a room, or without a place in it."""
    heard_at: float
    pinged_at: float | None = None
    check_at: float = 0.0
    """When the next of these deadlines may have come. Being heard only puts them off."""
    greeted: bool = False
    role: Role | None = None
    room: RoomId | None = None
    session: SessionId | None = None
    """A viewer's only session; a camera's are those of its room."""
    join: Join | None = None
    """A viewer's last: it is checked again when the camera comes, and moves with the room."""
    far: Far | None = None
    """Its socket is at another node."""
    away: Away | None = None
    """Its place is at another node."""
    instance: str | None = None
    """Of the process that claimed, as a camera says."""
    challenged_at: float | None = None
    """When a camera was asked to claim again, and has not."""
    held: set[ResumeKey] = field(default_factory=set)
    """Resumes that wait for the other member's."""

    @property
    def seat(self) -> int:
        """Which of the seats at its node it has here; 0: it is no far one."""
        return self.far.seat if self.far is not None else 0

    def join_to(self, room: RoomId) -> Join | None:
        """Its last join, if it was to this room."""
        return self.join if self.join is not None and self.join.room == room else None


@dataclass(slots=True)
class Room:
    """A room with somebody in it."""

    id: RoomId
    epoch: int = 0
    """The newest claim that this node has seen; if the camera is here, its."""
    camera: ConnectionId | None = None
    owner: Owner | None = None
    """The camera's, from its claim, also when it has gone; None: no camera was here."""
    until: float = math.inf
    """When the camera's lease is over, unless it is renewed."""
    lapsed: bool = False
    """It is over: until the camera has claimed again nothing new begins here."""
    verifier: str | None = None
    """The camera's, from its claim. While there is none, the store's is to be asked for."""
    source: Source | None = None
    ice_policy: IcePolicy = IcePolicy.ALL
    """The camera's, from its claim."""
    waiting: dict[ConnectionId, float] = field(default_factory=dict)
    """Admitted viewers without a camera, and until when they wait."""
    sessions: dict[SessionId, Session] = field(default_factory=dict)
    away: dict[ConnectionId, Away] = field(default_factory=dict)
    """Viewers of ours whose places are at another node."""

    def live(self, now: float) -> bool:
        """Whether sessions may begin here."""
        return self.camera is not None and not self.lapsed and now < self.until

    def keeps_out(self, owner: Owner | None) -> bool:
        """Whether a camera is connected here that is another owner's."""
        return self.camera is not None and owner not in (None, self.owner)

    @property
    def places_taken(self) -> int:
        """How many of the room's viewer places are in use."""
        return len(self.waiting) + len(self.sessions)

    @property
    def deserted(self) -> bool:
        """Whether there is nothing left to remember."""
        empty = not self.waiting and not self.sessions and not self.away
        return self.camera is None and empty


@dataclass(frozen=True, slots=True)
class HeldResume:
    """A member that came back to a server which knows nothing of its session yet."""

    connection: ConnectionId
    role: Role
    until: float
