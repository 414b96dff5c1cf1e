"""How a stream arrives, by its receiver's reports (RFC 3550 §6.4)."""

from math import inf
from typing import Final

from aiortc.rtp import RtcpReceiverInfo

# Reports come with every NACK: what they say of single packets is noise.
_WINDOW_SECONDS: Final = 1.0
_MOST_REMEMBERED: Final = 32  # sender reports: half a minute of them


class Reception:
    """Loss and round trip. ``now`` is in seconds of the monotonic clock."""

    def __init__(self) -> None:
        self.reports = 0
        self.loss = 0.0
        """Of the packets on their first way, in the last second that is known of; 0 to 1."""
        self.round_trip: float | None = None
        """Seconds, with what waits on the way. aiortc loses sight of it where it is over a second,
        since it remembers but the last of its reports."""
        self._shortest = inf
        self._sent: dict[int, float] = {}
        self._begin: tuple[float, int, int] | None = None  # when, highest number, lost

    @property
    def waits(self) -> float:
        """Seconds of the last round trip that it did not always take."""
        return 0.0 if self.round_trip is None else self.round_trip - self._shortest

    def sent(self, moment: int, now: float) -> None:
        """A sender report of this NTP time left."""
        self._sent[(moment >> 16) & 0xFFFFFFFF] = now
        if len(self._sent) > _MOST_REMEMBERED:
            del self._sent[next(iter(self._sent))]

    def heard(self, report: RtcpReceiverInfo, now: float) -> None:
        """The receiver has reported of this stream."""
        self.reports += 1
        if (sent := self._sent.get(report.lsr)) is not None:
            self.round_trip = max(0.0, now - sent - report.dlsr / 65536)
            self._shortest = min(self._shortest, self.round_trip)
        self._note_loss(now, report.highest_sequence, report.packets_lost)

    def _note_loss(self, now: float, highest: int, lost: int) -> None:
        if self._begin is None:
            self._begin = now, highest, lost
        begin, first, before = self._begin
        if now - begin >= _WINDOW_SECONDS and highest > first:
            # Late packets are found again (§6.4.1), and duplicates make less than none lost.
            self.loss = min(1.0, max(0.0, (lost - before) / (highest - first)))
            self._begin = now, highest, lost
