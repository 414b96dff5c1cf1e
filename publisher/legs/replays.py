"""How often a viewer may have the current GOP once more, and how much that may cost."""

from typing import Final

FIRST_SECONDS: Final = 0.5  # Chromium asks each 200 ms, until what we send has been decoded
MOST_SECONDS: Final = 4.0  # for one whose path cannot carry it at all
CALM_SECONDS: Final = 5.0  # without asking: then it starts over
UNPAID: Final = 3  # replays: with their pauses they outlast an outage of three seconds
SHARE: Final = 0.5  # of the stream's own bytes, over time: a viewer may never decode anything


class Replays:
    """A pause after each replay, twice as long as the last if the viewer soon asks again.

    Each must be paid by what the stream sends afterwards; before that there are a few more, for
    the first may be lost on the path that made them necessary.
    """

    def __init__(self) -> None:
        self._pause = FIRST_SECONDS
        self._next = 0.0
        self._debt = 0.0  # bytes
        self._size = 0  # of the last replay
        self.refused = 0

    def due(self, now: float) -> bool:
        """Whether to send it now, in seconds of the monotonic clock; if so, that is noted."""
        if now < self._next or self._debt > UNPAID * self._size:
            self.refused += 1
            return False
        calm = now - self._next > CALM_SECONDS
        self._pause = FIRST_SECONDS if calm else min(2 * self._pause, MOST_SECONDS)
        self._next = now + self._pause
        return True

    def spend(self, size: int) -> None:
        """So many bytes are replayed."""
        self._debt += size
        self._size = size

    def earn(self, size: int) -> None:
        """The stream itself has sent so many bytes."""
        self._debt = max(0.0, self._debt - SHARE * size)
