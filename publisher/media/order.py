"""The order in which pictures are decoded, against the one in which they are shown.

Cameras say when a picture is shown and not when it is decoded, and FFmpeg's guess at the latter
is missing or wrong until it has decoded some pictures. So both are found here: whether there are
B-frames at all, and with them a decoding time for every picture.
"""

from bisect import insort
from collections import deque
from dataclasses import dataclass, replace

from publisher.media.packets import SECOND

_GLITCHES = 2  # pictures out of order that a camera may have without being said to have B-frames
_WATCHED = 10  # pictures: two B-frames between each two others have shown themselves by then
_MOST_DEPTH = 16  # pictures, H.264 §A.3.1 and H.265 §A.4.2
_JUMP = 3 * SECOND  # no order of pictures explains that: the camera's clock was set


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of the camera; times in microseconds, ``time`` of the camera's clock."""

    data: bytes
    key: bool
    b_slices: bool
    time: int | None
    now: int  # when it arrived, by the monotonic clock


@dataclass(frozen=True, slots=True)
class Ordered:
    """A picture with both its times of the camera's clock; None when that is not known."""

    picture: Picture
    dts: int | None
    delay: int  # from decoding to showing


class DecodingOrder:
    """Gives each picture the time of its decoding.

    Holds the first pictures until it is known how far they are out of order. B-frames are told
    from glitches by their slices, and by times that go back again and again.
    """

    def __init__(self, interval: int) -> None:
        self._interval = interval
        self._held: list[Picture] = []
        self._begun = False
        self._watch = _Watch()
        self._sorter = _Sorter(interval)

    @property
    def reordered(self) -> bool:
        """Whether there are B-frames."""
        return self._watch.depth > 0

    def expect(self, max_reorder: int | None) -> None:
        """What the parameter sets of the next picture say; None when they do not."""
        self._watch.expect(max_reorder)

    def put(self, picture: Picture) -> list[Ordered]:
        """Takes the next picture; returns those whose times are known now."""
        self._watch.see(picture)
        if self._begun:
            return [self._sort(picture)]
        self._held.append(picture)
        if not self._decided():
            return []
        self._begun = True
        held, self._held = self._held, []
        return [self._sort(picture) for picture in self._timed(held)]

    def _decided(self) -> bool:
        times = sum(picture.time is not None for picture in self._held)
        return self._watch.judged and (not self.reordered or times > self._watch.depth)

    def _timed(self, pictures: list[Picture]) -> list[Picture]:
        """Without time is RTSP's first IDR: it is shown just before the earliest of the others."""
        times = [picture.time for picture in pictures if picture.time is not None]
        if not self.reordered or pictures[0].time is not None:
            return pictures
        first = replace(pictures[0], time=min(times) - self._interval)
        return [first, *pictures[1:]]

    def _sort(self, picture: Picture) -> Ordered:
        depth = self._watch.depth
        if picture.time is None:
            return Ordered(picture, None, depth * self._interval)
        dts = self._sorter.put(picture.time, depth)
        return Ordered(picture, dts, picture.time - dts)


class _Watch:
    """Finds out how many pictures, at the most, come before one that is shown earlier."""

    def __init__(self) -> None:
        self._stated: int | None = None
        self._pictures = 0
        self._behind = 0
        self._seen_depth = 0
        self._times: deque[int] = deque(maxlen=_MOST_DEPTH)
        self.depth = 0

    @property
    def judged(self) -> bool:
        """Whether enough was seen to rely on ``depth``."""
        return self.depth > 0 or self._stated == 0 or self._pictures >= _WATCHED

    def expect(self, stated: int | None) -> None:
        """A camera that promises no B-frames is believed; one that permits itself some may not."""
        if stated == 0 and self._stated != 0:
            self._behind = self._seen_depth = self.depth = 0
        self._stated = stated

    def see(self, picture: Picture) -> None:
        self._pictures += 1
        if picture.time is None:
            return
        if self._times and abs(picture.time - self._times[-1]) > _JUMP:
            self._times.clear()
        if picture.b_slices:
            self._compare(picture.time)
        self._times.append(picture.time)

    def _compare(self, time: int) -> None:
        depth = sum(earlier > time for earlier in self._times)
        self._behind += depth > 0
        self._seen_depth = max(self._seen_depth, depth)
        if self._behind > _GLITCHES:
            self.depth = min(max(self._seen_depth, self._stated or 0), _MOST_DEPTH)


class _Sorter:
    """The n-th picture is decoded when the n-th earliest is shown, ``depth`` pictures before."""

    def __init__(self, interval: int) -> None:
        self._interval = interval
        self._waiting: list[int] = []

    def put(self, time: int, depth: int) -> int:
        if not depth:
            return time
        if len(self._waiting) != depth or abs(time - self._waiting[-1]) > _JUMP:
            self._waiting = [time - ahead * self._interval for ahead in range(depth, 0, -1)]
        insort(self._waiting, time)
        return self._waiting.pop(0)
