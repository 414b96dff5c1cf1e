"""Fencing: nothing that was written under an older claim is delivered after a newer one was seen.

A lease can be believed by two nodes for a while; an epoch cannot be older and newer at once. So
the check is made where a message arrives, by whoever knows the newest epoch there.
"""

from rendezvous.rooms.book import Book
from rendezvous.wire.identity import RoomId


def admits(book: Book, room: RoomId, epoch: int) -> bool:
    """Whether what was written under this epoch may still be delivered or believed."""
    return epoch >= book.newest(room)
