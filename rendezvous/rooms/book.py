"""All that the core knows, and the effects it has asked for while handling one fact."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from rendezvous.rooms.effects import Bind, Close, Effect, Send
from rendezvous.rooms.limits import Limits
from rendezvous.rooms.sessions import Role, Session
from rendezvous.wire.identity import ConnectionId, RoomId, SessionId
from rendezvous.wire.messages import (
    SENTENCE_LENGTH,
    Error,
    ErrorCode,
    IcePolicy,
    IceServer,
    ServerMessage,
    Source,
)

ResumeKey = tuple[RoomId, SessionId, str]
"""Both members must name the same room, session and secret: nobody can occupy another's."""


@dataclass(slots=True)
class Peer:
    """A connection, and what it has become."""

    id: ConnectionId
    nonce: str
    origins: frozenset[str]
    opened_at: float
    heard_at: float
    admit_by: float
    """It is closed then, unless it is in a room."""
    pinged_at: float | None = None
    greeted: bool = False
    role: Role | None = None
    room: RoomId | None = None
    session: SessionId | None = None
    """A viewer's only session; a camera's are those of its room."""
    held: set[ResumeKey] = field(default_factory=set)
    """Resumes that wait for the other member's."""


@dataclass(slots=True)
class Room:
    """A room with somebody in it."""

    id: RoomId
    epoch: int = 0
    camera: ConnectionId | None = None
    source: Source | None = None
    waiting: dict[ConnectionId, float] = field(default_factory=dict)
    """Admitted viewers without a camera, and until when they wait."""
    sessions: dict[SessionId, Session] = field(default_factory=dict)

    @property
    def places_taken(self) -> int:
        """How many of the room's viewer places are in use."""
        return len(self.waiting) + len(self.sessions)

    @property
    def deserted(self) -> bool:
        """Whether there is nothing left to remember."""
        return self.camera is None and not self.waiting and not self.sessions


@dataclass(frozen=True, slots=True)
class Ice:
    """Where the core gets ICE servers for a room from; called for every ``joined``, ``session``."""

    servers: Callable[[RoomId], tuple[IceServer, ...]] = lambda _room: ()
    policy: IcePolicy = IcePolicy.ALL


@dataclass(frozen=True, slots=True)
class HeldResume:
    """A member that came back to a server which knows nothing of its session yet."""

    connection: ConnectionId
    role: Role
    until: float


@dataclass(slots=True)
class Book:
    """The core's whole state. One fact is handled at a time, at the time ``now``."""

    server: str = "porthole"
    limits: Limits = field(default_factory=Limits)
    ice: Ice = field(default_factory=Ice)
    new_id: Callable[[], str] = lambda: secrets.token_urlsafe(16)
    now: float = 0.0
    draining: bool = False
    peers: dict[ConnectionId, Peer] = field(default_factory=dict)
    rooms: dict[RoomId, Room] = field(default_factory=dict)
    sessions: dict[SessionId, Session] = field(default_factory=dict)
    resumes: dict[ResumeKey, dict[Role, HeldResume]] = field(default_factory=dict)
    effects: list[Effect] = field(default_factory=list)

    def send(self, peer: Peer, message: ServerMessage) -> None:
        """Says something that concerns the connection alone."""
        self.effects.append(Send(peer.id, message))

    def tell(self, connection: ConnectionId, room: RoomId, message: ServerMessage) -> None:
        """Says something that belongs to a room: never to a connection of another one."""
        self.effects.append(Send(connection, message, room))

    def refuse(
        self,
        peer: Peer,
        code: ErrorCode,
        sentence: str,
        *,
        session: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        """Answers with an error; the connection stays."""
        self.send(
            peer,
            Error(
                code=code,
                message=sentence[:SENTENCE_LENGTH],
                session=session,
                retry_after=retry_after,
            ),
        )

    def close(self, peer: Peer) -> None:
        """Forgets the connection and closes it; who calls has ended what it was part of."""
        self.forget(peer)
        self.effects.append(Close(peer.id))

    def forget(self, peer: Peer) -> None:
        """Forgets a connection that is part of nothing any more, and what was held for it."""
        self.let_all_go(peer)
        del self.peers[peer.id]

    def let_all_go(self, peer: Peer) -> None:
        """Holds none of the connection's resumes any longer."""
        for key in tuple(peer.held):
            for role, resume in tuple(self.resumes[key].items()):
                if resume.connection == peer.id:
                    self.let_go(key, role)

    def let_go(self, key: ResumeKey, role: Role) -> Peer:
        """Holds this member's resume no longer; whose it was."""
        held = self.resumes[key]
        peer = self.peers[held.pop(role).connection]
        peer.held.discard(key)
        if not held:
            del self.resumes[key]
        return peer

    def bind(self, peer: Peer, role: Role, room: Room) -> None:
        """Admits the connection to the room."""
        peer.role, peer.room = role, room.id
        self.effects.append(Bind(peer.id, room.id))

    def room(self, room: RoomId) -> Room:
        """The room, remembered from now on."""
        return self.rooms.setdefault(room, Room(room))

    def tidy(self, room_id: RoomId) -> None:
        """Forgets the room if nobody is left in it."""
        room = self.rooms.get(room_id)
        if room is not None and room.deserted:
            del self.rooms[room_id]
