"""A camera's lease: while it is kept its room is served here; when it is over, nothing new begins.

The node goes by its own clock and never by the hope that the store will answer: when the lease is
over another node may serve the room. Sockets stay, running sessions keep their messages, and the
camera is asked for a fresh claim as soon as the store is back.
"""

from itertools import islice

from rendezvous.rooms import cameras, conversations
from rendezvous.rooms.book import Book
from rendezvous.rooms.effects import SeekRoom
from rendezvous.rooms.entries import Room
from rendezvous.rooms.facts import LeaseDue, LeaseLost, LeasesRenewed, StoreReached
from rendezvous.rooms.letters import Overtaken
from rendezvous.rooms.sessions import State
from rendezvous.wire.messages import Challenge


def renewed(book: Book, fact: LeasesRenewed) -> None:
    """The store keeps these a while longer, as long as they are still those of our cameras."""
    for room_id, epoch in fact.epochs.items():
        room = book.rooms.get(room_id)
        if room is not None and room.camera is not None and room.epoch == epoch:
            room.until = fact.until
            if room.lapsed and fact.until > book.now:
                _return(book, room)


def _return(book: Book, room: Room) -> None:
    room.lapsed = False
    if room.camera is not None:
        book.peers[room.camera].challenged_at = None
    cameras.admit_waiting(book, room)


def lost(book: Book, fact: LeaseLost) -> None:
    """Somebody else has the room, or the store forgot: in either case it is not served here."""
    room = book.rooms.get(fact.room)
    if room is not None and room.camera is not None and room.epoch == fact.epoch:
        _lapse(book, room)
        book.effects.append(SeekRoom(room.id))


def overtaken(book: Book, letter: Overtaken) -> None:
    """Another node knows of a newer claim: what is said here does not reach that node's viewers.

    The camera's next claim, for which it is asked now, is above both.
    """
    room = book.rooms.get(letter.room)
    if room is not None and room.camera is not None and room.epoch < letter.epoch:
        room.epoch = letter.epoch
        _lapse(book, room)


def due(book: Book, fact: LeaseDue) -> None:
    """The lease was not renewed in time."""
    room = book.rooms.get(fact.room)
    if room is not None and room.camera is not None and room.until <= book.now:
        _lapse(book, room)


def _lapse(book: Book, room: Room) -> None:
    if not room.lapsed:
        room.lapsed = True
        for session in tuple(room.sessions.values()):
            if session.state is not State.ANSWERED:
                conversations.begin_anew(book, session)


def challenge(book: Book, _fact: StoreReached) -> None:
    """Asks cameras whose leases are over to claim again; some now, the others next time."""
    unasked = (
        camera
        for room in book.rooms.values()
        if room.lapsed and room.camera is not None
        if (camera := book.peers[room.camera]).challenged_at is None
    )
    for camera in tuple(islice(unasked, book.limits.challenges)):
        camera.nonce, camera.challenged_at = book.new_id(), book.now
        camera.check_at = book.now
        book.send(camera, Challenge(nonce=camera.nonce))
