"""Each viewer gets the current GOP and then everything, and slow ones lose only for themselves."""

import asyncio

import pytest

from publisher.media.fanout import FanOut
from publisher.media.feed import AudioFeed, VideoFeed
from publisher.media.gop import GopCache
from publisher.media.units import AacFrame, AccessUnit, AudioBlock


def unit(number: int, *, key: bool = False, size: int = 10) -> AccessUnit:
    data = bytes(size)
    return AccessUnit(data, number, number, key)


def block(number: int) -> AudioBlock:
    return AudioBlock(b"\x00", number, 48_000)


class Viewer:
    """A subscriber that keeps what it gets."""

    def __init__(self) -> None:
        self.pictures: list[int] = []
        self.sounds: list[int] = []
        self.frames: list[int] = []
        self.broken = False
        self.failed = 0

    def put_video(self, unit: AccessUnit) -> None:
        if self.broken:
            raise RuntimeError("no")
        self.pictures.append(unit.pts)

    def put_audio(self, block: AudioBlock) -> None:
        self.sounds.append(block.pts)

    def put_aac(self, frame: AacFrame) -> None:
        self.frames.append(frame.pts)

    def fail(self) -> None:
        self.failed += 1


def test_a_viewer_that_joins_late_gets_the_gop_from_its_idr() -> None:
    fan_out, viewer = FanOut(), Viewer()
    for number in range(25):
        fan_out.publish(unit(number, key=number % 10 == 0))
        fan_out.publish(block(number))
    fan_out.subscribe(viewer)
    fan_out.publish(unit(25))
    fan_out.publish(block(25))
    assert viewer.pictures == [20, 21, 22, 23, 24, 25]
    assert viewer.sounds == [25]


def test_who_has_left_gets_nothing() -> None:
    fan_out, viewer = FanOut(), Viewer()
    fan_out.subscribe(viewer)
    fan_out.unsubscribe(viewer)
    fan_out.unsubscribe(viewer)
    fan_out.publish(unit(0, key=True))
    assert viewer.pictures == []
    assert len(fan_out) == 0


def test_who_fails_is_dropped_and_told_and_the_others_go_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    fan_out, viewers = FanOut(), [Viewer(), Viewer(), Viewer()]
    for viewer in viewers:
        fan_out.subscribe(viewer)
    viewers[1].broken = True
    for number in range(3):
        fan_out.publish(unit(number, key=number == 0))
    assert [viewer.pictures for viewer in viewers] == [[0, 1, 2], [], [0, 1, 2]]
    assert [viewer.failed for viewer in viewers] == [0, 1, 0]
    assert len(fan_out) == 2
    assert "its session ends" in caplog.text


def test_who_fails_at_the_cached_gop_never_becomes_a_subscriber() -> None:
    fan_out, viewer = FanOut(), Viewer()
    fan_out.publish(unit(0, key=True))
    fan_out.publish(unit(1))
    viewer.broken = True
    fan_out.subscribe(viewer)
    assert (viewer.failed, len(fan_out)) == (1, 0)


def test_who_leaves_while_it_is_given_something_harms_nobody() -> None:
    fan_out, other = FanOut(), Viewer()

    class Leaver(Viewer):
        def put_video(self, _unit: AccessUnit) -> None:
            fan_out.unsubscribe(self)

    for viewer in (Leaver(), other, Leaver()):
        fan_out.subscribe(viewer)
    fan_out.publish(unit(0, key=True))
    assert other.pictures == [0]
    assert len(fan_out) == 1


def test_a_gop_over_its_bounds_is_given_up_until_the_next_idr() -> None:
    gop = GopCache(max_frames=3, max_bytes=1000)
    for number in range(5):
        gop.add(unit(number, key=number == 0))
    assert gop.units() == ()
    gop.add(unit(5, key=True, size=900))
    assert [u.pts for u in gop.units()] == [5]
    gop.add(unit(6, size=200))
    assert gop.units() == ()


def test_gops_that_are_too_long_are_told_once_for_a_source(
    caplog: pytest.LogCaptureFixture,
) -> None:
    gop = GopCache(max_frames=3)
    for number in range(40):
        gop.add(unit(number, key=number % 10 == 0))
    assert len(caplog.records) == 1
    gop.clear()
    for number in range(20):
        gop.add(unit(number, key=number == 0))
    assert len(caplog.records) == 2


async def test_a_feed_starts_at_an_idr() -> None:
    feed = VideoFeed()
    feed.put(unit(0))
    feed.put(unit(1, key=True))
    assert (await feed.get()).pts == 1
    assert feed.dropped == 1


async def test_a_feed_that_is_full_skips_to_the_next_idr_and_counts() -> None:
    feed = VideoFeed(max_frames=3)
    for number in range(6):
        feed.put(unit(number, key=number == 0))
    assert len(feed) == 0
    feed.put(unit(6, key=True))
    feed.put(unit(7))
    assert [(await feed.get()).pts, (await feed.get()).pts] == [6, 7]
    assert feed.dropped == 6


async def test_bytes_bound_a_feed_as_frames_do() -> None:
    feed = VideoFeed(max_bytes=100)
    feed.put(unit(0, key=True, size=60))
    feed.put(unit(1, size=60))
    assert len(feed) == 0
    assert feed.dropped == 2


async def test_who_waits_at_an_empty_feed_gets_the_next_unit() -> None:
    video, audio = VideoFeed(), AudioFeed()
    waiting = asyncio.gather(video.get(), audio.get())
    await asyncio.sleep(0)
    video.put(unit(3, key=True))
    audio.put(block(4))
    picture, sound = await waiting
    assert (picture.pts, sound.pts) == (3, 4)


async def test_an_overflow_before_the_reader_s_turn_leaves_it_waiting() -> None:
    feed = VideoFeed(max_frames=2)
    waiting = asyncio.create_task(feed.get())
    await asyncio.sleep(0)
    for number in range(3):
        feed.put(unit(number, key=number == 0))
    await asyncio.sleep(0)
    feed.put(unit(9, key=True))
    assert (await waiting).pts == 9


async def test_sound_that_nobody_takes_loses_its_oldest_blocks() -> None:
    feed = AudioFeed(max_blocks=2)
    for number in range(5):
        feed.put(block(number))
    assert [(await feed.get()).pts, (await feed.get()).pts] == [3, 4]
    assert feed.dropped == 3
