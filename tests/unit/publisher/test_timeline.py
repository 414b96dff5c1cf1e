"""A camera's times only grow, whatever its clock does, and sound keeps step with the picture."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher.media.packets import SECOND, Kind
from publisher.media.timeline import MAX_STRAY, Timeline

FRAME = SECOND // 25


def test_the_first_packet_is_due_when_it_arrives() -> None:
    assert Timeline().place("video", 123 * SECOND, now=7 * SECOND, interval=FRAME) == 7 * SECOND


def test_sound_and_picture_keep_the_distance_that_the_camera_gave_them() -> None:
    timeline = Timeline()
    picture = timeline.place("video", 50 * SECOND, now=SECOND, interval=FRAME)
    sound = timeline.place("audio", 50 * SECOND - 30_000, now=SECOND + 200, interval=FRAME)
    assert picture - sound == 30_000


def test_pictures_without_time_follow_each_other_and_the_first_timed_one_follows_them() -> None:
    timeline = Timeline()
    first = timeline.place("video", None, now=SECOND, interval=FRAME)
    second = timeline.place("video", None, now=SECOND + 100, interval=FRAME)
    third = timeline.place("video", 77, now=SECOND + FRAME, interval=FRAME)
    assert (second - first, third - second) == (FRAME, FRAME)


def test_a_camera_that_restarts_goes_on_where_time_has_gone_meanwhile() -> None:
    timeline = Timeline()
    timeline.place("video", 900 * SECOND, now=SECOND, interval=FRAME)
    timeline.restart()
    assert timeline.place("video", 0, now=21 * SECOND, interval=FRAME) == 21 * SECOND


def test_a_clock_that_jumps_without_a_restart_is_followed() -> None:
    timeline = Timeline()
    timeline.place("video", 0, now=SECOND, interval=FRAME)
    due = timeline.place("video", 1000 * SECOND, now=SECOND + FRAME, interval=FRAME)
    assert due == SECOND + FRAME
    assert timeline.jumps == 1


def test_a_jump_while_the_timeline_is_ahead_gives_no_two_pictures_one_time() -> None:
    timeline, now = Timeline(), SECOND
    timeline.place("video", 0, now, FRAME)
    ahead = timeline.place("video", 4 * SECOND, now + 2 * SECOND, FRAME)
    times = [
        timeline.place("video", 100 * SECOND + n * FRAME, now + n * FRAME, FRAME) for n in range(9)
    ]
    assert times[0] >= ahead + FRAME
    assert {later - earlier for earlier, later in pairwise(times)} == {FRAME}


def test_a_clock_that_jumps_is_told_once_for_a_connection_and_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    timeline = Timeline()
    for number in range(4):
        timeline.place("video", 100 * SECOND * number, now=SECOND + number, interval=FRAME)
    assert [record.getMessage() for record in caplog.records] == [
        "The camera's clock has jumped by 100.0 s."
    ]
    timeline.restart()
    assert caplog.records[1].getMessage() == "The camera's clock jumped 3 times."
    assert timeline.jumps == 0


def test_slow_drift_is_never_taken_for_a_jump() -> None:
    timeline = Timeline()
    for number in range(30_000):
        timeline.place("video", number * FRAME, now=number * (FRAME + 400), interval=FRAME)
    drifted = 30_000 * 400
    assert drifted > MAX_STRAY
    assert timeline.jumps == 0


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["video", "audio"]),
            st.one_of(st.none(), st.integers(-(10**15), 10**15)),
            st.integers(0, 10 * SECOND),
            st.booleans(),
        ),
        max_size=40,
    )
)
def test_times_of_a_kind_never_go_back(steps: list[tuple[Kind, int | None, int, bool]]) -> None:
    timeline, now, last = Timeline(), 0, dict.fromkeys(("video", "audio"), -(10**18))
    for kind, pts, passed, restarts in steps:
        now += passed
        if restarts:
            timeline.restart()
        due = timeline.place(kind, pts, now, FRAME)
        assert due > last[kind]
        last[kind] = due
