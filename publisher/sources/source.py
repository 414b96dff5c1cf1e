"""What a source is to the rest of the publisher.

A source blocks: it is opened, read and closed by one reader thread of its own. Only one that can be
watched is read by the event loop, once it is open. It does not retry; the supervisor does.
"""

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

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


@runtime_checkable
class WatchableSource(Protocol):
    """An OpenSource that may need no thread: the loop can watch its socket."""

    def watch(self) -> int | None:
        """What is readable when something has come; None: a thread has to read ``packets``."""

    def take(self) -> list[Packet]:
        """What has come, and what is due; never waits. Raises SourceError when it has ended.

        To be called once it is watched, whenever it is readable, and each second.
        """

    def close(self) -> None:
        """Lets go of the camera; never waits."""


class Source(Protocol):
    """A camera that may be there or not."""

    @property
    def name(self) -> str:
        """How to call it in front of people: the address without user name and password."""

    def open(self) -> OpenSource:
        """Connects; blocks for a few seconds at the most. Raises SourceError."""
