"""What the table of sessions orders, done: each action is one short function."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from rendezvous.rooms.book import Book
from rendezvous.rooms.effects import Drop, SeekRoom
from rendezvous.rooms.entries import Peer
from rendezvous.rooms.sessions import Do, Event, Role, Session, State
from rendezvous.wire.identity import ConnectionId, RoomId
from rendezvous.wire.messages import (
    Answer,
    Candidate,
    End,
    EndReason,
    ErrorCode,
    Offer,
    Presence,
    Resumed,
    ServerMessage,
    Waiting,
)
from rendezvous.wire.messages import Session as SessionOpened

UNKNOWN = "There is no such session for you; join again."

Spoken: TypeAlias = Offer | Answer | Candidate | End


@dataclass(frozen=True, slots=True)
class Happening:
    """One event of one session: who caused it (if it was a connection) and what was said."""

    session: Session
    event: Event
    peer: Peer | None = None
    message: Spoken | None = None

    @property
    def actor(self) -> Role:
        """Whose event it is."""
        return Role.CAMERA if self.event.name.startswith("CAMERA") else Role.VIEWER


def _to(book: Book, session: Session, role: Role, message: ServerMessage) -> None:
    connection = session.members[role]
    if connection is not None:
        book.tell(connection, session.room, message)
    elif isinstance(message, Candidate):
        session.kept[role].append(message)
    else:
        book.effects.append(Drop("to_absent_member"))


def _flush(book: Book, session: Session, role: Role) -> None:
    kept, session.kept[role] = session.kept[role], []
    for message in kept:
        _to(book, session, role, message)


def _refuse(book: Book, what: Happening, before: State) -> None:
    if what.peer is not None and what.message is not None:
        book.refuse(
            what.peer,
            ErrorCode.NOT_ALLOWED,
            f"A {what.actor.name.lower()} cannot send {type(what.message).__name__.lower()} "
            f"while the session is {before.name.lower()}.",
            session=what.session.id,
        )


def _unknown(book: Book, what: Happening, _before: State) -> None:
    if what.peer is not None:
        book.refuse(what.peer, ErrorCode.SESSION_UNKNOWN, UNKNOWN, session=what.session.id)


def _open(book: Book, what: Happening, _before: State) -> None:
    session, offer = what.session, what.message
    if isinstance(offer, Offer):
        opened = SessionOpened(
            session=session.id,
            secret=session.secret,
            sdp=offer.sdp,
            trickle=offer.trickle,
            ice_servers=book.ice.servers(session.room),
            ice_policy=session.policy,
        )
        _to(book, session, Role.CAMERA, opened)
        _flush(book, session, Role.CAMERA)


def _keep(_book: Book, what: Happening, _before: State) -> None:
    if what.message is not None:
        what.session.kept[what.actor.other].append(what.message)


def _pass(book: Book, what: Happening, _before: State) -> None:
    if what.message is not None:
        _to(book, what.session, what.actor.other, what.message)


def _pass_end(book: Book, what: Happening, before: State) -> None:
    if isinstance(what.message, End) and _knows(what.actor.other, before):
        _to(book, what.session, what.actor.other, what.message)


def _leave(book: Book, what: Happening, before: State) -> None:
    if _knows(Role.CAMERA, before):
        _end(book, what.session, Role.CAMERA, EndReason.LEFT)


def _knows(role: Role, state: State) -> bool:
    """The camera never heard of a session that was not offered."""
    return role is Role.VIEWER or state is not State.JOINED


def _end(book: Book, session: Session, role: Role, reason: EndReason) -> None:
    _to(book, session, role, End(session=session.id, reason=reason))


def _wait(book: Book, what: Happening, _before: State) -> None:
    viewer = what.session.members[Role.VIEWER]
    if viewer is not None:
        wait(book, viewer, what.session.room)


def wait(book: Book, viewer: ConnectionId, room_id: RoomId) -> None:
    """An admitted viewer waits for its camera."""
    book.room(room_id).waiting[viewer] = book.now + book.limits.waiting
    book.tell(viewer, room_id, Waiting(room=room_id))
    if book.node is not None:
        book.effects.append(SeekRoom(room_id))


def _absent(book: Book, what: Happening, _before: State) -> None:
    session = what.session
    session.members[what.actor] = None
    if what.actor is Role.CAMERA:
        session.deadline = book.now + book.limits.kept
    _to(book, session, what.actor.other, Presence(session=session.id, present=False))


def _return(book: Book, what: Happening, _before: State) -> None:
    session, peer = what.session, what.peer
    if peer is None:
        return
    session.members[what.actor] = peer.id
    if what.actor is Role.CAMERA:
        session.deadline = None
    other = session.members[what.actor.other]
    tell_resumed(book, session, what.actor)
    if other is None:
        _to(book, session, what.actor, Presence(session=session.id, present=False))
    _to(book, session, what.actor.other, Presence(session=session.id, present=True))


def tell_resumed(book: Book, session: Session, role: Role) -> None:
    """The member is back: what was kept for it comes first, then what the camera is doing now."""
    _to(book, session, role, Resumed(session=session.id))
    _flush(book, session, role)
    source = book.rooms[session.room].source
    if role is Role.VIEWER and source is not None:
        _to(book, session, role, source)


def _offer_timeout(book: Book, what: Happening, _before: State) -> None:
    _end(book, what.session, Role.VIEWER, EndReason.OFFER_TIMEOUT)


def _answer_timeout(book: Book, what: Happening, _before: State) -> None:
    for role in Role:
        _end(book, what.session, role, EndReason.ANSWER_TIMEOUT)


def _camera_lost(book: Book, what: Happening, _before: State) -> None:
    _end(book, what.session, Role.VIEWER, EndReason.CAMERA_GONE)


DO: dict[Do, Callable[[Book, Happening, State], None]] = {
    Do.REFUSE: _refuse,
    Do.UNKNOWN: _unknown,
    Do.OPEN: _open,
    Do.KEEP: _keep,
    Do.PASS: _pass,
    Do.PASS_END: _pass_end,
    Do.LEAVE: _leave,
    Do.WAIT: _wait,
    Do.ABSENT: _absent,
    Do.RETURN: _return,
    Do.OFFER_TIMEOUT: _offer_timeout,
    Do.ANSWER_TIMEOUT: _answer_timeout,
    Do.CAMERA_LOST: _camera_lost,
}
