"""At the edge: viewers of ours whose room's camera is connected to another node.

Their sockets stay our concern: greeting, pings, deadlines. Everything else they say goes to the
room's home, where they are viewers like any other; what the home tells them is checked and passed
on. What we overhear of their sessions is enough to move them when the room's home changes.
"""

from collections.abc import Callable
from typing import Any

from rendezvous.rooms import fencing
from rendezvous.rooms.actions import UNKNOWN, wait
from rendezvous.rooms.book import Book
from rendezvous.rooms.effects import Bind, Drop, LookUpRoom, Post, SeekRoom, Send
from rendezvous.rooms.entries import Peer, Room
from rendezvous.rooms.facts import AdriftDue, Home
from rendezvous.rooms.letters import (
    Closed,
    Dismissed,
    HandedOver,
    Left,
    Said,
    ToEdge,
    Told,
    Unseated,
)
from rendezvous.rooms.seats import Away
from rendezvous.rooms.sessions import Role
from rendezvous.wire.identity import NodeId, RoomId
from rendezvous.wire.messages import (
    Answer,
    Candidate,
    End,
    EndReason,
    ErrorCode,
    Join,
    Offer,
    Presence,
    Resume,
)

# ── there ────────────────────────────────────────────────────────────────────────────────────


def hand_over(
    book: Book,
    peer: Peer,
    room_id: RoomId,
    message: Join | Resume,
    home: Home,
    *,
    seated: bool = False,
) -> None:
    """The viewer is a member of the room at another node, as far as that node agrees."""
    if message.room != room_id:  # it would write one room's epoch into another
        book.effects.append(Drop("cross_room"))
        return
    seated = seated or not book.is_stranger(peer)
    leave(book, peer, replaced=isinstance(message, Join))
    room = book.room(room_id)
    room.epoch = max(room.epoch, home.epoch)
    place = Away(room.id, next(book.seats), home.node, room.epoch, seated)
    place.opened(message)
    peer.away = room.away[peer.id] = place
    if isinstance(message, Join):
        peer.join = message
    book.stop_waiting(peer)
    book.let_all_go(peer)
    letter = HandedOver(**_seat(peer, place, room.epoch), nonce=peer.nonce, message=message)
    book.effects.append(Post(home.node, letter))
    if len(room.away) == 1:
        book.effects.append(SeekRoom(room.id))


def _seat(peer: Peer, place: Away, epoch: int) -> dict[str, Any]:
    return {"room": place.room, "epoch": epoch, "connection": peer.id, "seat": place.seat}


def pass_on(book: Book, peer: Peer, message: Offer | Answer | Candidate | End | Resume) -> None:
    """The viewer speaks to its room."""
    place = peer.away
    if place is None or place.node is None:
        book.effects.append(Drop("to_absent_member"))
        return
    if isinstance(message, Resume):
        if message.room != place.room:
            book.refuse(peer, ErrorCode.SESSION_UNKNOWN, UNKNOWN, session=message.session)
            return
        place.opened(message)
    elif isinstance(message, End) and message.session == place.session:
        place.forget()
    said = Said(**_seat(peer, place, book.newest(place.room)), message=message)
    book.effects.append(Post(place.node, said))


def leave(book: Book, peer: Peer, *, replaced: bool = False) -> None:
    """The viewer has no place at another node any more, if it had one."""
    place = peer.away
    if place is not None and place.node is not None:
        if replaced and place.session is not None:
            pass_on(book, peer, End(session=place.session, reason=EndReason.REPLACED))
        left = Left(**_seat(peer, place, book.newest(place.room)))
        book.effects.append(Post(place.node, left))
    book.come_back(peer)


# ── what the home says ───────────────────────────────────────────────────────────────────────


def read(book: Book, node: NodeId, letter: ToEdge) -> None:
    """Does what the home of one of our viewers wants, if it is still its home."""
    peer = book.peers.get(letter.connection)
    place = peer.away if peer is not None else None
    if peer is None or place is None or place.seat != letter.seat:
        _overtaken(book, node, letter)
    elif place.room != letter.room or peer.room not in (None, letter.room):
        book.effects.append(Drop("cross_room"))
    elif place.node != node:
        book.effects.append(Drop("stale_epoch"))
    else:
        _READ[type(letter)](book, peer, place, letter)


def _overtaken(book: Book, node: NodeId, letter: ToEdge) -> None:
    book.effects.append(Drop("late"))
    if isinstance(letter, Told):  # it believes that the seat is taken
        left = Left(
            room=letter.room, epoch=letter.epoch, connection=letter.connection, seat=letter.seat
        )
        book.effects.append(Post(node, left))


def _told(book: Book, peer: Peer, place: Away, letter: Told) -> None:
    if not fencing.admits(book, place.room, letter.epoch):
        book.effects.append(Drop("stale_epoch"))
        return
    room = book.rooms[place.room]
    room.epoch = place.epoch = max(room.epoch, letter.epoch)
    place.heard(letter.message)
    if letter.bound and not (place.seated and peer.room):
        peer.role, peer.room, place.seated = Role.VIEWER, place.room, True
        book.effects.append(Bind(peer.id, place.room))
    bound = place.room if letter.bound else None
    book.effects.append(Send(peer.id, letter.message, bound))


def _unseated(book: Book, peer: Peer, _place: Away, _letter: Unseated) -> None:
    seated = not book.is_stranger(peer)
    book.come_back(peer)
    if seated:
        book.unseat(peer)


def _closed(book: Book, peer: Peer, _place: Away, _letter: Closed) -> None:
    book.close(peer)


def _dismissed(book: Book, peer: Peer, _place: Away, _letter: Dismissed) -> None:
    set_adrift(book, peer)


_READ: dict[type[ToEdge], Callable[[Book, Peer, Away, Any], None]] = {
    Told: _told,
    Unseated: _unseated,
    Closed: _closed,
    Dismissed: _dismissed,
}


# ── adrift ───────────────────────────────────────────────────────────────────────────────────


def set_adrift(book: Book, peer: Peer) -> None:
    """The viewer's home is lost: it waits here, or its session does, until another is found."""
    place = peer.away
    if place is None or place.node is None:
        return
    if place.resumption() is not None:
        place.node, place.seat = None, next(book.seats)
        place.until = book.now + book.limits.kept
        if place.session is not None and place.seated:  # else nobody has checked its secret yet
            book.tell(peer.id, place.room, Presence(session=place.session, present=False))
        book.effects.append(SeekRoom(place.room))
    else:
        _ask_again(book, peer, place)


def _ask_again(book: Book, peer: Peer, place: Away) -> None:
    join = peer.join_to(place.room)
    book.come_back(peer)
    if place.seated:
        wait(book, peer.id, place.room)
    elif join is not None:  # nobody has seen its proof yet
        book.effects.append(LookUpRoom(peer.id, join))


def due(book: Book, fact: AdriftDue) -> None:
    """The session has waited for its room's home for long enough; media may run on."""
    peer = book.peers.get(fact.viewer)
    place = peer.away if peer is not None else None
    if peer is None or place is None or place.until is None or place.until > book.now:
        return
    if place.session is not None and place.seated:
        end = End(session=place.session, reason=EndReason.CAMERA_GONE)
        book.tell(peer.id, place.room, end)
    book.come_back(peer)
    book.unseat(peer)


def move(book: Book, room: Room, home: Home) -> None:
    """Another node is the room's home, or the same under a newer claim."""
    for peer in [book.peers[viewer] for viewer in room.away]:
        place = peer.away
        if place is None or (place.node == home.node and _settled(place, home)):
            continue
        message = place.resumption() or peer.join_to(room.id)
        if message is not None:
            hand_over(book, peer, room.id, message, home)


def _settled(place: Away, home: Home) -> bool:
    # The home tells each viewer that it has of a new claim, before it tells us. Who was told
    # nothing is not known there: its hand-over was refused as overtaken, or it was forgotten.
    return place.epoch >= home.epoch


def come_home(book: Book, room_id: RoomId) -> list[tuple[Peer, Resume]]:
    """The room's camera is connected here now: so are the places of our own viewers.

    Those that had no running session wait for it; the others are returned, to resume theirs.
    """
    room = book.rooms.get(room_id)
    peers = [book.peers[viewer] for viewer in room.away] if room is not None else []
    places = [(peer, peer.away, peer.join_to(room_id)) for peer in peers]
    for peer in peers:
        leave(book, peer)
    for peer, place, join in places:
        if place is not None and place.resumption() is None:
            _stay(book, peer, place, join)
    resumptions = ((peer, place.resumption()) for peer, place, _ in places if place is not None)
    return [(peer, message) for peer, message in resumptions if message is not None]


def _stay(book: Book, peer: Peer, place: Away, join: Join | None) -> None:
    if place.seated:
        book.room(place.room).waiting[peer.id] = book.now + book.limits.waiting
    elif join is not None:
        book.effects.append(LookUpRoom(peer.id, join))
