"""Two daemons with one camera's key: they must not take its room from each other for ever.

The newest claim wins at once, for it may be the camera that lost its network. But when live
cameras take turns, whoever holds the room keeps it for a while, longer each time. Each node counts
what it sees: a camera of its own that was heard a moment ago and is superseded. A process that
claims anew, because its address has changed, takes turns with nobody.
"""

from rendezvous.rooms.book import Book, remember
from rendezvous.rooms.effects import Alert
from rendezvous.rooms.entries import Peer, Room, Takeovers
from rendezvous.wire.identity import RoomId

IN_TURNS = "Two cameras with the same key take turns at this room; stop one of them."

_HEARD = 1.5  # times the interval of pings: longer ago, and it may be half open


def count(book: Book, room: Room, earlier: Peer, by: Peer | None) -> None:
    """The room was taken from this camera; None: by one at another node."""
    if not _live(book, earlier) or (by is not None and _same(by, earlier)):
        return
    before = _in_a_row(book, room.id)
    remember(book.takeovers, room.id, Takeovers(before.times + 1, book.now))
    if before.times + 1 > book.limits.takeovers:
        book.effects.append(Alert(room.id, IN_TURNS))


def pause(book: Book, peer: Peer, room_id: RoomId) -> float:
    """Seconds until this camera may take the room from the one that holds it; 0: now."""
    room = book.rooms.get(room_id)
    holder = room.camera if room is not None else None
    if holder in (None, peer.id) or not _rivals(book, peer, book.peers[holder]):
        return 0.0
    taken = _in_a_row(book, room_id)
    return max(0.0, taken.last + _hold(book, taken.times) - book.now)


def _rivals(book: Book, peer: Peer, holder: Peer) -> bool:
    return _live(book, holder) and not _same(peer, holder)


def _same(one: Peer, other: Peer) -> bool:
    return one.instance is not None and one.instance == other.instance


def _live(book: Book, camera: Peer) -> bool:
    return book.now - camera.heard_at < _HEARD * book.limits.ping


def _in_a_row(book: Book, room_id: RoomId) -> Takeovers:
    taken = book.takeovers.get(room_id, Takeovers())
    return taken if book.now - taken.last < book.limits.takeover_memory else Takeovers()


def _hold(book: Book, times: int) -> float:
    limits, excess = book.limits, times - book.limits.takeovers
    hold = limits.hold * 2.0 ** min(excess - 1, 10)  # beyond 10 it is the longest anyway
    return min(limits.longest_hold, hold) if excess > 0 else 0.0
