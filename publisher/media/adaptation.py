"""The bit rate of an encoder that several viewers share, by what their paths carry."""

from collections.abc import Iterable
from typing import Final

_BITS_PER_PIXEL: Final = 0.1  # what libx264 needs in a hurry for a picture that nobody complains of
_LEAST, _MOST = 300_000, 8_000_000  # bit/s, whatever the size of the picture
_LEAST_SHARE: Final = 0.25  # of the most: below that a picture is not worth its path
_BELOW: Final = 0.85  # of what a path carries: room for sound, and for what has queued already
_STEP_UP: Final = 1.25  # at once: an estimate grows with what is sent, not before
_CALM_SECONDS: Final = 4.0  # without a step down before the next step up


def most_bit_rate(width: int, height: int, frame_rate: float) -> int:
    """The rate at which a picture of this size looks well, bit/s."""
    return round(min(max(_BITS_PER_PIXEL * width * height * frame_rate, _LEAST), _MOST))


class BitRate:
    """Falls at once with the slowest path that is worth it, and rises slowly."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._least = round(_LEAST_SHARE * most)
        self._changed = float("-inf")
        self.value = most

    def adapt(self, estimates: Iterable[int], sent: int, now: float) -> int:
        """The rate from now on, bit/s.

        ``estimates`` are what the viewers' paths carry, ``sent`` what the encoder has made of
        late, both in bit/s; ``now`` in seconds of a monotonic clock. A path that cannot carry
        even the least is no reason to spoil the picture of the others: its leg skips.
        """
        known = list(estimates)
        if not known:
            return self._rise(self.most, now)
        worth = (estimate for estimate in known if estimate >= self._least)
        lowest = min(worth, default=self._least)
        # Receivers estimate from what arrives: of a calm picture's few bits they say little.
        if lowest < min(self.value, sent):
            return self._use(max(round(_BELOW * lowest), self._least), now)
        return self._rise(lowest, now)

    def _rise(self, limit: int, now: float) -> int:
        if now - self._changed < _CALM_SECONDS or limit <= self.value:
            return self.value
        return self._use(min(round(_STEP_UP * self.value), limit, self.most), now)

    def _use(self, value: int, now: float) -> int:
        self.value = value
        self._changed = now
        return value
