"""At the home: viewers whose sockets are at other nodes, and what those nodes say for them.

A far viewer is an entry of the book like any other; ``Book`` posts to its edge what would go to a
socket. It is here only while it has a place, or a question that is not answered yet.
"""

from collections.abc import Callable
from typing import Any

from rendezvous.rooms import connections, conversations, fencing, resumes, viewers
from rendezvous.rooms.book import Book
from rendezvous.rooms.effects import Drop, Post
from rendezvous.rooms.entries import Peer
from rendezvous.rooms.letters import Dismissed, HandedOver, Left, Moved, Said, ToHome
from rendezvous.rooms.seats import Far
from rendezvous.wire.identity import NodeId
from rendezvous.wire.messages import Join, Resume


def read(book: Book, node: NodeId, letter: ToHome) -> None:
    """A viewer at that node wants something."""
    _READ[type(letter)](book, node, letter)


def _handed_over(book: Book, node: NodeId, letter: HandedOver) -> None:
    known = book.peers.get(letter.connection)
    foreign = known is not None and (known.far is None or known.far.node != node)
    if foreign or letter.message.room != letter.room:
        book.effects.append(Drop("cross_room"))
    elif not fencing.admits(book, letter.room, letter.epoch):
        _overtaken(book, node, letter)
    else:
        if known is not None:  # its edge has moved it to and fro
            let_go(book, known)
        _take_in(book, node, letter)


def _overtaken(book: Book, node: NodeId, letter: HandedOver | Said) -> None:
    book.effects.append(Drop("stale_epoch"))
    room = book.rooms.get(letter.room)
    if room is not None and room.camera is not None and book.node is not None:
        moved = Moved(room=room.id, epoch=room.epoch, node=book.node, owner=room.owner)
        book.effects.append(Post(node, moved))
    else:
        _dismiss(book, node, letter)


def _take_in(book: Book, node: NodeId, letter: HandedOver) -> None:
    peer = Peer(
        id=letter.connection,
        nonce=letter.nonce,
        origins=frozenset(),
        opened_at=book.now,
        stranger_since=book.now,
        admit_by=book.now,
        heard_at=book.now,
        greeted=True,
        far=Far(node, letter.room, letter.seat),
    )
    book.peers[peer.id] = peer
    if isinstance(letter.message, Join):
        viewers.join(book, peer, letter.message)
    else:
        resumes.resume(book, peer, letter.message)


def _said(book: Book, node: NodeId, letter: Said) -> None:
    peer = _viewer(book, node, letter)
    if peer is None:
        _dismiss(book, node, letter)
    elif _of_another_room(peer, letter):
        book.effects.append(Drop("cross_room"))
    elif not fencing.admits(book, letter.room, letter.epoch):
        _overtaken(book, node, letter)
    elif isinstance(letter.message, Resume):
        resumes.resume(book, peer, letter.message)
    else:
        conversations.spoken(book, peer, letter.message)


def _of_another_room(peer: Peer, letter: Said) -> bool:
    resumed = letter.message.room if isinstance(letter.message, Resume) else letter.room
    return peer.room not in (None, letter.room) or resumed != letter.room


def _left(book: Book, node: NodeId, letter: Left) -> None:
    peer = _viewer(book, node, letter)
    if peer is not None:
        let_go(book, peer)


def _viewer(book: Book, node: NodeId, letter: ToHome) -> Peer | None:
    peer = book.peers.get(letter.connection)
    seat = Far(node, letter.room, letter.seat)
    return peer if peer is not None and peer.far == seat else None


def _dismiss(book: Book, node: NodeId, letter: HandedOver | Said) -> None:
    book.effects.append(Drop("late"))
    dismissed = Dismissed(
        room=letter.room,
        epoch=book.newest(letter.room),
        connection=letter.connection,
        seat=letter.seat,
    )
    book.effects.append(Post(node, dismissed))


_READ: dict[type[ToHome], Callable[[Book, NodeId, Any], None]] = {
    HandedOver: _handed_over,
    Said: _said,
    Left: _left,
}


def let_go(book: Book, peer: Peer) -> None:
    """The viewer is not at its node any more, or that node is none."""
    try:
        connections.depart(book, peer)
    finally:  # a defect must not leave somebody in the book who is no more
        if peer.id in book.peers:
            book.forget(peer)


def dismiss(book: Book, peer: Peer) -> None:
    """The viewer's node is to find the room anew."""
    far = peer.far
    let_go(book, peer)
    if far is not None:
        epoch = book.newest(far.room)
        dismissed = Dismissed(room=far.room, epoch=epoch, connection=peer.id, seat=far.seat)
        book.effects.append(Post(far.node, dismissed))
