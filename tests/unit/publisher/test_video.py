"""Access units reach browsers with all they need and nothing changed."""

import pytest

from publisher.errors import UnplayableError
from publisher.media import bitstream, h264, hevc
from publisher.media.packets import SECOND, Packet, Stream
from publisher.media.timeline import Timeline
from publisher.media.units import AccessUnit
from publisher.media.video import VideoPipeline, video_pipeline
from tests.unit.publisher.test_h264 import encoded
from tests.unit.publisher.test_hevc import h265

SPS_PPS = [n for n in encoded("baseline", (320, 192)) if h264.nal_type(n) in (7, 8)][:2]
IDR = b"\x65\x88\x84\x01"
SLICE = b"\x41\x9a\x01"
DELIMITER = b"\x09\xf0"


def pipeline(extradata: bytes = b"", codec: str = "h264") -> VideoPipeline:
    return video_pipeline(Stream("video", codec, extradata, frame_rate=25), Timeline())


def packet(*nals: bytes, pts: int | None = 0) -> Packet:
    return Packet("video", bitstream.join_annex_b(nals), pts, pts, key=False)


def feed(pipe: VideoPipeline, *nals: bytes, pts: int | None = 0) -> AccessUnit:
    (unit,) = pipe.feed(packet(*nals, pts=pts), now=10 * SECOND)
    return unit


def test_parameter_sets_from_the_sdp_stand_before_every_idr() -> None:
    pipe = pipeline(bitstream.join_annex_b(SPS_PPS))
    assert bitstream.split_annex_b(feed(pipe, IDR).data) == [*SPS_PPS, IDR]
    assert bitstream.split_annex_b(feed(pipe, SLICE).data) == [SLICE]


def test_an_access_unit_delimiter_stays_first() -> None:
    pipe = pipeline(bitstream.join_annex_b(SPS_PPS))
    assert bitstream.split_annex_b(feed(pipe, DELIMITER, IDR).data) == [DELIMITER, *SPS_PPS, IDR]


def test_an_idr_with_its_own_parameter_sets_is_not_touched() -> None:
    data = bitstream.join_annex_b([*SPS_PPS, IDR])
    pipe = pipeline(bitstream.join_annex_b([SPS_PPS[0] + b"\x01", SPS_PPS[1]]))
    assert feed(pipe, *SPS_PPS, IDR).data == data


def test_parameter_sets_that_came_in_a_packet_of_their_own_are_kept_for_the_idr() -> None:
    pipe = pipeline()
    assert list(pipe.feed(packet(*SPS_PPS), now=SECOND)) == []
    assert pipe.sps
    assert (pipe.sps.width, pipe.sps.height) == (320, 192)
    assert bitstream.split_annex_b(feed(pipe, IDR).data) == [*SPS_PPS, IDR]


def test_one_parameter_set_in_band_and_the_other_in_the_sdp_come_together() -> None:
    sps, pps = SPS_PPS
    pipe = pipeline(bitstream.join_annex_b([pps]))
    assert bitstream.split_annex_b(feed(pipe, sps, IDR).data) == [sps, pps, IDR]
    assert bitstream.split_annex_b(feed(pipe, IDR).data) == [sps, pps, IDR]


def test_a_sample_of_an_mp4_becomes_annex_b() -> None:
    sps, pps = SPS_PPS
    avcc = bytes([1, *sps[1:4], 0xFF, 0xE1]) + len(sps).to_bytes(2) + sps
    avcc += bytes([1]) + len(pps).to_bytes(2) + pps
    pipe = pipeline(avcc)
    sample = Packet("video", len(IDR).to_bytes(4) + IDR, 0, 0, key=True)
    (unit,) = pipe.feed(sample, now=SECOND)
    assert bitstream.split_annex_b(unit.data) == [sps, pps, IDR]
    broken = Packet("video", b"\x00\x00\x01\x07garbage", 0, 0, key=True)
    assert list(pipe.feed(broken, now=SECOND)) == []
    assert pipe.malformed == 1


def test_a_codec_that_no_browser_takes_is_named_with_the_cure() -> None:
    with pytest.raises(UnplayableError) as caught:
        pipeline(codec="no_such_codec")
    assert caught.value.code == "codec_unsupported"
    assert "H.264" in caught.value.cure


def test_new_parameter_sets_take_the_place_of_the_old_with_the_next_idr() -> None:
    new = [n for n in encoded("baseline", (640, 384)) if h264.nal_type(n) in (7, 8)][:2]
    pipe = pipeline(bitstream.join_annex_b(SPS_PPS))
    feed(pipe, IDR)
    feed(pipe, *new, IDR, pts=SECOND)
    assert pipe.parameter_sets == tuple(new)
    assert bitstream.split_annex_b(feed(pipe, IDR, pts=2 * SECOND).data) == [*new, IDR]


def test_h265_gets_its_three_parameter_sets_before_every_point_of_access() -> None:
    sets = [nal for nal in h265(bframes=0) if hevc.nal_type(nal) in hevc.PARAMETER_SETS][:3]
    pipe = pipeline(bitstream.join_annex_b(sets), codec="hevc")
    cra = bytes([21 << 1, 1]) + b"\x80"
    unit = feed(pipe, cra)
    assert unit.key
    assert bitstream.split_annex_b(unit.data) == [*sets, cra]


def test_with_b_frames_every_picture_is_decoded_in_order_and_before_it_is_shown() -> None:
    pipe = video_pipeline(Stream("video", "h264", frame_rate=25), Timeline())
    shown = [0, 3, 1, 2, 6, 4, 5, 9, 7, 8, 12, 10, 11]
    nals = encoded("main", (320, 192), bf="2", b_adapt="0")
    b_slice = next(nal for nal in nals if h264.is_b_slice(nal))
    main = [nal for nal in nals if h264.nal_type(nal) in (h264.SPS, h264.PPS)][:2]
    units: list[AccessUnit] = []
    for number, place in enumerate(shown):
        coded = [*main, IDR] if not number else [SLICE if place % 3 == 0 else b_slice]
        units += pipe.feed(packet(*coded, pts=place * 40_000), now=10 * SECOND + number * 40_000)
    assert pipe.reordered
    assert [(unit.pts - units[0].pts) // 40_000 for unit in units] == shown
    assert [(unit.dts - units[0].dts) // 40_000 for unit in units] == list(range(len(shown)))
    assert all(unit.dts <= unit.pts for unit in units)
