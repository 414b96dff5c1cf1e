"""All that the core knows, and the effects it has asked for while handling one fact."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from rendezvous.rooms.effects import Bind, Close, Effect, Send, Unseat
from rendezvous.rooms.facts import ResumeKey
from rendezvous.rooms.limits import Limits
from rendezvous.rooms.sessions import Role, Session
from rendezvous.wire.identity import ConnectionId, Owner, RoomId, SessionId
from rendezvous.wire.messages import (
    SENTENCE_LENGTH,
    Error,
    ErrorCode,
    IcePolicy,
    IceServer,
    ServerMessage,
    Source,
)


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
    greeted: bool = False
    role: Role | None = None
    room: RoomId | None = None
    session: SessionId | None = None
    """A viewer's only session; a camera's are those of its room."""
    proven: str | None = None
    """The verifier that a viewer's proof was checked against; None: the room was public."""
    held: set[ResumeKey] = field(default_factory=set)
    """Resumes that wait for the other member's."""


@dataclass(slots=True)
class Room:
    """A room with somebody in it."""

    id: RoomId
    epoch: int = 0
    camera: ConnectionId | None = None
    verifier: str | None = None
    """The camera's, from its claim. While there is none, the store's is to be asked for."""
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
    permits: Callable[[RoomId, Owner], bool] = lambda _room, _owner: True
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

    def stop_waiting(self, peer: Peer) -> None:
        """The viewer, if it waits, does so no longer."""
        room = self.rooms.get(peer.room) if peer.room is not None else None
        if room is not None:
            room.waiting.pop(peer.id, None)
            self.tidy(room.id)

    def is_stranger(self, peer: Peer) -> bool:
        """Whether the connection costs a socket and has no part in any room."""
        if peer.role is not Role.VIEWER or peer.room is None:
            return peer.role is None
        room = self.rooms.get(peer.room)
        return peer.session is None and (room is None or peer.id not in room.waiting)

    def unseat(self, peer: Peer) -> None:
        """A viewer that has lost its place, and has no other, has some time to join again."""
        if self.is_stranger(peer):
            peer.stranger_since = self.now
            peer.admit_by = self.now + self.limits.rejoin
            self.effects.append(Unseat(peer.id))

    def bind(self, peer: Peer, role: Role, room: Room) -> None:
        """Admits the connection to the room."""
        peer.role, peer.room = role, room.id
        self.effects.append(Bind(peer.id, room.id))

    def room_of(self, peer: Peer) -> Room:
        """The room of a connection that is bound to one; raises LookupError for others."""
        if peer.room is None:
            raise LookupError(f"{peer.id} is in no room")
        return self.rooms[peer.room]

    def member(self, session: Session, role: Role) -> Peer | None:
        """Who this member of the session is; None while it is absent."""
        connection = session.members[role]
        return self.peers.get(connection) if connection is not None else None

    def room(self, room: RoomId) -> Room:
        """The room, remembered from now on."""
        return self.rooms.setdefault(room, Room(room))

    def tidy(self, room_id: RoomId) -> None:
        """Forgets the room if nobody is left in it."""
        room = self.rooms.get(room_id)
        if room is not None and room.deserted:
            del self.rooms[room_id]
