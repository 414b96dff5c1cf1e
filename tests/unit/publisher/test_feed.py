"""What a viewer's queue gives to a path that is too thin: never a picture without those before."""

import random

import pytest

from publisher.media.feed import VideoFeed
from publisher.media.units import AccessUnit

LATE = 2_000_000


def unit(number: int, *, key: bool = False) -> AccessUnit:
    return AccessUnit(b"\0\0\0\1\x65" + bytes(15), number * 100_000, number * 100_000, key)


def feed_with(*numbers: int, keys: tuple[int, ...]) -> VideoFeed:
    feed = VideoFeed()
    for number in numbers:
        feed.put(unit(number, key=number in keys))
    return feed


def taken(feed: VideoFeed) -> list[int]:
    found = []
    while picture := feed.take_latest(LATE):
        found.append(picture.pts // 100_000)
    return found


def test_what_is_in_time_goes_in_order() -> None:
    feed = feed_with(*range(10), keys=(0,))
    assert taken(feed) == list(range(10))
    assert not feed.left_out


def test_the_newest_key_frame_that_waits_goes_first() -> None:
    feed = feed_with(*range(10), keys=(0, 3, 6))
    assert taken(feed) == [6, 7, 8, 9]
    assert (feed.left_out, feed.dropped) == (6, 0)


def test_a_picture_that_is_too_late_takes_all_with_it_until_the_next_key_frame() -> None:
    feed = feed_with(*range(23), keys=(0,))
    assert feed.take_latest(LATE)
    assert not feed.take_latest(LATE)
    feed.put(unit(23))
    assert taken(feed) == []
    feed.put(unit(24, key=True))
    feed.put(unit(25))
    assert taken(feed) == [24, 25]
    assert (feed.left_out, feed.dropped) == (23, 0)


def test_a_key_frame_is_never_too_late() -> None:
    feed = feed_with(*range(30), keys=(0,))
    picture = feed.take_latest(LATE)
    assert picture
    assert picture.key


def test_who_only_waits_for_a_key_frame_wants_no_replay() -> None:
    feed = feed_with(*range(23), keys=(0,))
    taken(feed)
    gated = [feed.gated]
    feed.skip()
    feed.put(unit(23))
    assert [*gated, feed.gated] == [False, True]
    assert feed.dropped == 1


def test_bytes_of_what_was_left_out_are_room_again() -> None:
    feed = VideoFeed(max_bytes=100)
    for number in range(50):
        feed.put(unit(number, key=number % 2 == 0))
        if number % 3 == 0:
            feed.take_latest(LATE)
    assert not feed.dropped


def test_all_that_was_put_is_counted_once() -> None:
    feed = feed_with(*range(30), keys=(0, 5))
    assert feed.octets == 30 * 20
    assert len(taken(feed)) + feed.left_out == 30


@pytest.mark.parametrize("seed", range(20))
def test_no_picture_is_given_whose_predecessor_is_missing(seed: int) -> None:
    chance = random.Random(seed)
    feed, last, given = VideoFeed(max_frames=40), None, 0
    for number in range(600):
        feed.put(unit(number, key=number % 25 == 0))
        if chance.random() < 0.02:
            feed.skip()
        while chance.random() < 0.3:
            take = feed.take if chance.random() < 0.5 else lambda: feed.take_latest(LATE)
            if picture := take():
                assert picture.key or picture.pts == last
                last = picture.pts + 100_000
                given += 1
    assert given + feed.left_out + feed.dropped + len(feed) == 600
    assert given > 50
