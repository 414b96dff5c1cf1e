"""Whether a viewer's path is too thin for the stream, and what it may be given then.

A camera's H.264 passes as it is, so nothing can be made smaller. On a thin path the pictures leave
at its pace, and whenever a key frame waits it is the next: what lies between is left out. That is
fewer pictures a second; all of them at once would be none, for every loss spoils those that follow.
"""

from math import inf
from typing import Final

from publisher.rtc.reception import Reception

MOST_LATE: Final = 2_000_000  # µs of a picture that is still sent; the pictures after it are not
_EVIDENCE_SECONDS: Final = 1.0  # a way that is congested for a moment is not thin
_PRESSED_SECONDS: Final = 10.0  # after a way has last refused packets
_WINDOW_SECONDS: Final = 2.0  # of the stream's rate: most have a key frame in it
_TIGHT: Final = 0.8  # of the stream's rate: an estimate below says that it does not fit
_LOSSY: Final = 0.25  # radio alone seldom loses more
_SLOW: Final = 1.0  # second of a round trip: no way is so long, something waits there

_SHARE: Final = 0.85  # of the estimate, to begin with: so that what waits on the way gets less
_STEP_SECONDS: Final = 1.0  # answers to our reports come as often
_EFFECT_SECONDS: Final = 4.0  # until what waited has left, and they tell so
_UP, _NEAR_UP, _DOWN = 1.1, 1.03, 0.75  # each step; four times as much takes 15 s
_NEAR: Final = (0.7, 1.1)  # of the pace at which something waited
_SHORT, _LONG = 0.08, 0.25  # seconds that packets wait on the way: there is room; there is none
_LEAST: Final = 4_000.0  # bytes/s


class Pace:
    """What a thin path is given, in bytes/s: more while nothing waits on it, otherwise less.

    Receivers' estimates recover too slowly for that: Chromium's may stay for a quarter of a minute
    at half of what the path carries.
    """

    def __init__(self, now: float, carried: float) -> None:
        self.rate = max(_LEAST, _SHARE * carried)
        self._limit = 0.0
        self._next = now + _EFFECT_SECONDS

    def step(self, now: float, carried: float, reception: Reception) -> None:
        """For each report: ``carried`` is what the receiver thinks that the path carries."""
        if now < self._next:
            return
        self._next = now + _STEP_SECONDS
        if reception.waits > _LONG or reception.loss > _LOSSY:
            self._limit = self.rate
            # Not by much less than it carries, if it is only the radio that loses so many.
            self.rate = max(self.rate * _DOWN, carried / 2, _LEAST)
            self._next = now + _EFFECT_SECONDS
        elif reception.waits < _SHORT:
            low, high = (factor * self._limit for factor in _NEAR)
            self.rate *= _NEAR_UP if low < self.rate < high else _UP


class Thinning:
    """Judges a path by what its receiver reports and by whether it takes packets.

    ``now`` is in seconds of the monotonic clock, rates are in bytes/s.
    """

    def __init__(self) -> None:
        self.active = False
        """Whether the path is too thin."""
        self.rate = inf
        """What the path may be given; infinite where it is wide, or shows itself what it takes."""
        self._since: float | None = None  # there is evidence
        self._pace: Pace | None = None
        self._pressed_until = -inf
        self._window: tuple[float, int] | None = None
        self._needed = 0.0

    def press(self, now: float) -> None:
        """The path has refused packets for long: it sets the pace, better than any estimate."""
        self._pressed_until = now + _PRESSED_SECONDS
        self._since = self._pace = None
        self._conclude(pressed=True)

    def judge(self, now: float, octets: int, estimate: int | None, reception: Reception) -> None:
        """To be called for each report: the stream's bytes until now, and what the receiver says.

        ``estimate`` is in bit/s. It proves nothing alone, because receivers believe in no more than
        half as much again as they get: a calm picture's is low. Nor does loss alone: radio loses
        packets and has room.
        """
        self._measure(now, octets)
        pressed = now < self._pressed_until
        if not pressed:
            carried = inf if estimate is None else estimate / 8
            if self._pace:
                self._go_on(self._pace, now, carried, reception)
            else:
                self._weigh(now, carried, reception)
        self._conclude(pressed=pressed)

    def _measure(self, now: float, octets: int) -> None:
        begin, before = self._window or (now, octets)
        if now - begin >= _WINDOW_SECONDS:
            self._needed = (octets - before) / (now - begin)
            begin, before = now, octets
        self._window = begin, before

    def _weigh(self, now: float, carried: float, reception: Reception) -> None:
        congested = reception.loss > _LOSSY or (reception.round_trip or 0.0) > _SLOW
        if not congested or carried > _TIGHT * self._needed:
            self._since = None
        elif self._since is None:
            self._since = now
        elif now - self._since >= _EVIDENCE_SECONDS:
            self._pace = Pace(now, carried)

    def _go_on(self, pace: Pace, now: float, carried: float, reception: Reception) -> None:
        pace.step(now, carried, reception)
        if pace.rate >= self._needed:
            self._since = self._pace = None

    def _conclude(self, *, pressed: bool) -> None:
        self.active = pressed or self._pace is not None
        self.rate = self._pace.rate if self._pace else inf
