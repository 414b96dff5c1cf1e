"""Coming back to a running session, also to a server that was restarted and knows nothing of it.

A resume that finds no session is held until the other member names the same room, session and
secret. The camera's claim vouches for the room; the secret vouches for the viewer.
"""

import hmac

from rendezvous.rooms import connections, conversations
from rendezvous.rooms.actions import UNKNOWN, Happening, tell_resumed
from rendezvous.rooms.book import Book
from rendezvous.rooms.effects import SeekRoom
from rendezvous.rooms.entries import HeldResume, Peer, Room
from rendezvous.rooms.facts import ResumeDue, ResumeKey
from rendezvous.rooms.sessions import Event, Role, Session, State
from rendezvous.wire.identity import RoomId, SessionId
from rendezvous.wire.messages import ErrorCode, Resume

CAME_BACK = "The same member came back on a new connection."


def resume(book: Book, peer: Peer, message: Resume) -> None:
    """Binds the member to its session again, or holds the resume for the other member's."""
    if peer.role is Role.VIEWER and peer.session == message.session:
        book.refuse(peer, ErrorCode.NOT_ALLOWED, "This session is already yours here.")
    elif peer.room not in (None, message.room) or (peer.role is Role.VIEWER and peer.session):
        _refuse(book, peer, message.session)
    else:
        session = book.sessions.get(SessionId(message.session))
        if session is None:
            _hold(book, peer, message)
        else:
            _return(book, peer, session, message)


def _refuse(book: Book, peer: Peer, session: str) -> None:
    book.refuse(peer, ErrorCode.SESSION_UNKNOWN, UNKNOWN, session=session)
    if peer.far is not None:
        book.unseat(peer)


def _role(peer: Peer) -> Role:
    return Role.CAMERA if peer.role is Role.CAMERA else Role.VIEWER


def _return(book: Book, peer: Peer, session: Session, message: Resume) -> None:
    named = session.room == message.room and hmac.compare_digest(session.secret, message.secret)
    if not named or session.state is not State.ANSWERED:
        _refuse(book, peer, message.session)
        return
    if _role(peer) is Role.VIEWER:
        _take_viewer_place(book, peer, session)
        happening = Happening(session, Event.VIEWER_BACK, peer)
    else:
        happening = Happening(session, Event.CAMERA_BACK, peer)
    conversations.happen(book, happening)


def _take_viewer_place(book: Book, peer: Peer, session: Session) -> None:
    # The earlier connection may be half open: the server learns last that it is dead.
    earlier = book.member(session, Role.VIEWER)
    if earlier is not None:
        earlier.session = None
        connections.expel(book, earlier, ErrorCode.SUPERSEDED, CAME_BACK)
    book.stop_waiting(peer)
    book.let_all_go(peer)  # what it asked for before may be in another room
    book.bind(peer, Role.VIEWER, book.rooms[session.room])
    peer.session = session.id


# ── after a restart ──────────────────────────────────────────────────────────────────────────


def _hold(book: Book, peer: Peer, message: Resume) -> None:
    role = _role(peer)
    key = (RoomId(message.room), SessionId(message.session), message.secret)
    if key in peer.held:
        return
    if len(peer.held) >= (book.limits.viewers_per_room if role is Role.CAMERA else 1):
        _refuse(book, peer, message.session)
        return
    _replace_earlier(book, key, role)
    # Held or not, the time for strangers is bounded from when it came: no resume prolongs it twice.
    limits = book.limits
    peer.admit_by = max(peer.admit_by, peer.stranger_since + limits.unadmitted + limits.resume_hold)
    held = book.resumes.setdefault(key, {})
    held[role] = HeldResume(peer.id, role, book.now + limits.resume_hold)
    peer.held.add(key)
    if len(held) == len(Role):
        _pair(book, key)
    elif book.node is not None and role is Role.VIEWER and not _here(book, key[0]):
        book.effects.append(SeekRoom(key[0]))


def _here(book: Book, room_id: RoomId) -> bool:
    room = book.rooms.get(room_id)
    return room is not None and room.camera is not None


def _replace_earlier(book: Book, key: ResumeKey, role: Role) -> None:
    # The same member on a new connection: nobody else knows the secret. The one that it had
    # before may be half open, and must not be paired with the other member.
    earlier = book.resumes.get(key, {}).get(role)
    if earlier is not None:
        connections.expel(book, book.peers[earlier.connection], ErrorCode.SUPERSEDED, CAME_BACK)


def _pair(book: Book, key: ResumeKey) -> None:
    camera, viewer = (book.let_go(key, role) for role in (Role.CAMERA, Role.VIEWER))
    if _has_place(book, viewer, book.rooms[key[0]]):
        _rebuild(book, key, camera, viewer)
        return
    for peer in (camera, viewer):
        _refuse(book, peer, key[1])


def _has_place(book: Book, viewer: Peer, room: Room) -> bool:
    taken = room.places_taken - (viewer.id in room.waiting)
    return viewer.session is None and taken < book.limits.viewers_per_room


def _rebuild(book: Book, key: ResumeKey, camera: Peer, viewer: Peer) -> None:
    room_id, session_id, secret = key
    book.stop_waiting(viewer)
    book.bind(viewer, Role.VIEWER, book.room(room_id))
    members = {Role.CAMERA: camera.id, Role.VIEWER: viewer.id}
    policy = book.policy_of(room_id)
    session = Session(session_id, secret, room_id, dict(members), policy, State.ANSWERED)
    conversations.remember(book, session)
    for role in Role:
        tell_resumed(book, session, role)


def due(book: Book, fact: ResumeDue) -> None:
    """A resume whose other member did not come is answered."""
    held = book.resumes.get(fact.key, {}).get(fact.role)
    if held is not None and held.until <= book.now:
        _refuse(book, book.let_go(fact.key, fact.role), fact.key[1])
