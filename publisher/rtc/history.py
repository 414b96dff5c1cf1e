"""What a viewer may ask for again: bounded by time and bytes, and so is how much it gets."""

import time
from bisect import bisect_right
from collections import deque
from typing import Final, NamedTuple

from publisher.media.rtp import Burst

HISTORY_SECONDS: Final = 2.0
HISTORY_BYTES: Final = 4 * 1024 * 1024  # 2 s at 16 Mbit/s
REPAIR_BYTES: Final = 512 * 1024  # resent at once: more than an IDR of 1080p at 8 Mbit/s
REPAIR_RATE: Final = 256 * 1024  # bytes/s beyond that: a fifth of 10 Mbit/s, or all of 2 Mbit/s
REPEAT_SECONDS: Final = 0.4  # at the most: Chromium asks ten times within a second, then no more
_MOST_REPEATED: Final = 1000  # packets, as many as one request of a browser names


class Sent(NamedTuple):
    """A burst that has left."""

    first: int  # of its packets, counted from the stream's first
    timestamp: int
    at: float  # Unix seconds
    burst: Burst


class History:
    """The bursts of the last seconds, in order of sending."""

    def __init__(self) -> None:
        self._sent: deque[Sent] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._sent)

    def add(self, sent: Sent) -> None:
        """Keeps a burst, and forgets what is over the bounds."""
        kept = self._sent
        kept.append(sent)
        self._bytes += len(sent.burst.data)
        while len(kept) > 1 and (
            self._bytes > HISTORY_BYTES or sent.at - kept[0].at > HISTORY_SECONDS
        ):
            self._bytes -= len(kept.popleft().burst.data)

    def find(self, count: int) -> Sent | None:
        """The burst with the packet of this number, counted from the stream's first."""
        place = bisect_right(self._sent, count, key=_first) - 1
        if place < 0:
            return None
        sent = self._sent[place]
        return sent if count - sent.first < len(sent.burst.packets) else None


def _first(sent: Sent) -> int:
    return sent.first


class RepairBudget:
    """Bytes that may be sent again: many at once, and few all the time."""

    def __init__(self) -> None:
        self._left: float = REPAIR_BYTES
        self._at = time.monotonic()

    def spend(self, size: int) -> bool:
        """Whether so many bytes may be sent now; if so, that is noted."""
        now = time.monotonic()
        self._left = min(REPAIR_BYTES, self._left + (now - self._at) * REPAIR_RATE)
        self._at = now
        if self._left < size:
            return False
        self._left -= size
        return True


class Repeats:
    """Which packets are on their way again.

    Receivers that only receive do not know how far away they are: Chromium asks every 100 ms. On a
    distant path each lost packet would be sent several times.
    """

    def __init__(self) -> None:
        self._at: dict[int, float] = {}

    def due(self, count: int, now: float, round_trip: float) -> bool:
        """Whether to send the packet again, in seconds of any clock; if so, that is noted."""
        last = self._at.get(count)
        if last is not None and now - last < min(round_trip, REPEAT_SECONDS):
            return False
        self._at.pop(count, None)
        self._at[count] = now
        if len(self._at) > _MOST_REPEATED:
            del self._at[next(iter(self._at))]
        return True
