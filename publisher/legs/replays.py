"""How often a viewer may have the current GOP once more."""

from typing import Final

FIRST_SECONDS: Final = 0.5  # Chromium asks each 200 ms, until what we send has been decoded
MOST_SECONDS: Final = 4.0  # for one whose path cannot carry it at all
CALM_SECONDS: Final = 5.0  # without asking: then it starts over


class Replays:
    """A pause after each replay, twice as long as the last if the viewer soon asks again."""

    def __init__(self) -> None:
        self._pause = FIRST_SECONDS
        self._next = 0.0
        self.refused = 0

    def due(self, now: float) -> bool:
        """Whether to send it now, in seconds of the monotonic clock; if so, that is noted."""
        if now < self._next:
            self.refused += 1
            return False
        calm = now - self._next > CALM_SECONDS
        self._pause = FIRST_SECONDS if calm else min(2 * self._pause, MOST_SECONDS)
        self._next = now + self._pause
        return True
