"""What a source is to the rest of the publisher.

A source blocks: it is opened, read and closed by one reader thread of its own, never by the event
loop. It does not retry; the supervisor does.
"""

from collections.abc import Iterator
from typing import Protocol

from publisher.media.packets import Packet, Stream


class OpenSource(Protocol):
    """A camera that answers. The one who opened it closes it, also after an error."""

    @property
    def streams(self) -> tuple[Stream, ...]:
        """What the camera sends: at most one video and one audio stream."""

    def packets(self) -> Iterator[Packet]:
        """Coded media as it arrives, in real time; raises SourceError when it stops coming."""

    def close(self) -> None:
        """Lets go of the camera; may be called twice, and by another thread to end a read."""


class Source(Protocol):
    """A camera that may be there or not."""

    @property
    def name(self) -> str:
        """How to call it in front of people: the address without user name and password."""

    def open(self) -> OpenSource:
        """Connects; blocks for a few seconds at the most. Raises SourceError."""
