"""One clock for a camera that comes and goes.

A camera's timestamps start anywhere, jump when it restarts, and may be missing on the first
picture. A timeline maps them to microseconds that only grow, audio and video by the same offset,
so that lips stay in step and an RTP receiver never sees a jump back. It is tied to the monotonic
clock at the first packet and again whenever the camera's clock jumps. Slow drift is left alone:
a camera's crystal may lose seconds a day, and only jumps hurt a viewer.
"""

import logging

from publisher.media.packets import SECOND, Kind

logger = logging.getLogger(__name__)

MAX_STRAY = 3 * SECOND  # from one packet to the next; stalls and bursts of a network stay below


class Timeline:
    """Times for one camera; ``restart`` before each new connection to it."""

    def __init__(self) -> None:
        self._offset: int | None = None
        self._last: dict[Kind, int] = {}
        self._stray: dict[Kind, int] = {}
        self.jumps = 0

    def restart(self) -> None:
        """The camera was opened anew: its next timestamps have nothing to do with the last."""
        if self.jumps > 1:
            logger.warning("The camera's clock jumped %d times.", self.jumps)
        self.jumps = 0
        self._offset = None
        self._stray.clear()

    def place(self, kind: Kind, time: int | None, now: int, interval: int) -> int:
        """When a packet with this time of the camera's clock is due, in microseconds.

        ``now`` is the monotonic clock at arrival, ``interval`` what to step by when the packet
        has no time of its own (RTSP's first IDR has none until the first sender report).
        """
        due = self._due(kind, time, now, interval)
        due = max(due, self._last.get(kind, due - 1) + 1)
        self._last[kind] = due
        return due

    def _due(self, kind: Kind, time: int | None, now: int, interval: int) -> int:
        if time is None:
            return self._last.get(kind, now - interval) + interval
        if self._offset is None:
            self._offset = self._start(kind, now, interval) - time
        stray = now - time
        if abs(stray - self._stray.get(kind, stray)) > MAX_STRAY:
            self._tell_jump(stray - self._stray[kind])
            self._offset = max(now, self._last.get(kind, now) + interval) - time
            self._stray.clear()
        self._stray[kind] = stray
        return time + self._offset

    def _tell_jump(self, by: int) -> None:
        """Once for a connection: a clock that jumps again and again fills no log."""
        if self.jumps == 0:
            logger.warning("The camera's clock has jumped by %.1f s.", -by / SECOND)
        self.jumps += 1

    def _start(self, kind: Kind, now: int, interval: int) -> int:
        last = self._last.get(kind)
        if last is not None and now - last < 2 * interval:
            return last + interval  # right behind the pictures that had no time
        return now
