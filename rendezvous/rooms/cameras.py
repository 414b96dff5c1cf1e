"""A camera's conversation: claiming its room, saying what it does, going away."""

from rendezvous.rooms import conversations
from rendezvous.rooms.actions import Happening
from rendezvous.rooms.admission import RefusalError, owner_of
from rendezvous.rooms.book import Book, Peer, Room
from rendezvous.rooms.effects import ClaimRoom, ReleaseRoom
from rendezvous.rooms.facts import RoomClaimed
from rendezvous.rooms.sessions import Event, Role
from rendezvous.wire.identity import RoomId
from rendezvous.wire.messages import Claim, Claimed, ErrorCode, Source


def claim(book: Book, peer: Peer, message: Claim) -> None:
    """Asks the store for the room, if the claim is in order."""
    if peer.role is Role.VIEWER or peer.room not in (None, message.room):
        book.refuse(peer, ErrorCode.NOT_ALLOWED, "One connection has one room and one role.")
        return
    try:
        owner = owner_of(message, peer)
    except RefusalError as refusal:
        book.refuse(peer, refusal.code, str(refusal))
    else:
        book.effects.append(ClaimRoom(peer.id, owner, message))


def claimed(book: Book, peer: Peer, fact: RoomClaimed) -> None:
    """The room is the camera's: an earlier connection goes, waiting viewers join."""
    room = book.room(RoomId(fact.claim.room))
    if room.camera not in (None, peer.id):
        _supersede(book, room)
    room = book.room(room.id)
    room.camera, room.epoch, room.source = peer.id, fact.epoch, fact.claim.source
    book.bind(peer, Role.CAMERA, room)
    book.tell(peer.id, room.id, Claimed(room=room.id, epoch=room.epoch, ttl=book.limits.kept))
    _tell_viewers(book, room, fact.claim.source)
    _await_resumes(book, room)
    _admit_waiting(book, room)


def _supersede(book: Book, room: Room) -> None:
    earlier = book.peers[room.camera]  # type: ignore[index]
    book.refuse(earlier, ErrorCode.SUPERSEDED, "The same camera claimed this room elsewhere.")
    gone(book, earlier, released=False)
    book.close(earlier)


def _await_resumes(book: Book, room: Room) -> None:
    # A camera that kept its sessions resumes them right after the claim; one that was started
    # anew never will, and its viewers need not sit out the whole time.
    for session in room.sessions.values():
        if session.members[Role.CAMERA] is None and session.deadline is not None:
            session.deadline = min(session.deadline, book.now + book.limits.resume_grace)


def _admit_waiting(book: Book, room: Room) -> None:
    waiting, room.waiting = room.waiting, {}
    for viewer in waiting:
        conversations.begin(book, book.peers[viewer], room.id)


def source(book: Book, peer: Peer, message: Source) -> None:
    """The camera says what it is doing; its viewers hear it."""
    if peer.role is not Role.CAMERA or peer.room is None:
        book.refuse(peer, ErrorCode.NOT_ALLOWED, "Only a camera that holds a room has a source.")
        return
    room = book.rooms[peer.room]
    room.source = message
    _tell_viewers(book, room, message)


def _tell_viewers(book: Book, room: Room, message: Source) -> None:
    for session in room.sessions.values():
        viewer = session.members[Role.VIEWER]
        if viewer is not None:
            book.tell(viewer, room.id, message)


def gone(book: Book, peer: Peer, *, released: bool = True) -> None:
    """The camera's connection is no more: viewers wait, running sessions are kept."""
    room = book.rooms[peer.room]  # type: ignore[index]
    room.camera = None
    if released:
        book.effects.append(ReleaseRoom(room.id, room.epoch))
    for session in tuple(room.sessions.values()):
        if session.members[Role.CAMERA] == peer.id:
            conversations.happen(book, Happening(session, Event.CAMERA_GONE, peer))
    book.tidy(room.id)
