"""All that the core knows, and the effects it has asked for while handling one fact."""

import itertools
import random
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from rendezvous.rooms.effects import Bind, Close, Drop, Effect, Post, Send, Unseat
from rendezvous.rooms.entries import HeldResume, Peer, Room, Takeovers
from rendezvous.rooms.facts import ResumeKey
from rendezvous.rooms.letters import Closed, Told, Unseated
from rendezvous.rooms.limits import Limits
from rendezvous.rooms.seats import Away, Far
from rendezvous.rooms.sessions import Role, Session
from rendezvous.wire.identity import ConnectionId, NodeId, Owner, RoomId, SessionId
from rendezvous.wire.messages import (
    SENTENCE_LENGTH,
    Error,
    ErrorCode,
    IcePolicy,
    IceServer,
    ServerMessage,
)

_T = TypeVar("_T")

_REMEMBERED = 10_000  # rooms that nobody is in: 1 MB


@dataclass(frozen=True, slots=True)
class Ice:
    """Where the core gets ICE servers for a room from; called for every ``joined``, ``session``."""

    servers: Callable[[RoomId], tuple[IceServer, ...]] = lambda _room: ()
    policy: IcePolicy = IcePolicy.ALL
    """Of every room here; a camera may be stricter."""
    relays: bool = False
    """Whether there is a TURN server, as rooms that are relay-only need."""


@dataclass(slots=True)
class Book:
    """The core's whole state. One fact is handled at a time, at the time ``now``."""

    server: str = "porthole"
    node: NodeId | None = None
    """None: there are no others."""
    limits: Limits = field(default_factory=Limits)
    ice: Ice = field(default_factory=Ice)
    permits: Callable[[RoomId, Owner], bool] = lambda _room, _owner: True
    new_id: Callable[[], str] = lambda: secrets.token_urlsafe(16)
    jitter: Callable[[], float] = random.random  # noqa: S311  # it hides nothing
    """0 to 1: spreads those who were told to come back."""
    now: float = 0.0
    draining: bool = False
    peers: dict[ConnectionId, Peer] = field(default_factory=dict)
    rooms: dict[RoomId, Room] = field(default_factory=dict)
    sessions: dict[SessionId, Session] = field(default_factory=dict)
    resumes: dict[ResumeKey, dict[Role, HeldResume]] = field(default_factory=dict)
    effects: list[Effect] = field(default_factory=list)
    epochs: dict[RoomId, int] = field(default_factory=dict)
    """Of rooms that nobody is in any more; bounded, the oldest go first."""
    takeovers: dict[RoomId, Takeovers] = field(default_factory=dict)
    """Of rooms that several cameras claim in turn; bounded likewise."""
    seats: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def send(self, peer: Peer, message: ServerMessage) -> None:
        """Says something that concerns the connection alone."""
        if peer.far is None:
            self.effects.append(Send(peer.id, message))
        else:
            self._post_told(peer.id, peer.far, message, bound=False)

    def tell(self, connection: ConnectionId, room: RoomId, message: ServerMessage) -> None:
        """Says something that belongs to a room: never to a connection of another one."""
        peer = self.peers.get(connection)
        if peer is None or peer.far is None:
            self.effects.append(Send(connection, message, room))
        elif peer.far.room == room:
            self._post_told(connection, peer.far, message, bound=True)
        else:
            self.effects.append(Drop("cross_room"))

    def _post_told(
        self, connection: ConnectionId, far: Far, message: ServerMessage, *, bound: bool
    ) -> None:
        epoch = self.newest(far.room)
        told = Told(
            room=far.room,
            epoch=epoch,
            connection=connection,
            seat=far.seat,
            message=message,
            bound=bound,
        )
        self.effects.append(Post(far.node, told))

    def _post_end(self, peer: Peer, far: Far, kind: type[Closed] | type[Unseated]) -> None:
        epoch = self.newest(far.room)
        letter = kind(room=far.room, epoch=epoch, connection=peer.id, seat=far.seat)
        self.effects.append(Post(far.node, letter))

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
        if peer.far is None:
            self.effects.append(Close(peer.id))
        else:
            self._post_end(peer, peer.far, Closed)

    def forget(self, peer: Peer) -> None:
        """Forgets a connection that is part of nothing any more, and what was held for it."""
        self.let_all_go(peer)
        self.come_back(peer)
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

    def come_back(self, peer: Peer) -> Away | None:
        """The viewer, if its place is at another node, has it there no longer; what it had."""
        away, peer.away = peer.away, None
        if away is not None:
            if not away.seated:
                peer.join = None  # nobody has seen its proof
            self.rooms[away.room].away.pop(peer.id, None)
            self.tidy(away.room)
        return away

    def stop_waiting(self, peer: Peer) -> None:
        """The viewer, if it waits, does so no longer."""
        room = self.rooms.get(peer.room) if peer.room is not None else None
        if room is not None:
            room.waiting.pop(peer.id, None)
            self.tidy(room.id)

    def is_stranger(self, peer: Peer) -> bool:
        """Whether the connection costs a socket and has no part in any room."""
        if peer.away is not None:
            return not peer.away.seated
        if peer.role is not Role.VIEWER or peer.room is None:
            return peer.role is None
        room = self.rooms.get(peer.room)
        return peer.session is None and (room is None or peer.id not in room.waiting)

    def unseat(self, peer: Peer) -> None:
        """A viewer that has lost its place, and has no other, has some time to join again.

        One of another node is forgotten: it will be handed over again.
        """
        if not self.is_stranger(peer) or peer.id not in self.peers:
            return
        if peer.far is not None:
            self.forget(peer)
            self._post_end(peer, peer.far, Unseated)
        else:
            peer.stranger_since = self.now
            peer.admit_by = self.now + self.limits.rejoin
            peer.check_at = self.now
            self.effects.append(Unseat(peer.id))

    def bind(self, peer: Peer, role: Role, room: Room) -> None:
        """Admits the connection to the room."""
        peer.role, peer.room = role, room.id
        if peer.far is None:  # what a far one is told next says so
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
        if room not in self.rooms:
            self.rooms[room] = Room(room, self.epochs.pop(room, 0))
        return self.rooms[room]

    def policy_of(self, room: RoomId) -> IcePolicy:
        """Who learns addresses in sessions that begin in the room now."""
        return self.ice.policy.stricter(self.rooms[room].ice_policy)

    def viewers_of(self, room: Room) -> list[Peer]:
        """The viewers whose places are here: those that wait, and members of sessions."""
        members = (session.members[Role.VIEWER] for session in room.sessions.values())
        here = (*room.waiting, *(member for member in members if member is not None))
        return [self.peers[connection] for connection in dict.fromkeys(here)]

    def newest(self, room: RoomId) -> int:
        """The newest epoch of the room that this node has seen; 0: none."""
        known = self.rooms.get(room)
        return known.epoch if known is not None else self.epochs.get(room, 0)

    def tidy(self, room_id: RoomId) -> None:
        """Forgets the room if nobody is left in it."""
        room = self.rooms.get(room_id)
        if room is not None and room.deserted:
            del self.rooms[room_id]
            if self.node is not None:
                remember(self.epochs, room_id, room.epoch)


def remember(memory: dict[RoomId, _T], room: RoomId, what: _T) -> None:
    """Keeps it as the newest; forgets the oldest beyond what is bounded."""
    memory.pop(room, None)
    memory[room] = what
    if len(memory) > _REMEMBERED:
        del memory[next(iter(memory))]
