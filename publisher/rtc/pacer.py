"""What leaves when: live pictures at once, a backlog in portions.

There is no task and no timer while a viewer is live: publishing a picture sends it. Only a cached
GOP and large IDRs leave in portions, or they would overrun the receiver's socket. Where a path is
full the rest waits for it, encrypted as it is.
"""

import asyncio
from collections import deque
from collections.abc import Iterable
from math import inf
from typing import Final

from publisher.media.feed import AudioFeed, VideoFeed
from publisher.media.rtp import BURST_BYTES, Burst, Packetiser
from publisher.rtc.stream import Outcome, RtpStream
from publisher.rtc.thinning import MOST_LATE, Thinning

PAUSE_SECONDS: Final = 0.004  # after each 32 KiB: 65 Mbit/s, two megabytes in a quarter of a second
PRESSED_SECONDS: Final = 0.5  # of a path that stays full: it is too thin for the stream
REFUSAL_SECONDS: Final = 3.0  # then it is late enough for a new start
BACKLOG: Final = 5  # pictures that wait; fewer do behind a large IDR of a live stream
_MOST: Final = BURST_BYTES / PAUSE_SECONDS
_LOOK_SECONDS: Final = 0.25  # meanwhile the receiver may have said that there is more room
_STEP_SECONDS: Final = 0.02  # on a thin path: what leaves at once waits where others lose packets
_HEADROOM: Final = 2.0  # an estimate grows with what is sent, not before


class Portion:
    """At most 32 KiB leave until there was a pause, so in no pause's time more than that."""

    def __init__(self) -> None:
        self._bytes = 0
        self._last = -inf

    def take(self, size: int, rate: float, now: float) -> float:
        """Seconds until so many bytes may leave; when 0 they do, and it is noted.

        ``rate`` is in bytes/s, ``now`` in seconds. A pause has no shorter time than a portion.
        """
        pause = max(PAUSE_SECONDS, self._bytes / rate)
        if now - self._last >= pause:
            self.renew()
        if self._bytes and self._bytes + size > rate * PAUSE_SECONDS:
            return self._last + pause - now
        self._bytes += size
        self._last = now
        return 0.0

    def renew(self) -> None:
        """The pause is over."""
        self._bytes = 0


class VideoPacer:
    """Takes pictures from a feed as the stream's path lets them through."""

    def __init__(self, feed: VideoFeed, stream: RtpStream, packetiser: Packetiser) -> None:
        self._feed = feed
        self._stream = stream
        self._packetiser = packetiser
        self._loop = asyncio.get_running_loop()
        self._bursts: deque[Burst] = deque()  # of the picture that is being sent
        self._timestamp = 0
        self._portion = Portion()
        self._thinning = Thinning()
        self._thin = False
        self._most = _MOST
        self._reports = 0
        self._full_since: float | None = None
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

    def _renew(self) -> None:
        self._portion.renew()
        self._send()

    def _send(self) -> None:
        """As much as may leave now; a timer sends the rest."""
        self._timer = None
        if self._stream.reception.reports != self._reports:
            self._judge()
        while self._fill():
            if self._full_since is None:
                pause = self._portion.take(len(self._bursts[0].data), self._rate, self._loop.time())
                if pause > _LOOK_SECONDS:
                    self._timer = self._loop.call_later(_LOOK_SECONDS, self._send)
                    return
                if pause > 0:
                    self._timer = self._loop.call_later(pause, self._renew)
                    return
            if self._pass_on() is Outcome.FULL:
                self._timer = self._loop.call_later(PAUSE_SECONDS, self._send)
                return

    def _fill(self) -> bool:
        """Whether there is anything to send."""
        if self._bursts:
            return True
        unit = self._feed.take_latest(MOST_LATE) if self._thin else self._feed.take()
        if unit is None:
            return False
        stream = self._stream
        bursts = self._packetiser.bursts(unit, stream.head, stream.tag)
        self._bursts.extend(self._in_steps(bursts) if self._thin else bursts)
        self._timestamp = stream.use(unit.pts)
        return True

    def _in_steps(self, bursts: Iterable[Burst]) -> Iterable[Burst]:
        """As they may leave on a thin path."""
        if self._thinning.rate == inf:
            return bursts
        most = int(self._thinning.rate * _STEP_SECONDS)
        return (part for burst in bursts for part in burst.split(most))

    def _judge(self) -> None:
        stream, thinning = self._stream, self._thinning
        self._reports = stream.reception.reports
        thinning.judge(self._loop.time(), self._feed.octets, stream.estimate, stream.reception)
        self._follow()

    def _follow(self) -> None:
        """What has become of the path."""
        self._most = min(_MOST, self._thinning.rate)
        if self._thinning.active is self._thin:
            return
        self._thin = self._thinning.active
        # What was sent before was more than it carries; the next key frame makes it worthless.
        if self._thin:
            self._stream.forget()
        # Large pictures take their time there. A receiver that plans ahead takes that for a clock
        # that is slow: Chromium held back for ten seconds and more what it had.
        self._stream.play_at_once(at_once=self._thin)

    def _pass_on(self) -> Outcome:
        if self._full_since is None:
            outcome = self._stream.send(self._bursts[0], self._timestamp)
        else:
            outcome = self._stream.go_on()
        if outcome is Outcome.FULL and self._has_patience():
            return outcome
        self._full_since = None
        if outcome is Outcome.SENT:
            self._bursts.popleft()
            return outcome
        self._bursts.clear()
        self._feed.dropped += 1
        self._feed.skip()
        return Outcome.LOST

    def _has_patience(self) -> bool:
        now = self._loop.time()
        if self._full_since is None:
            self._full_since = now
        if now - self._full_since >= PRESSED_SECONDS:
            self._thinning.press(now)
            self._follow()
        return now - self._full_since < REFUSAL_SECONDS

    @property
    def _rate(self) -> float:
        """Of portions, in bytes/s: what the viewer's path carries, when more than a picture waits.

        Estimates of a calm picture's few bits say little, so it is never less than what the
        viewer needs to catch up.
        """
        most = self._most
        estimate = self._stream.estimate
        if estimate is None or len(self._feed) < BACKLOG:
            return most
        return min(_HEADROOM * max(estimate / 8, self._feed.rate), most)


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
                self._feed.dropped += stream.send(burst, timestamp) is not Outcome.SENT


def _ignore() -> None:
    """Nobody takes anything any more; the feed's bounds do the rest."""
