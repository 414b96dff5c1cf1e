"""A viewer's conversation: joining a room, waiting for its camera, going away."""

from rendezvous.rooms import conversations
from rendezvous.rooms.actions import Happening, wait
from rendezvous.rooms.admission import RefusalError, may_join, require_entry, require_room_id
from rendezvous.rooms.book import Book, Peer, Room
from rendezvous.rooms.effects import LookUpRoom
from rendezvous.rooms.facts import RoomLookedUp, WaitDue
from rendezvous.rooms.sessions import Event, Role
from rendezvous.wire.identity import RoomId
from rendezvous.wire.messages import End, EndReason, ErrorCode, Join

ROOM_UNKNOWN = "There is no such room, or this link is wrong."


def join(book: Book, peer: Peer, message: Join) -> None:
    """Asks the store about the room, known or not: the answer must not tell them apart."""
    try:
        require_entry(peer, Role.VIEWER, message.room)
        require_room_id(message.room)
    except RefusalError as refusal:
        book.refuse(peer, refusal.code, str(refusal))
    else:
        book.effects.append(LookUpRoom(peer.id, message))


def looked_up(book: Book, peer: Peer, fact: RoomLookedUp) -> None:
    """Admits the viewer if its proof is right and there is a place."""
    verifier = _verifier(book, fact)
    if not may_join(fact.join, peer, known=fact.known, verifier=verifier):
        book.refuse(peer, ErrorCode.ROOM_UNKNOWN, ROOM_UNKNOWN)
        return
    leave(book, peer)
    peer.proven = verifier
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


def _verifier(book: Book, fact: RoomLookedUp) -> str | None:
    # The camera may have claimed with another one after the store was read for this viewer.
    room = book.rooms.get(RoomId(fact.join.room))
    return fact.verifier if room is None or room.camera is None else room.verifier


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
    book.stop_waiting(peer)


def gone(book: Book, peer: Peer) -> None:
    """The viewer's connection is no more."""
    if peer.session is not None:
        session = book.sessions[peer.session]
        conversations.happen(book, Happening(session, Event.VIEWER_GONE, peer))
    book.stop_waiting(peer)


def turn_away(book: Book, peer: Peer) -> None:
    """Who waited does so no longer, and learns no more than somebody who never might."""
    book.stop_waiting(peer)
    book.refuse(peer, ErrorCode.ROOM_UNKNOWN, ROOM_UNKNOWN)
    book.unseat(peer)


def wait_due(book: Book, fact: WaitDue) -> None:
    """A viewer that has waited for long enough is told; its place is free."""
    room, peer = book.rooms.get(fact.room), book.peers.get(fact.viewer)
    if peer is not None and room is not None and peer.id in room.waiting:
        turn_away(book, peer)
