"""What leaves when: live pictures at once, a backlog in portions.

There is no task and no timer while a viewer is live: publishing a picture sends it. Only a cached
GOP and large IDRs leave in portions, or they would overrun the receiver's socket.
"""

import asyncio
from collections import deque
from typing import Final

from publisher.media.feed import AudioFeed, VideoFeed
from publisher.media.rtp import BURST_BYTES, Burst, Packetiser
from publisher.rtc.stream import RtpStream

PAUSE_SECONDS: Final = 0.004  # after each 32 KiB: 65 Mbit/s, two megabytes in a quarter of a second


class VideoPacer:
    """Takes pictures from a feed as the stream's path lets them through."""

    def __init__(self, feed: VideoFeed, stream: RtpStream, packetiser: Packetiser) -> None:
        self._feed = feed
        self._stream = stream
        self._packetiser = packetiser
        self._bursts: deque[Burst] = deque()  # of the picture that is being sent
        self._timestamp = 0
        self._timer: asyncio.TimerHandle | None = None
        feed.hand_to(self._wake)

    def close(self) -> None:
        """Sends nothing more; idempotent."""
        self._feed.hand_to(_ignore)
        if self._timer:
            self._timer.cancel()

    def _wake(self) -> None:
        if self._timer is None:
            self._send()

    def _send(self) -> None:
        self._timer = None
        left = BURST_BYTES
        while left > 0 and (burst := self._next()):
            if not self._stream.send(burst, self._timestamp):
                self._bursts.clear()
                self._feed.dropped += 1
                self._feed.skip()
            left -= len(burst.data)
        if self._bursts or len(self._feed):
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(PAUSE_SECONDS, self._send)

    def _next(self) -> Burst | None:
        if not self._bursts:
            unit = self._feed.take()
            if unit is None:
                return None
            stream = self._stream
            self._bursts.extend(self._packetiser.bursts(unit, stream.head, stream.tag))
            self._timestamp = stream.use(unit.pts)
        return self._bursts.popleft()


class AudioPacer:
    """Sends each block of a feed at once; what the path does not take is lost."""

    def __init__(self, feed: AudioFeed, stream: RtpStream, packetiser: Packetiser) -> None:
        self._feed = feed
        self._stream = stream
        self._packetiser = packetiser
        feed.hand_to(self._send)

    def close(self) -> None:
        """Sends nothing more; idempotent."""
        self._feed.hand_to(_ignore)

    def _send(self) -> None:
        stream = self._stream
        while block := self._feed.take():
            timestamp = stream.use(block.pts)
            for burst in self._packetiser.bursts(block, stream.head, stream.tag):
                self._feed.dropped += not stream.send(burst, timestamp)


def _ignore() -> None:
    """Nobody takes anything any more; the feed's bounds do the rest."""
