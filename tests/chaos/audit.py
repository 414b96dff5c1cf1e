"""What must be true of a node's book after every fact, whatever came before."""

from rendezvous.rooms.book import Book
from rendezvous.rooms.core import Core
from rendezvous.rooms.effects import Effect
from rendezvous.rooms.entries import Room
from rendezvous.rooms.facts import Fact


class AuditedCore(Core):
    """Raises AssertionError as soon as something is remembered of somebody who is gone."""

    def handle(self, fact: Fact, now: float) -> list[Effect]:
        """As ever, and looks at what it has left."""
        effects = super().handle(fact, now)
        for room in self.book.rooms.values():
            _audit(self.book, room)
        return effects


def _audit(book: Book, room: Room) -> None:
    peers = book.peers
    assert room.waiting.keys() <= peers.keys()
    assert room.away.keys() <= peers.keys()
    assert room.camera is None or room.camera in peers
    assert not room.deserted
    for session in room.sessions.values():
        assert book.sessions[session.id] is session
        assert all(member is None or member in peers for member in session.members.values())
