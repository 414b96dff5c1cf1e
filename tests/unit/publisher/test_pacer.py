"""Live pictures leave at once; a backlog in portions, as fast as its viewer can take it."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from publisher.media.feed import VideoFeed
from publisher.media.rtp import BURST_BYTES, Burst, Packetiser
from publisher.media.units import AccessUnit
from publisher.rtc import pacer
from publisher.rtc.pacer import PAUSE_SECONDS, REFUSAL_SECONDS, VideoPacer
from publisher.rtc.stream import Outcome

FRAME = 1 / 30


class Timer:
    """A call that is due once."""

    def __init__(self, at: float, call: Callable[[], None]) -> None:
        self.at, self.call = at, call
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class Loop:
    """An event loop whose time stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0
        self.timers: list[Timer] = []

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, call: Callable[[], None]) -> Timer:
        self.timers.append(Timer(self.now + delay, call))
        return self.timers[-1]

    def move(self, seconds: float) -> None:
        end = self.now + seconds
        while due := [t for t in self.timers if t.at <= end]:
            timer = min(due, key=lambda t: t.at)
            self.timers.remove(timer)
            self.now = max(self.now, timer.at)
            if not timer.cancelled:
                timer.call()
        self.now = end


class Stream:
    """A stream that notes when how many bytes left."""

    head, tag = 24, 16

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self.estimate: int | None = None
        self.outcome = Outcome.SENT
        self.sent: list[tuple[float, int]] = []
        self.tries = 0
        self._burst: Burst | None = None

    def use(self, pts: int) -> int:
        return pts

    def send(self, burst: Burst, _timestamp: int) -> Outcome:
        self._burst = burst
        return self.go_on()

    def go_on(self) -> Outcome:
        assert self._burst
        self.tries += 1
        if self.outcome is Outcome.SENT:
            self.sent.append((self._loop.now, len(self._burst.data)))
        return self.outcome


class Rig:
    """A pacer at a loop of its own."""

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self.stream = Stream(loop)
        self.feed = VideoFeed()
        self._next = 0
        stream: Any = self.stream
        self.pacer = VideoPacer(self.feed, stream, Packetiser())

    def put(self, *sizes: int) -> None:
        for size in sizes:
            key = self._next == 0
            pts = round(self._next * FRAME * 1e6)
            self.feed.put(AccessUnit(b"\0\0\0\1\x65" + b"\x55" * size, pts, pts, key))
            self._next += 1

    @property
    def bytes(self) -> int:
        return sum(size for _, size in self.stream.sent)

    def most_within(self, seconds: float) -> int:
        """The most bytes that left in any time shorter than that."""
        sent = self.stream.sent
        return max(sum(n for t, n in sent if 0 <= t - begin < seconds - 1e-9) for begin, _ in sent)


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    loop = Loop()
    monkeypatch.setattr(asyncio, "get_running_loop", lambda: loop)
    made = Rig(loop)
    yield made
    made.pacer.close()


def test_a_live_picture_leaves_at_once_and_without_a_timer(rig: Rig) -> None:
    for number in range(1, 31):
        rig.put(8_000)
        assert len(rig.stream.sent) == number
        assert not rig.loop.timers
        rig.loop.move(FRAME)


def test_a_gop_that_comes_at_once_leaves_in_portions(rig: Rig) -> None:
    rig.put(60_000, *[8_000] * 149)
    assert rig.bytes <= BURST_BYTES
    rig.loop.move(0.3)
    assert not len(rig.feed)
    assert not rig.loop.timers
    assert rig.bytes > 60_000 + 149 * 8_000
    assert rig.most_within(PAUSE_SECONDS) <= BURST_BYTES


def test_no_two_bursts_pass_where_only_one_fits(rig: Rig) -> None:
    rig.put(200_000)
    rig.loop.move(0.1)
    assert rig.bytes > 200_000
    assert rig.most_within(PAUSE_SECONDS) <= BURST_BYTES


def test_pictures_that_come_in_between_wait_for_their_turn(rig: Rig) -> None:
    for _ in range(100):
        rig.put(20_000)
        rig.loop.move(PAUSE_SECONDS / 3)
    rig.loop.move(1.0)
    assert len(rig.stream.sent) == 100
    assert rig.most_within(PAUSE_SECONDS) <= BURST_BYTES


def test_a_backlog_follows_the_viewer_s_estimate(rig: Rig) -> None:
    rig.stream.estimate = 8_000_000
    rig.put(60_000, *[8_000] * 149)
    rig.loop.move(0.3)
    assert 0.4e6 < rig.bytes < 0.7e6  # at 16 Mbit/s
    rig.loop.move(1.0)
    assert not len(rig.feed)


def test_a_low_estimate_never_keeps_a_viewer_from_catching_up(rig: Rig) -> None:
    rig.stream.estimate = 100_000
    rig.put(60_000, *[8_000] * 149)
    rig.loop.move(4.0)  # of a GOP of five seconds
    assert len(rig.feed) < pacer.BACKLOG


def test_a_low_estimate_never_delays_a_live_picture(rig: Rig) -> None:
    rig.stream.estimate = 100_000
    for size in (60_000, 8_000, 8_000, 60_000):
        rig.put(size)
        rig.loop.move(FRAME)
        assert not len(rig.feed)
        assert not rig.loop.timers


def test_what_a_full_path_refuses_waits_for_it(rig: Rig) -> None:
    rig.put(8_000)
    rig.stream.outcome = Outcome.FULL
    rig.put(8_000, 8_000)
    rig.loop.move(REFUSAL_SECONDS * 0.9)
    rig.stream.outcome = Outcome.SENT
    rig.loop.move(2 * PAUSE_SECONDS)
    assert len(rig.stream.sent) == 3
    assert not rig.feed.dropped


def test_a_path_that_stays_full_costs_all_that_waits(rig: Rig) -> None:
    rig.put(8_000)
    rig.stream.outcome = Outcome.FULL
    rig.put(8_000, 8_000)
    rig.loop.move(REFUSAL_SECONDS * 1.1)
    assert rig.feed.gated
    assert rig.feed.dropped == 2
    assert not rig.loop.timers
    assert 10 < rig.stream.tries < 2 * REFUSAL_SECONDS / PAUSE_SECONDS


def test_a_path_that_is_gone_costs_all_that_waits_at_once(rig: Rig) -> None:
    rig.stream.outcome = Outcome.LOST
    rig.put(8_000)
    assert rig.feed.gated
    assert rig.feed.dropped == 1
    assert not rig.loop.timers


def test_who_has_closed_sends_nothing_more(rig: Rig) -> None:
    rig.put(60_000, 8_000)
    rig.pacer.close()
    before = rig.bytes
    rig.loop.move(1.0)
    rig.put(8_000)
    assert rig.bytes == before
