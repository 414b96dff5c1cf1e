"""A viewer's conversation: joining a room, waiting for its camera, going away."""

from rendezvous.rooms import conversations
from rendezvous.rooms.actions import Happening, wait
from rendezvous.rooms.admission import RefusalError, may_join, require_entry, require_room_id
from rendezvous.rooms.book import Book
from rendezvous.rooms.effects import LookUpRoom
from rendezvous.rooms.entries import Peer, Room
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
        _turn_down(book, peer, refusal.code, str(refusal))
    else:
        _ask(book, peer, message)


def _ask(book: Book, peer: Peer, message: Join) -> None:
    room = book.rooms.get(RoomId(message.room))
    if peer.far is not None and room is not None and room.live(book.now):
        # Its own node has asked the store already, and nobody knows better than the camera.
        fact = RoomLookedUp(peer.id, message, known=True, verifier=room.verifier)
        looked_up(book, peer, fact)
    else:
        book.effects.append(LookUpRoom(peer.id, message, peer.seat))


def _turn_down(
    book: Book, peer: Peer, code: ErrorCode, sentence: str, *, retry_after: float | None = None
) -> None:
    book.refuse(peer, code, sentence, retry_after=retry_after)
    if peer.far is not None:
        book.unseat(peer)


def looked_up(book: Book, peer: Peer, fact: RoomLookedUp) -> None:
    """Admits the viewer if its proof is right and there is a place."""
    verifier = _verifier(book, fact)
    if not may_join(fact.join, peer, known=fact.known, verifier=verifier):
        _turn_down(book, peer, ErrorCode.ROOM_UNKNOWN, ROOM_UNKNOWN)
        return
    had_place = not book.is_stranger(peer)
    leave(book, peer)
    peer.join = fact.join
    room = book.room(RoomId(fact.join.room))
    if room.places_taken < book.limits.viewers_per_room:
        _enter(book, peer, room)
    else:
        _say_full(book, peer)
        if had_place:
            book.unseat(peer)
        book.tidy(room.id)


def _say_full(book: Book, peer: Peer) -> None:
    places = book.limits.viewers_per_room
    sentence = f"All {places} places of this room are taken."
    _turn_down(book, peer, ErrorCode.ROOM_FULL, sentence, retry_after=book.limits.room_full_retry)


def _verifier(book: Book, fact: RoomLookedUp) -> str | None:
    # The camera may have claimed with another one after the store was read for this viewer.
    room = book.rooms.get(RoomId(fact.join.room))
    return fact.verifier if room is None or room.camera is None else room.verifier


def _enter(book: Book, peer: Peer, room: Room) -> None:
    book.bind(peer, Role.VIEWER, room)
    if not room.live(book.now):
        wait(book, peer.id, room.id)
    else:
        conversations.begin(book, peer, room.id)


def leave(book: Book, peer: Peer) -> None:
    """A viewer that joins anew gives up the session or the wait that it had; it is not unseated."""
    if peer.session is not None:
        session = book.sessions[peer.session]
        peer.session, session.members[Role.VIEWER] = None, None
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
