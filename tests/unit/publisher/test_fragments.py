"""All viewers share the fragments; each one gets what it can decode, or hears of what it misses."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from publisher.media import fmp4
from publisher.media.boxes import Track
from publisher.media.fragments import Fragment, Fragments, Generation, Reader, Skip, Step
from publisher.media.packets import SECOND
from publisher.media.units import AacFrame, AccessUnit, AudioBlock

INTERVAL = SECOND // 30
VIDEO = Track(1, "video", 90_000, b"v", "avc1.42c01f", 640, 360)
AUDIO = Track(2, "audio", 48_000, b"a", "mp4a.40.2", frame=1024)
WIDE = replace(VIDEO, sample_entry=b"wide", width=1280)


def picture(number: int, *, gop: int = 30, size: int = 100) -> AccessUnit:
    """A picture that tells its number."""
    nal = bytes([1 + number % 200]) * size
    time = SECOND * 1000 + number * INTERVAL
    return AccessUnit(b"\0\0\0\1" + nal, time, time, number % gop == 0)


def sound(number: int) -> AacFrame:
    """A sound beside the picture of the same number."""
    return AacFrame(b"aac", SECOND * 1000 + number * INTERVAL + 5000)


class Camera:
    """Feeds a cache with pictures and sounds."""

    def __init__(self, *, gop: int = 30, mute: bool = False, **bounds: int) -> None:
        self.fragments = Fragments(**bounds)
        self.fragments.use((VIDEO, AUDIO))
        self.gop, self.mute = gop, mute
        self.made = 0

    def run(self, pictures: int) -> None:
        for _ in range(pictures):
            self.fragments.add(picture(self.made, gop=self.gop))
            if not self.mute:
                self.fragments.add(sound(self.made))
            self.made += 1


def steps(reader: Reader) -> Iterator[Step]:
    """All that a viewer may have now."""
    while step := reader.next():
        yield step


def is_picture(fragment: Fragment) -> bool:
    return b"aac" not in fragment.data


def told(found: list[Step]) -> list[object]:
    """The steps in short: numbers of pictures, "a" for sounds."""
    short: list[object] = []
    for step in found:
        if isinstance(step, Fragment):
            short.append(step.pictures - 1 if is_picture(step) else "a")
        else:
            short.append(type(step).__name__ if not isinstance(step, Skip) else step)
    return short


def test_a_viewer_begins_at_the_last_key_frame_with_its_sound_and_hears_when_it_is_live() -> None:
    camera = Camera()
    camera.run(33)
    reader = Reader(camera.fragments)
    assert told(list(steps(reader))) == ["Generation", 30, "a", 31, "a", 32, "a", "Live"]
    camera.run(1)
    assert told(list(steps(reader))) == [33, "a"]


def test_before_the_first_key_frame_there_is_nothing_to_have() -> None:
    camera = Camera()
    reader = Reader(camera.fragments)
    camera.made = 1
    camera.run(5)
    assert list(steps(reader)) == []
    camera.made = 30
    camera.run(1)
    assert told(list(steps(reader))) == ["Generation", 0, "a", "Live"]


def test_muxing_is_done_once_for_all_and_only_if_somebody_watches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    muxed: list[int] = []
    stock = fmp4.picture

    def counted(sequence: int, *rest: object) -> bytes:
        muxed.append(sequence)
        return stock(sequence, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(fmp4, "picture", counted)
    camera = Camera()
    camera.run(3)
    assert muxed == []
    seen = [
        [s.data for s in steps(Reader(camera.fragments)) if isinstance(s, Fragment)]
        for _ in range(3)
    ]
    assert muxed == [0, 2, 4]
    assert all(one is other for one, other in zip(seen[0], seen[2], strict=True))


def test_only_the_current_group_of_pictures_is_kept_and_a_little_before_it() -> None:
    camera = Camera(gop=30)
    camera.run(300)
    kept = [camera.fragments[n] for n in range(camera.fragments.first, camera.fragments.end)]
    assert kept[0].pictures - 1 == 270
    camera.run(3)
    kept = [camera.fragments[n] for n in range(camera.fragments.first, camera.fragments.end)]
    assert 300 - 16 < kept[0].pictures < 300


def test_a_viewer_that_is_a_little_late_loses_nothing() -> None:
    camera = Camera()
    camera.run(25)
    reader = Reader(camera.fragments)
    assert told(list(steps(reader)))[-2:] == ["a", "Live"]
    camera.run(10)  # a third of a second, and a key frame in it
    assert told(list(steps(reader))) == [n for p in range(25, 35) for n in (p, "a")]
    assert reader.skipped == 0


def test_a_viewer_that_is_too_late_goes_on_at_the_key_frame_and_misses_the_sound_too() -> None:
    camera = Camera()
    camera.run(10)
    reader = Reader(camera.fragments)
    list(steps(reader))
    camera.run(52)
    assert told(list(steps(reader))) == [Skip(50), 60, "a", 61, "a", "Live"]
    assert reader.skipped == 50


def test_in_a_long_group_of_pictures_a_late_viewer_just_gets_the_rest() -> None:
    """Nothing else could be decoded, and nothing is lost."""
    camera = Camera(gop=300)
    camera.run(10)
    reader = Reader(camera.fragments)
    list(steps(reader))
    camera.run(250)
    assert told(list(steps(reader))) == [n for p in range(10, 260) for n in (p, "a")]


def test_a_group_of_pictures_over_the_bounds_is_given_up_but_live_viewers_go_on() -> None:
    camera = Camera(gop=300, max_pictures=50)
    camera.run(50)
    live, slow = Reader(camera.fragments), Reader(camera.fragments)
    list(steps(live))
    slow.next()
    for _ in range(10):
        camera.run(1)
        assert told(list(steps(live))) == [camera.made - 1, "a"]
    assert camera.fragments.end - camera.fragments.first < 2 * 17  # half a second
    assert list(steps(slow)) == []
    assert list(steps(Reader(camera.fragments))) == []
    camera.made = 300
    camera.run(1)
    assert told(list(steps(slow)))[0] == Skip(60)


def test_bytes_are_bounded_as_well() -> None:
    fragments = Fragments(max_bytes=10_000)
    fragments.use((VIDEO, None))
    for number in range(200):
        fragments.add(picture(number, gop=1000))
    assert fragments.end - fragments.first < 100
    assert fragments.key is None


def test_a_camera_that_was_lost_leaves_no_old_pictures_to_new_viewers() -> None:
    camera = Camera()
    camera.run(10)
    live = Reader(camera.fragments)
    list(steps(live))
    camera.fragments.clear()
    assert list(steps(Reader(camera.fragments))) == []
    camera.made = 120
    camera.run(1)
    assert told(list(steps(live))) == [10, "a"]  # of the same generation
    assert told(list(steps(Reader(camera.fragments)))) == ["Generation", 10, "a", "Live"]


def test_a_change_of_format_is_another_generation_that_begins_with_a_key_frame() -> None:
    camera = Camera()
    camera.run(10)
    reader = Reader(camera.fragments)
    before = next(steps(reader))
    list(steps(reader))
    camera.fragments.use((WIDE, AUDIO))
    camera.run(5)  # which nobody could decode
    assert list(steps(reader)) == []
    camera.made = 30
    camera.run(1)
    found = list(steps(reader))
    assert told(found) == ["Generation", 10, "a", "Live"]
    assert isinstance(before, Generation)
    assert isinstance(found[0], Generation)
    assert b"wide" in found[0].init
    assert b"wide" not in before.init


def test_the_same_format_again_changes_nothing() -> None:
    camera = Camera()
    camera.run(10)
    reader = Reader(camera.fragments)
    list(steps(reader))
    camera.fragments.use((VIDEO, AUDIO))
    camera.run(1)
    assert told(list(steps(reader))) == [10, "a"]


def test_when_only_the_sound_changes_the_picture_goes_on() -> None:
    camera = Camera()
    camera.run(10)
    reader = Reader(camera.fragments)
    list(steps(reader))
    camera.fragments.use((VIDEO, replace(AUDIO, sample_entry=b"stereo")))
    camera.run(20)
    assert told(list(steps(reader))) == list(range(10, 30))
    camera.run(1)
    assert told(list(steps(reader))) == ["Generation", 30, "a", "Live"]


def test_a_sound_that_is_announced_but_not_sent_does_not_keep_a_player_waiting() -> None:
    camera = Camera(mute=True)
    camera.run(61)
    assert camera.fragments[camera.fragments.end - 1].generation.mime.endswith(',mp4a.40.2"')
    camera.run(30)
    assert camera.fragments[camera.fragments.end - 1].generation.mime.endswith('"avc1.42c01f"')
    camera.mute = False
    camera.run(30)
    assert camera.fragments[camera.fragments.end - 1].generation.mime.endswith(',mp4a.40.2"')


def test_each_codec_finds_its_own_sound_in_the_two_shapes_of_a_camera_with_aac() -> None:
    camera = Camera()
    camera.run(1)
    camera.fragments.add(AudioBlock(b"opus", SECOND * 1000, 48_000))
    assert camera.fragments.end == 2
    opus = Fragments()
    opus.use((VIDEO, replace(AUDIO, codec="opus", frame=0)))
    opus.add(picture(0))
    opus.add(sound(0))
    opus.add(AudioBlock(b"", SECOND * 1000, 48_000))
    opus.add(AudioBlock(b"\xf8opus", SECOND * 1000, 48_000))
    assert opus.end == 2
    assert opus[1].data.endswith(b"opus")


def test_units_that_wait_are_of_what_was_before_a_change() -> None:
    fragments = Fragments()
    fragments.use((VIDEO, None))
    for number in range(3):
        fragments.add(picture(number))
    fragments.use((WIDE, None))
    fragments.add(picture(0))
    assert told(list(steps(Reader(fragments)))) == ["Generation", 3, "Live"]
    assert [fragments[n].generation.video for n in range(4)] == [VIDEO] * 3 + [WIDE]
    fragments.add(picture(1))
    fragments.clear()
    assert fragments.first == fragments.end == 5


def test_a_picture_that_cannot_be_placed_is_not_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise ValueError

    fragments = Fragments()
    fragments.use((VIDEO, None))
    with monkeypatch.context() as patch:
        patch.setattr(fmp4.PictureTimes, "place", fail)
        fragments.add(picture(0))
        with pytest.raises(ValueError):  # noqa: PT011  # it is ours
            fragments.use(None)
    assert fragments.end == 0


def test_a_viewer_may_begin_anew() -> None:
    camera = Camera()
    camera.run(32)
    reader = Reader(camera.fragments)
    list(steps(reader))
    reader.begin_anew()
    assert told(list(steps(reader))) == ["Generation", 30, "a", 31, "a", "Live"]
    assert reader.skipped == 0


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 60)), max_size=30),
    st.integers(1, 40),
    st.integers(5, 50),
)
@example(paces=[(2, 1), (15, 2)], gop=1, bound=17)  # late before its first picture
def test_whatever_its_pace_a_viewer_can_decode_all_that_it_gets(
    paces: list[tuple[int, int]], gop: int, bound: int
) -> None:
    """Each picture follows the one before it, or is a key frame after a word of what is missing."""
    camera = Camera(gop=gop, max_pictures=bound)
    reader = Reader(camera.fragments)
    expected: int | None = None
    for made, taken in paces:
        camera.run(made)
        for _ in range(taken):
            step = reader.next()
            if isinstance(step, Skip) and expected is not None:
                expected += step.pictures
            elif isinstance(step, Fragment) and is_picture(step):
                number = step.pictures - 1
                assert number == expected if expected is not None else number % gop == 0
                expected = number + 1
        assert camera.fragments.end - camera.fragments.first <= 2 * (bound + gop + 16)


intervals = st.lists(st.integers(1, SECOND), min_size=1, max_size=60)


@given(intervals)
def test_no_picture_is_decoded_so_late_that_a_player_would_take_it_for_a_gap(
    gaps: list[int],
) -> None:
    times = fmp4.PictureTimes()
    dts, last = SECOND * 100, None
    for gap in [0, *gaps]:
        dts += gap
        unit = AccessUnit(b"", dts + 40_000, dts, key=False)
        timing = times.place(unit)
        assert timing.decode + timing.composition_offset == fmp4.ticks(unit.pts, 90_000)
        if last:
            assert last.decode <= timing.decode <= last.decode + 2 * last.duration
            assert timing.decode <= fmp4.ticks(dts, 90_000)
        last = timing


@pytest.mark.parametrize("burst", [[10_000] * 9 + [900_000], [1_000] * 7 + [259_000]])
def test_a_camera_that_sends_in_bursts_is_not_decoded_later_and_later(burst: list[int]) -> None:
    """Or its offsets, of 32 bits, would overflow after hours."""
    assert longest_lag(burst * 500) < SECOND


@given(st.lists(intervals, min_size=1, max_size=4))
def test_whatever_its_pace_a_camera_is_decoded_a_few_seconds_late_at_most(
    paces: list[list[int]],
) -> None:
    assert longest_lag([gap for pace in paces for gap in pace * 20]) < 4 * SECOND


def longest_lag(gaps: list[int]) -> float:
    """Of decoding times behind the camera's, in microseconds."""
    times, dts, longest = fmp4.PictureTimes(), 0, 0
    for gap in gaps:
        dts += gap
        timing = times.place(AccessUnit(b"", dts, dts, key=False))
        longest = max(longest, timing.composition_offset)
    return longest * SECOND / 90_000


def test_a_steady_camera_has_its_own_decoding_times_and_exact_durations() -> None:
    times = fmp4.PictureTimes()
    found = [times.place(picture(n)) for n in range(100)]
    assert {timing.composition_offset for timing in found} == {0}
    assert {timing.duration for timing in found} == {3000}


def test_a_camera_that_grows_slow_is_believed_after_two_pictures_and_a_glitch_is_not() -> None:
    def after(*gaps: float) -> int:
        times, dts = fmp4.PictureTimes(), 0
        for gap in (*[1 / 30] * 20, *gaps):
            dts += round(gap * SECOND)
            timing = times.place(AccessUnit(b"", dts, dts, key=False))
        return timing.duration

    assert after(0.2) == 3000
    assert after(0.2, 0.2) == 18_000
