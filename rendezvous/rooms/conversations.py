"""Sessions: how they begin, who is heard in them, and how the table moves them on."""

from dataclasses import replace

from rendezvous.rooms import privacy
from rendezvous.rooms.actions import DO, UNKNOWN, Happening, Spoken
from rendezvous.rooms.book import Book
from rendezvous.rooms.effects import Drop
from rendezvous.rooms.entries import Peer
from rendezvous.rooms.facts import SessionDue
from rendezvous.rooms.sessions import TABLE, Event, Role, Session, State
from rendezvous.wire.identity import RoomId, SessionId
from rendezvous.wire.messages import (
    CANDIDATES_PER_SESSION,
    Answer,
    Candidate,
    End,
    EndReason,
    ErrorCode,
    IcePolicy,
    Joined,
    Offer,
    Source,
    SourceState,
)

_EVENTS: dict[tuple[Role, type[Spoken]], Event] = {
    (Role.VIEWER, Offer): Event.VIEWER_OFFER,
    (Role.VIEWER, Answer): Event.VIEWER_ANSWER,
    (Role.VIEWER, Candidate): Event.VIEWER_CANDIDATE,
    (Role.VIEWER, End): Event.VIEWER_END,
    (Role.CAMERA, Offer): Event.CAMERA_OFFER,
    (Role.CAMERA, Answer): Event.CAMERA_ANSWER,
    (Role.CAMERA, Candidate): Event.CAMERA_CANDIDATE,
    (Role.CAMERA, End): Event.CAMERA_END,
}


def spoken(book: Book, peer: Peer, message: Spoken) -> None:
    """A connection said something about a session: only its members are heard."""
    session = book.sessions.get(SessionId(message.session))
    role = session.role_of(peer.id) if session else None
    if session is not None and role is not None and _overdue(book, session):
        begin_anew(book, session)  # before anything is opened under a lease that is over
        return
    if session is None or role is None:
        book.refuse(peer, ErrorCode.SESSION_UNKNOWN, UNKNOWN, session=message.session)
    elif isinstance(message, Candidate) and not _count(session, role):
        book.refuse(
            peer,
            ErrorCode.TOO_MANY_CANDIDATES,
            f"A session may have {CANDIDATES_PER_SESSION} candidates from each side.",
            session=session.id,
        )
    else:
        _hear(book, session, Happening(session, _EVENTS[role, type(message)], peer, message))


def _hear(book: Book, session: Session, happening: Happening) -> None:
    if session.policy is IcePolicy.RELAY and happening.message is not None:
        happening = replace(happening, message=privacy.hidden(happening.message))
    if happening.message is None:
        book.effects.append(Drop("not_relayed"))
    else:
        happen(book, happening)


def _overdue(book: Book, session: Session) -> bool:
    room = book.rooms[session.room]
    return session.state is not State.ANSWERED and not room.live(book.now)


def begin_anew(book: Book, session: Session) -> None:
    """The camera's lease is over before there was an answer: the viewer waits for its next."""
    camera = session.members[Role.CAMERA]
    if camera is not None and session.state is State.OFFERED:
        end = End(session=session.id, reason=EndReason.LEFT)
        book.tell(camera, session.room, end)
    happen(book, Happening(session, Event.CAMERA_GONE))


def _count(session: Session, role: Role) -> bool:
    session.candidates[role] += 1
    return session.candidates[role] <= CANDIDATES_PER_SESSION


def happen(book: Book, happening: Happening) -> None:
    """Looks the event up in the table and does what it says."""
    session = happening.session
    step = TABLE[session.state, happening.event]
    before = session.state
    if step.state is None:
        forget(book, session)
    elif step.state is not before:
        session.state = step.state
        session.deadline = book.now + book.limits.answer if step.state is State.OFFERED else None
    DO[step.do](book, happening, before)
    if step.state is None and (viewer := book.member(session, Role.VIEWER)):
        book.unseat(viewer)
    book.tidy(session.room)


def due(book: Book, fact: SessionDue) -> None:
    """A session's time is over, if it has not moved on meanwhile."""
    session = book.sessions.get(fact.session)
    if session is not None and session.deadline is not None and session.deadline <= book.now:
        happen(book, Happening(session, Event.DEADLINE))


def begin(book: Book, viewer: Peer, room_id: RoomId) -> None:
    """A session begins: the viewer has a place, and the camera is there."""
    room = book.rooms[room_id]
    session = Session(
        id=SessionId(book.new_id()),
        secret=book.new_id(),
        room=room_id,
        members={Role.CAMERA: room.camera, Role.VIEWER: viewer.id},
        policy=book.policy_of(room_id),
        deadline=book.now + book.limits.offer,
    )
    remember(book, session)
    joined = Joined(
        room=room_id,
        session=session.id,
        secret=session.secret,
        ice_servers=book.ice.servers(room_id),
        ice_policy=session.policy,
        source=room.source or Source(state=SourceState.STARTING),
    )
    book.tell(viewer.id, room_id, joined)


def remember(book: Book, session: Session) -> None:
    """Makes the session known, and its viewer's only one."""
    book.sessions[session.id] = session
    book.room(session.room).sessions[session.id] = session
    if viewer := book.member(session, Role.VIEWER):
        viewer.session = session.id


def forget(book: Book, session: Session) -> None:
    """The session is over, or goes on at another node."""
    del book.sessions[session.id]
    del book.rooms[session.room].sessions[session.id]
    if viewer := book.member(session, Role.VIEWER):
        viewer.session = None
