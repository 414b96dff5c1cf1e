"""Pictures get a time of decoding; B-frames are told from glitches; nobody waits without need."""

from collections.abc import Iterator

import pytest

from publisher.media.order import DecodingOrder, Ordered, Picture

FRAME = 40_000


def picture(time: int | None, *, b: bool = False) -> Picture:
    return Picture(b"", key=False, b_slices=b, time=None if time is None else time * FRAME, now=0)


def put(order: DecodingOrder, *pictures: Picture) -> Iterator[tuple[int | None, int]]:
    """When each picture is decoded, and how much later it is shown, in frames."""
    for one in pictures:
        for ordered in order.put(one):
            yield _frames(ordered)


def _frames(ordered: Ordered) -> tuple[int | None, int]:
    return (None if ordered.dts is None else ordered.dts // FRAME), ordered.delay // FRAME


def test_a_camera_that_promises_no_b_frames_is_believed_at_once() -> None:
    order = DecodingOrder(FRAME)
    order.expect(0)
    assert list(put(order, picture(None), picture(5))) == [(None, 0), (5, 0)]


def test_one_that_says_nothing_is_looked_at_for_ten_pictures() -> None:
    order = DecodingOrder(FRAME)
    order.expect(None)
    assert list(put(order, *map(picture, range(9)))) == []
    assert list(put(order, picture(9), picture(10))) == [(n, 0) for n in range(11)]


def test_two_b_frames_between_others_need_one_picture_of_delay() -> None:
    order = DecodingOrder(FRAME)
    order.expect(None)
    times = [(0, False), (3, False), (1, True), (2, True), (6, False), (4, True), (5, True)]
    decoded = list(put(order, *(picture(t, b=b) for t, b in times)))
    assert [dts for dts, _ in decoded] == [-1, 0, 1, 2, 3, 4, 5]
    assert [dts + delay for dts, delay in decoded if dts is not None] == [t for t, _ in times]
    assert order.reordered


def test_a_pyramid_needs_two() -> None:
    order = DecodingOrder(FRAME)
    order.expect(2)
    times = [(0, False), (4, False), (2, True), (1, True), (3, True), (8, False), (6, True)]
    decoded = [dts for dts, _ in put(order, *(picture(t, b=b) for t, b in times))]
    assert decoded == [-2, -1, 0, 1, 2, 3, 4]


def test_a_first_picture_without_time_is_shown_just_before_the_others() -> None:
    order = DecodingOrder(FRAME)
    order.expect(1)
    times = [(3, False), (1, True), (2, True), (6, False), (4, True)]
    decoded = list(put(order, picture(None), *(picture(t, b=b) for t, b in times)))
    assert decoded[0] == (-1, 1)
    assert [dts for dts, _ in decoded] == [-1, 0, 1, 2, 3, 4]


def test_one_glitch_is_no_b_frame_and_times_that_go_back_without_b_slices_are_none() -> None:
    order = DecodingOrder(FRAME)
    order.expect(0)
    list(put(order, *(picture(t) for t in (0, 1, 5, 2, 6, 3, 7, 4)), picture(6, b=True)))
    assert not order.reordered


@pytest.mark.parametrize("promised", [0, None])
def test_b_frames_that_begin_late_are_noticed(promised: int | None) -> None:
    order = DecodingOrder(FRAME)
    order.expect(promised)
    list(put(order, *map(picture, range(20))))
    for first in (20, 23, 26):
        list(put(order, picture(first + 2), picture(first, b=True), picture(first + 1, b=True)))
    assert order.reordered


def test_a_clock_that_jumps_makes_no_long_delay() -> None:
    order = DecodingOrder(FRAME)
    order.expect(1)
    times = [(0, False), (3, False), (1, True), (2, True), (6, False), (4, True), (5, True)]
    list(put(order, *(picture(t, b=b) for t, b in times)))
    later = [picture(t + 100_000, b=b) for t, b in times]
    assert max(delay for _, delay in put(order, *later)) <= 4


def test_new_parameter_sets_that_promise_none_end_the_reordering() -> None:
    order = DecodingOrder(FRAME)
    order.expect(1)
    times = [(0, False), (3, False), (1, True), (2, True), (6, False), (4, True), (5, True)]
    list(put(order, *(picture(t, b=b) for t, b in times)))
    order.expect(0)
    assert list(put(order, picture(20), picture(21))) == [(20, 0), (21, 0)]
