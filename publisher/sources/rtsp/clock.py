"""One clock for the streams of a camera, whose RTP timestamps begin anywhere (RFC 3550 §5.1).

A stream's time begins with what PLAY's answer said of it (RTP-Info), or with its first packet's
arrival. When sender reports have said how the streams belong together (§6.4.1), the others are
moved to the first one, the picture; itself it is never moved, so that it never stutters.
"""

import logging
from typing import Final

from publisher.media.packets import SECOND
from publisher.sources.rtsp.rtcp import SenderReport
from publisher.sources.rtsp.rtp import Unwrapper

logger = logging.getLogger(__name__)

MAX_CORRECTION: Final = 2 * SECOND  # below what a Timeline takes for a jump; more is nonsense
MIN_CORRECTION: Final = SECOND // 100  # reports waver by milliseconds, and sound is not to
MAX_LEAP: Final = 3 * SECOND  # of timestamps against arrival: the camera set its clock
_PLAUSIBLE: Final = SECOND  # between what RTP-Info says and arrival; cameras say much


class SessionClock:
    """The streams' clocks, the first of which leads; microseconds, beginning about now."""

    def __init__(self, now: int) -> None:
        """``now`` is the monotonic clock when the camera said that it plays."""
        self.origin = now
        self._streams: list[StreamClock] = []

    def stream(self, rate: int, start: int | None = None) -> "StreamClock":
        """For a stream of that clock rate; ``start`` is the timestamp that belongs to PLAY."""
        clock = StreamClock(self, rate, start)
        self._streams.append(clock)
        return clock

    def align(self) -> None:
        """After a report, or the beginning of a stream."""
        leader, *others = self._streams
        for other in others:
            other.follow(leader)


class StreamClock:
    """Turns one stream's timestamps into the session's time."""

    def __init__(self, session: SessionClock, rate: int, start: int | None) -> None:
        self._session = session
        self._rate = rate
        self._start = start
        self._timestamps = Unwrapper(32)
        self._offset: int | None = None
        self._placed = (0, 0)  # elapsed and arrival of the last packet
        self._report: tuple[int, int] | None = None  # elapsed, and the camera's clock then
        self._aligned = False

    def place(self, timestamp: int, now: int) -> int:
        """The session's time of a packet that arrives now."""
        if self._offset is None:
            self._begin(timestamp, now)
        elapsed = self._elapsed(timestamp)
        before, arrived = self._placed
        assert self._offset is not None  # noqa: S101  # tells the type checker
        if abs(elapsed - before) > MAX_LEAP + now - arrived:
            self._offset += before + now - arrived - elapsed
            self._report = None
        self._placed = elapsed, now
        return elapsed + self._offset

    def report(self, report: SenderReport) -> None:
        """The camera says when a timestamp was."""
        if report.ntp:
            self._report = self._elapsed(report.timestamp), report.microseconds
            self._session.align()

    def follow(self, leader: "StreamClock") -> None:
        """Takes the distance to the leader that both reports give, if that makes sense."""
        if not (self._report and leader._report):  # noqa: SLF001
            return
        if self._offset is None or leader._offset is None:  # noqa: SLF001
            return
        correction = leader._session_time() - self._session_time()  # noqa: SLF001
        if abs(correction) > MAX_CORRECTION:
            logger.debug("Sender reports %d ms apart are left alone.", correction // 1000)
        elif not self._aligned or abs(correction) >= MIN_CORRECTION:
            self._offset += correction
            self._aligned = True

    def _session_time(self) -> int:
        """The session's time when the camera's own clock was zero."""
        assert self._report and self._offset is not None  # noqa: S101, PT018
        elapsed, clock = self._report
        return elapsed + self._offset - clock

    def _begin(self, timestamp: int, now: int) -> None:
        elapsed = self._elapsed(timestamp)
        self._offset = now - elapsed
        if self._start is not None:
            ahead = (timestamp - self._start + (1 << 31)) % (1 << 32) - (1 << 31)
            stated = self._session.origin + ahead * SECOND // self._rate
            if abs(stated - now) < _PLAUSIBLE:
                self._offset = stated - elapsed
        self._placed = elapsed, now
        self._session.align()

    def _elapsed(self, timestamp: int) -> int:
        return self._timestamps.put(timestamp) * SECOND // self._rate
