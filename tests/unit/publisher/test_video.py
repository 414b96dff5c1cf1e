"""Access units reach browsers with all they need and nothing changed."""

import pytest

from publisher.errors import UnplayableError
from publisher.media import h264
from publisher.media.packets import SECOND, Packet, Stream
from publisher.media.timeline import Timeline
from publisher.media.units import AccessUnit
from publisher.media.video import VideoPipeline
from tests.unit.publisher.test_h264 import encoded

SPS_PPS = [n for n in encoded("baseline", (320, 192)) if h264.nal_type(n) in (7, 8)][:2]
IDR = b"\x65\x88\x84\x01"
SLICE = b"\x41\x9a\x01"
DELIMITER = b"\x09\xf0"


def pipeline(extradata: bytes = b"", codec: str = "h264") -> VideoPipeline:
    return VideoPipeline(Stream("video", codec, extradata, frame_rate=25), Timeline())


def packet(*nals: bytes, pts: int | None = 0) -> Packet:
    return Packet("video", h264.join_annex_b(nals), pts, pts, key=False)


def feed(pipe: VideoPipeline, *nals: bytes, pts: int | None = 0) -> AccessUnit:
    unit = pipe.feed(packet(*nals, pts=pts), now=10 * SECOND)
    assert unit
    return unit


def test_parameter_sets_from_the_sdp_stand_before_every_idr() -> None:
    pipe = pipeline(h264.join_annex_b(SPS_PPS))
    assert h264.split_annex_b(feed(pipe, IDR).data) == [*SPS_PPS, IDR]
    assert h264.split_annex_b(feed(pipe, SLICE).data) == [SLICE]


def test_an_access_unit_delimiter_stays_first() -> None:
    pipe = pipeline(h264.join_annex_b(SPS_PPS))
    assert h264.split_annex_b(feed(pipe, DELIMITER, IDR).data) == [DELIMITER, *SPS_PPS, IDR]


def test_an_idr_with_its_own_parameter_sets_is_not_touched() -> None:
    data = h264.join_annex_b([*SPS_PPS, IDR])
    pipe = pipeline(h264.join_annex_b([SPS_PPS[0] + b"\x01", SPS_PPS[1]]))
    assert feed(pipe, *SPS_PPS, IDR).data == data


def test_parameter_sets_that_came_in_a_packet_of_their_own_are_kept_for_the_idr() -> None:
    pipe = pipeline()
    assert pipe.feed(packet(*SPS_PPS), now=SECOND) is None
    assert pipe.sps
    assert (pipe.sps.width, pipe.sps.height) == (320, 192)
    assert h264.split_annex_b(feed(pipe, IDR).data) == [*SPS_PPS, IDR]


def test_one_parameter_set_in_band_and_the_other_in_the_sdp_come_together() -> None:
    sps, pps = SPS_PPS
    pipe = pipeline(h264.join_annex_b([pps]))
    assert h264.split_annex_b(feed(pipe, sps, IDR).data) == [sps, pps, IDR]
    assert h264.split_annex_b(feed(pipe, IDR).data) == [sps, pps, IDR]


def test_a_sample_of_an_mp4_becomes_annex_b() -> None:
    sps, pps = SPS_PPS
    avcc = bytes([1, *sps[1:4], 0xFF, 0xE1]) + len(sps).to_bytes(2) + sps
    avcc += bytes([1]) + len(pps).to_bytes(2) + pps
    pipe = pipeline(avcc)
    sample = Packet("video", len(IDR).to_bytes(4) + IDR, 0, 0, key=True)
    unit = pipe.feed(sample, now=SECOND)
    assert unit
    assert h264.split_annex_b(unit.data) == [sps, pps, IDR]
    broken = Packet("video", b"\x00\x00\x01\x07garbage", 0, 0, key=True)
    assert pipe.feed(broken, now=SECOND) is None
    assert pipe.malformed == 1


def test_the_packet_for_rtp_has_the_unit_s_bytes_and_time() -> None:
    unit = feed(pipeline(), *SPS_PPS, IDR)
    assert bytes(unit.packet) == unit.data
    assert unit.packet.pts == unit.pts * 9 // 100


@pytest.mark.parametrize(
    ("codec", "code", "cure"),
    [("hevc", "codec_h265", "H.264"), ("mjpeg", "codec_unsupported", "H.264")],
)
def test_codecs_that_browsers_do_not_take_are_named_with_the_cure(
    codec: str, code: str, cure: str
) -> None:
    with pytest.raises(UnplayableError) as caught:
        pipeline(codec=codec)
    assert caught.value.code == code
    assert cure in caught.value.cure


def test_b_frames_are_named_and_one_glitch_is_not() -> None:
    nals = encoded("main", (320, 192), bf="2", b_adapt="0")
    b_slice = next(nal for nal in nals if h264.is_b_slice(nal))
    pipe = pipeline()
    feed(pipe, *SPS_PPS, IDR, pts=0)
    feed(pipe, b_slice, pts=-40_000)
    for number in range(1, 2):
        feed(pipe, SLICE, pts=number * 120_000)
        feed(pipe, b_slice, pts=number * 120_000 - 80_000)
    feed(pipe, SLICE, pts=240_000)
    with pytest.raises(UnplayableError) as caught:
        feed(pipe, b_slice, pts=160_000)
    assert caught.value.code == "b_frames"


def test_times_that_go_back_without_b_slices_are_no_b_frames() -> None:
    pipe = pipeline()
    for pts in (0, 40_000, 10_000, 80_000, 30_000, 120_000, 20_000):
        feed(pipe, SLICE, pts=pts)
