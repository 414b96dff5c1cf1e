"""Live pictures leave at once; a backlog in portions, as fast as its viewer can take it."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from publisher.media.feed import VideoFeed
from publisher.media.rtp import BURST_BYTES, Burst, Packetiser
from publisher.media.units import AccessUnit
from publisher.rtc import pacer
from publisher.rtc.pacer import PAUSE_SECONDS, PRESSED_SECONDS, REFUSAL_SECONDS, VideoPacer
from publisher.rtc.reception import Reception
from publisher.rtc.stream import Outcome

FRAME = 1 / 30
GOP = 1000


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
        self.reception = Reception()
        self.forgotten = 0
        self.at_once = False
        self.outcome = Outcome.SENT
        self.sent: list[tuple[float, int]] = []
        self.tries = 0
        self.used: list[int] = []
        self._burst: Burst | None = None

    def use(self, pts: int) -> int:
        self.used.append(pts)
        return pts

    def play_at_once(self, *, at_once: bool) -> None:
        self.at_once = at_once

    def forget(self) -> None:
        self.forgotten += 1

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
            key = self._next % GOP == 0
            pts = round(self._next * FRAME * 1e6)
            self.feed.put(AccessUnit(b"\0\0\0\1\x65" + b"\x55" * size, pts, pts, key))
            self._next += 1

    @property
    def sent_numbers(self) -> list[int]:
        """Of the pictures, in the order of their beginnings."""
        numbers = [round(pts / 1e6 / FRAME) for pts in self.stream.used]
        assert numbers == sorted(numbers)
        return numbers

    def thin_out(self, carried: int) -> None:
        """The receiver says for long enough that the path carries no more, in bytes/s."""
        self.stream.estimate = 8 * carried
        reception = self.stream.reception
        reception.round_trip, reception.loss = 1.2, 0.5
        for _ in range(120):
            reception.reports += 1
            self.put(8_000)
            self.loop.move(FRAME)
        reception.loss, reception._shortest = 0.1, 1.1
        assert self.stream.forgotten == 1
        assert self.stream.at_once

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


def test_a_path_that_was_full_for_long_gets_the_newest_key_frame(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(globals(), "GOP", 10)
    rig.put(8_000)
    rig.stream.outcome = Outcome.FULL
    for _ in range(25):
        rig.put(8_000)
        rig.loop.move(FRAME)
    assert 25 * FRAME > PRESSED_SECONDS
    rig.stream.outcome = Outcome.SENT
    rig.loop.move(0.1)
    assert rig.sent_numbers == [0, 1, 20, 21, 22, 23, 24, 25]
    assert (rig.feed.left_out, rig.feed.dropped) == (18, 0)


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


# ── a thin path ──────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def thin(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> Rig:
    """A path of 50 kB/s, and pictures of 240 kB/s with a key frame each second."""
    monkeypatch.setitem(globals(), "GOP", 30)
    rig.thin_out(50_000)
    return rig


def run(rig: Rig, seconds: float) -> None:
    for _ in range(round(seconds / FRAME)):
        rig.put(8_000)
        rig.loop.move(FRAME)


def test_a_thin_path_gets_the_first_pictures_of_each_gop(thin: Rig) -> None:
    before = len(thin.sent_numbers)
    run(thin, 10)
    sent = thin.sent_numbers[before:]
    keys = [n for n in sent if n % GOP == 0]
    assert keys == list(range(keys[0], sent[-1] + 1, GOP))
    assert len(keys) >= 9
    assert all(n % GOP == 0 or n - 1 in thin.sent_numbers for n in sent)
    assert thin.feed.left_out
    assert not thin.feed.dropped
    assert not thin.feed.gated


def test_a_thin_path_is_given_its_pace_and_no_more_at_once(thin: Rig) -> None:
    run(thin, 2)
    before, begin = thin.bytes, len(thin.stream.sent)
    run(thin, 4)
    rate = 0.85 * 50_000
    assert 0.8 * rate < (thin.bytes - before) / 4 < 1.1 * rate
    thin.stream.sent = thin.stream.sent[begin:]
    assert thin.most_within(0.1) < 0.15 * rate


def test_what_waits_on_a_thin_path_is_bounded(thin: Rig) -> None:
    for _ in range(20):
        run(thin, 1)
        assert len(thin.feed) <= 2 * GOP
        assert len([t for t in thin.loop.timers if not t.cancelled]) <= 1


def test_news_of_a_wider_path_do_not_wait_for_a_slow_one(thin: Rig) -> None:
    run(thin, 2)
    thin.stream.reception.round_trip = thin.stream.reception._shortest = 0.2
    for _ in range(40):
        thin.stream.reception.reports += 1
        run(thin, 1)
    before = len(thin.sent_numbers)
    run(thin, 1)
    assert len(thin.sent_numbers) - before == 30
    assert not thin.stream.at_once
    assert thin.stream.forgotten == 1


def test_a_path_is_judged_once_for_each_report(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    judged: list[float] = []
    monkeypatch.setattr(rig.pacer, "_judge", lambda: judged.append(1))
    rig.pacer._reports = rig.stream.reception.reports
    rig.put(*[8_000] * 10)
    assert not judged
