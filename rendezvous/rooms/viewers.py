"""A viewer's conversation: joining a room, waiting for its camera, going away."""

from rendezvous.rooms import conversations
from rendezvous.rooms.actions import Happening, wait
from rendezvous.rooms.admission import RefusalError, may_join, require_room_id
from rendezvous.rooms.book import Book, Peer, Room
from rendezvous.rooms.effects import LookUpRoom
from rendezvous.rooms.facts import RoomLookedUp
from rendezvous.rooms.sessions import Event, Role
from rendezvous.wire.identity import RoomId
from rendezvous.wire.messages import End, EndReason, ErrorCode, Join

ROOM_UNKNOWN = "There is no such room, or this link is wrong."


def join(book: Book, peer: Peer, message: Join) -> None:
    """Asks the store about the room, known or not: the answer must not tell them apart."""
    if peer.role is Role.CAMERA or peer.room not in (None, message.room):
        book.refuse(peer, ErrorCode.NOT_ALLOWED, "One connection has one room and one role.")
        return
    try:
        require_room_id(message.room)
    except RefusalError as refusal:
        book.refuse(peer, refusal.code, str(refusal))
    else:
        book.effects.append(LookUpRoom(peer.id, message))


def looked_up(book: Book, peer: Peer, fact: RoomLookedUp) -> None:
    """Admits the viewer if its proof is right and there is a place."""
    if not may_join(fact.join, peer, known=fact.known, verifier=fact.verifier):
        book.refuse(peer, ErrorCode.ROOM_UNKNOWN, ROOM_UNKNOWN)
        return
    leave(book, peer)
    room = book.room(RoomId(fact.join.room))
    if room.places_taken >= book.limits.viewers_per_room:
        book.refuse(
            peer,
            ErrorCode.ROOM_FULL,
            f"All {book.limits.viewers_per_room} places of this room are taken.",
            retry_after=book.limits.room_full_retry,
        )
        book.tidy(room.id)
        return
    _enter(book, peer, room)


def _enter(book: Book, peer: Peer, room: Room) -> None:
    book.bind(peer, Role.VIEWER, room)
    if room.camera is None:
        wait(book, peer.id, room.id)
    else:
        conversations.begin(book, peer, room.id)


def leave(book: Book, peer: Peer) -> None:
    """A viewer that joins anew gives up the session or the wait that it had."""
    if peer.session is not None:
        session = book.sessions[peer.session]
        end = End(session=session.id, reason=EndReason.REPLACED)
        conversations.happen(book, Happening(session, Event.VIEWER_END, peer, end))
    _stop_waiting(book, peer)


def gone(book: Book, peer: Peer) -> None:
    """The viewer's connection is no more."""
    if peer.session is not None:
        session = book.sessions[peer.session]
        conversations.happen(book, Happening(session, Event.VIEWER_GONE, peer))
    _stop_waiting(book, peer)


def _stop_waiting(book: Book, peer: Peer) -> None:
    room = book.rooms.get(peer.room) if peer.room is not None else None
    if room is not None:
        room.waiting.pop(peer.id, None)
        book.tidy(room.id)


def give_up_waiting(book: Book, room: Room) -> None:
    """Viewers that have waited long enough are told; their place is free."""
    for viewer, until in tuple(room.waiting.items()):
        if until <= book.now:
            del room.waiting[viewer]
            book.refuse(book.peers[viewer], ErrorCode.ROOM_UNKNOWN, ROOM_UNKNOWN)
    book.tidy(room.id)
