"""What a source is to the rest of the publisher.

A source blocks: it is opened, read and closed by one reader thread of its own, never by the event
loop. It does not retry; the supervisor does.
"""

from collections.abc import Iterator
from typing import Protocol

from publisher.media.packets import Packet, Stream


class OpenSource(Protocol):
    """A camera that answers. The thread that opened it closes it, also after an error."""

    @property
    def streams(self) -> tuple[Stream, ...]:
        """What the camera sends: at most one video and one audio stream."""

    def packets(self) -> Iterator[Packet]:
        """Coded media as it arrives, in real time; raises SourceError when it stops coming.

        Blocks for a few seconds at the most.
        """

    def interrupt(self) -> None:
        """Makes ``packets`` end soon; for any thread."""

    def close(self) -> None:
        """Lets go of the camera; for the reading thread, after ``packets`` has ended."""


class Source(Protocol):
    """A camera that may be there or not."""

    @property
    def name(self) -> str:
        """How to call it in front of people: the address without user name and password."""

    def open(self) -> OpenSource:
        """Connects; blocks for a few seconds at the most. Raises SourceError."""
