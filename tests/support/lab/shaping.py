"""One direction of a link that is slow, far or lossy. Pure; time is told.

A virtual queue: what matters of the packets that wait is when the last of them will have left.
"""

import random
from typing import Final

from tests.support.lab.topology import Line

MOST_ON_THE_WAY: Final = 10_000  # packets of a line, whatever its delay


class Shaper:
    """Says of each packet when it arrives, or that it never does."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.on_the_way = 0
        """Packets that have not arrived; the caller counts them down."""
        self.most_waiting = 0.0
        """The longest that a packet has waited for its turn, in seconds."""
        self._chance = random.Random(line.seed)
        self._free_at = 0.0

    def admit(self, size: int, now: float) -> float | str:
        """Seconds until a packet of so many bytes arrives, or in one word why it does not."""
        line = self.line
        if line.loss and self._chance.random() < line.loss:
            return "loss"
        if self.on_the_way >= MOST_ON_THE_WAY:
            return "queue"
        waiting = max(0.0, self._free_at - now)
        if line.bits_per_second:
            if waiting * line.bits_per_second / 8 + size > line.queue_bytes:
                return "queue"
            self.most_waiting = max(self.most_waiting, waiting)
            waiting += 8 * size / line.bits_per_second
            self._free_at = now + waiting
        return waiting + line.delay
