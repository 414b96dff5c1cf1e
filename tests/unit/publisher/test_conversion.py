"""What no browser plays comes out as H.264: at once, with the same picture, at the same times."""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from statistics import median
from typing import Any

import av
import pytest

from publisher.media import encoder, h264
from publisher.media.bitstream import split_annex_b
from publisher.media.conversion import Conversion, prospect
from publisher.media.encoder import Coded, Encoder, Kind, Shape, best_kind
from publisher.media.format import FOREIGN, Format
from publisher.media.packets import SECOND
from publisher.media.units import AccessUnit
from publisher.sources.pattern import Pattern, read
from rendezvous.wire.messages import Track

SIZE = (320, 192)
FRAME = SECOND // 30
SHAPE = Shape(*SIZE, 30.0, 500_000, 60)


def source(codec: str = "mjpeg", size: tuple[int, int] = SIZE) -> Format:
    track = Track(kind="video", codec="Motion JPEG", detail="320×192")
    pixels = "yuyv422" if codec == "rawvideo" else ""
    return Format(
        "",
        "opus",
        (track,),
        video_codec=codec,
        width=size[0],
        height=size[1],
        pixel_format=pixels,
        obstacle=FOREIGN,
    )


def picture(number: int) -> av.VideoFrame:
    """The test picture of that number, 40 s after the epoch."""
    frame = av.VideoFrame(*SIZE, "yuv420p")
    data, at = bytes(Pattern(*SIZE).draw(number, 40_000 + number)), 0
    for plane in frame.planes:
        plane.update(data[at : at + plane.buffer_size])
        at += plane.buffer_size
    return frame


def unit(data: bytes, number: int) -> AccessUnit:
    return AccessUnit(data, number * FRAME, number * FRAME, key=True)


def jpegs(
    numbers: Iterable[int], size: tuple[int, int] = SIZE, pixels: str = "yuvj422p"
) -> Iterator[AccessUnit]:
    """As a webcam sends them: each a picture of its own, with the levels of JPEG."""
    coder = av.CodecContext.create("mjpeg", "w")
    coder.width, coder.height, coder.pix_fmt = *size, pixels
    coder.time_base = Fraction(1, 30)
    for number in numbers:
        frame = picture(number).reformat(*size, format=pixels)
        frame.pts = number
        for coded in coder.encode(frame):
            yield unit(bytes(coded), number)


def converted(conversion: Conversion, units: Iterable[AccessUnit]) -> list[AccessUnit]:
    """The pictures that come out, each with the one that went in."""
    out = []
    for one in units:
        (item,) = [i for i in conversion.feed(one) if isinstance(i, AccessUnit)]
        assert item.pts == one.pts
        out.append(item)
    return out


def shown(units: Iterable[AccessUnit]) -> list[av.VideoFrame]:
    decoder = av.CodecContext.create("h264", "r")
    return [frame for one in units for frame in decoder.decode(av.Packet(one.data))]


def luma(frame: av.VideoFrame) -> bytes:
    """Some samples across the coloured bars."""
    plane = frame.planes[0]
    return bytes(plane)[30 * plane.line_size :][: SIZE[0] : 20]


def test_every_picture_comes_out_at_once_and_can_be_read() -> None:
    out = converted(Conversion(source()), jpegs(range(5)))
    assert [one.key for one in out] == [True, False, False, False, False]
    for number, frame in enumerate(shown(out)):
        plane = frame.planes[0]
        code = read(bytes(plane), plane.line_size, frame.width, frame.height)
        assert code
        assert (code.frame, code.unix_ms) == (number, 40_000 + number)


@pytest.mark.parametrize("pixels", ["yuvj420p", "yuvj422p"])
def test_the_levels_of_jpeg_become_those_of_video(pixels: str) -> None:
    (before,) = [picture(0)]
    (after,) = shown(converted(Conversion(source()), jpegs([0], pixels=pixels)))
    # At edges coding blurs; with the levels of JPEG white would be 255, and the paper darker by 5.
    assert median(abs(a - b) for a, b in zip(luma(before), luma(after), strict=True)) <= 2
    assert max(luma(after)) < 242


def test_raw_video_of_a_webcam_is_encoded_too() -> None:
    frame = picture(7).reformat(format="yuyv422")
    (out,) = converted(Conversion(source("rawvideo")), [unit(bytes(frame.planes[0]), 7)])
    assert [(f.width, f.height) for f in shown([out])] == [SIZE]


def test_the_format_says_what_a_player_must_know_before_the_first_picture() -> None:
    conversion = Conversion(source())
    said, first = conversion.feed(next(jpegs([0])))
    assert isinstance(said, Format)
    assert isinstance(first, AccessUnit)
    assert (said.video_codec, said.width, said.height) == ("h264", *SIZE)
    assert said.profile_level_id[:4] == "42c0"
    assert said.codec_string == f"avc1.{said.profile_level_id}"
    assert said.obstacle is None
    assert said.parameter_sets == tuple(split_annex_b(first.data)[: len(said.parameter_sets)])
    assert said.tracks[0].codec == "H.264"
    assert "from Motion JPEG" in said.tracks[0].detail
    assert said.profile_level_id[:2] == prospect(source()).profile_level_id[:2]


def test_a_key_frame_comes_when_it_is_asked_for() -> None:
    conversion = Conversion(source())
    converted(conversion, jpegs(range(3)))
    conversion.key_wanted = True
    out = converted(conversion, jpegs(range(3, 6)))
    assert [one.key for one in out] == [True, False, False]
    kinds = [h264.nal_type(nal) for nal in split_annex_b(out[0].data)]
    assert {h264.SPS, h264.PPS, h264.IDR} <= set(kinds)


def test_a_camera_that_changes_its_size_goes_on_with_a_key_frame_and_its_format() -> None:
    conversion = Conversion(source())
    converted(conversion, jpegs(range(2)))
    items = list(conversion.feed(next(jpegs([2], (481, 273)))))
    assert isinstance(items[0], Format)
    assert (items[0].width, items[0].height) == (480, 272)  # 4:2:0 has no odd sides
    assert isinstance(items[1], AccessUnit)
    assert items[1].key


def test_broken_pictures_are_counted_and_the_next_one_is_shown() -> None:
    conversion = Conversion(source())
    assert list(conversion.feed(unit(b"no JPEG", 0))) == []
    assert conversion.lost == 1
    assert len(converted(conversion, jpegs([1]))) == 1


def test_the_bit_rate_follows_while_the_encoder_runs() -> None:
    def noise(number: int) -> AccessUnit:
        frame = av.VideoFrame(*SIZE, "yuyv422")
        seed = (number * 7919 + 1) % 65521
        line = bytes((seed * at * at >> 7) & 255 for at in range(1, SIZE[0] * 2 + 1))
        frame.planes[0].update(b"".join(line[at:] + line[:at] for at in range(SIZE[1])))
        return unit(bytes(frame.planes[0]), number)

    conversion = Conversion(source("rawvideo"))
    conversion.bit_rate = 300_000
    fast = converted(conversion, map(noise, range(30)))
    conversion.bit_rate = 75_000
    slow = converted(conversion, map(noise, range(30, 90)))
    assert not any(one.key for one in slow[:29])
    assert sum(len(one.data) for one in slow[30:]) < 0.7 * sum(len(one.data) for one in fast)


def test_an_encoder_is_chosen_by_what_it_does_and_not_by_its_name() -> None:
    none = Kind("h264_v4l2m2m", "yuv420p")  # no such device in a test
    works = Kind("libx264", "yuv420p", encoder.LIBX264.options)
    late = Kind("libx264", "yuv420p", {"preset": "medium"})  # looks ahead, gives nothing at first
    assert best_kind(SHAPE, (none, late, works, encoder.LIBX264)) is works
    assert best_kind(SHAPE, (none, late, encoder.LIBX264)) is encoder.LIBX264


class Card:
    """A graphics card: it encodes in a trial, and fails later when it is opened or at a picture."""

    kind = Kind("libx264", "yuv420p", encoder.LIBX264.options)

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, opens: int, pictures: int) -> None:
        self.opens, self.pictures = opens, pictures
        self._open, self._encode = encoder._open, Encoder.encode
        monkeypatch.setattr(encoder, "_open", self._opened)
        card = self

        def encode(coder: Encoder, *args: Any, **how: Any) -> Iterator[Coded]:
            return card._encoded(coder, *args, **how)

        monkeypatch.setattr(Encoder, "encode", encode)
        best_kind.cache_clear()

    def _opened(self, kind: Kind, *how: Any) -> av.VideoCodecContext:
        if kind is self.kind:
            self.opens -= 1
            self._fail_below(self.opens)
        return self._open(kind, *how)

    def _encoded(self, coder: Encoder, *args: Any, **how: Any) -> Iterator[Coded]:
        if coder.kind is self.kind:
            self.pictures -= 1
            self._fail_below(self.pictures)
        return self._encode(coder, *args, **how)

    @staticmethod
    def _fail_below(left: int) -> None:
        if left < 0:
            raise av.error.ExternalError(1, "no session left")


@pytest.mark.parametrize(("opens", "pictures"), [(1, 9), (9, 3)], ids=["at once", "later"])
def test_an_encoder_that_fails_after_its_trial_is_left_out_and_the_next_one_goes_on(
    monkeypatch: pytest.MonkeyPatch, opens: int, pictures: int
) -> None:
    Card(monkeypatch, opens=opens, pictures=pictures)
    conversion = Conversion(source(), (Card.kind, encoder.LIBX264))
    out = converted(conversion, jpegs(range(6)))
    begun = pictures - 1 if opens > 1 else 0  # its trial took one
    assert [number for number, one in enumerate(out) if one.key] == sorted({0, begun})
    assert conversion._kind_for(SHAPE) is encoder.LIBX264


def test_when_the_last_encoder_fails_that_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    Card(monkeypatch, opens=0, pictures=0)
    monkeypatch.setattr(Card, "kind", encoder.LIBX264)
    with pytest.raises(av.FFmpegError):
        converted(Conversion(source()), jpegs([0]))


def test_every_encoder_makes_what_is_announced_before_its_first_picture() -> None:
    profiles = {kind.options.get("profile") for kind in encoder.KINDS}
    assert profiles <= {"baseline", "578"}


def test_an_encoder_that_takes_no_new_rate_is_opened_anew() -> None:
    fixed = Kind("libx264", "yuv420p", encoder.LIBX264.options)
    coder = encoder.Encoder(fixed, SHAPE, 400_000)
    assert coder.use_bit_rate(400_000)
    assert not coder.use_bit_rate(200_000)


def test_what_no_device_has_costs_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says so when it is opened: no picture is tried."""
    tried: list[int] = []
    monkeypatch.setattr(encoder, "_gives", lambda _, number: tried.append(number))
    assert best_kind(Shape(*SIZE, 25.0, 500_000, 51)) is encoder.LIBX264
    assert not tried
