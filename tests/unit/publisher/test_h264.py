"""H.264 is taken apart and put together again without a changed bit."""

import contextlib
from fractions import Fraction

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher.media import bitstream, h264
from publisher.media.bitstream import Configuration, MalformedError
from publisher.media.h264 import Sps

nal_units = st.binary(min_size=1, max_size=60).map(
    # A NAL unit never holds a start code and never ends with a zero (§7.4.1).
    lambda body: b"\x41" + body.replace(b"\x00", b"\x01")
)


def encoded(profile: str, size: tuple[int, int], **options: str) -> list[bytes]:
    """What libx264 makes of three grey pictures, one list of NAL units."""
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height = size
    encoder.pix_fmt = "yuv420p"
    encoder.time_base = Fraction(1, 25)
    encoder.options = {"profile": profile, "preset": "fast", **options}
    packets = []
    for pts in range(12):
        frame = av.VideoFrame(*size, "yuv420p")
        for plane in frame.planes:
            plane.update(bytes([pts * 20]) * plane.buffer_size)
        frame.pts = pts
        packets += encoder.encode(frame)
    packets += encoder.encode(None)
    return [nal for packet in packets for nal in bitstream.split_annex_b(bytes(packet))]


@given(st.lists(nal_units, min_size=1, max_size=6))
def test_joining_and_splitting_annex_b_loses_nothing(nals: list[bytes]) -> None:
    assert bitstream.split_annex_b(bitstream.join_annex_b(nals)) == nals


@given(st.lists(nal_units, min_size=1, max_size=6), st.sampled_from([2, 4]))
def test_length_prefixes_become_start_codes_and_nothing_else_changes(
    nals: list[bytes], size: int
) -> None:
    sample = b"".join(len(nal).to_bytes(size) + nal for nal in nals)
    assert bitstream.split_length_prefixed(sample, size) == nals


@given(st.binary(max_size=80))
def test_bytes_that_are_no_sample_are_refused_or_split_but_never_crash(data: bytes) -> None:
    bitstream.split_annex_b(data)
    try:
        nals = bitstream.split_length_prefixed(data, 4)
    except MalformedError:
        return
    assert b"".join(len(nal).to_bytes(4) + nal for nal in nals) == data


@given(st.binary(max_size=60))
def test_a_broken_parameter_set_is_named_malformed(data: bytes) -> None:
    with contextlib.suppress(MalformedError):
        Sps.parse(b"\x67" + data)


@pytest.mark.parametrize(
    ("profile", "size", "name"),
    [
        ("baseline", (1280, 720), "Constrained Baseline"),
        ("main", (640, 360), "Main"),
        ("high", (1920, 1080), "High"),  # 1080 is cropped from 1088
        ("high", (322, 182), "High"),
    ],
)
def test_a_parameter_set_tells_size_profile_and_level(
    profile: str, size: tuple[int, int], name: str
) -> None:
    sps = next(n for n in encoded(profile, size) if h264.nal_type(n) == h264.SPS)
    parsed = Sps.parse(sps)
    assert (parsed.width, parsed.height, parsed.profile) == (*size, name)
    assert parsed.profile_level_id == sps[1:4].hex()


def test_b_slices_are_told_from_others() -> None:
    with_b = encoded("high", (320, 192), bf="2", b_adapt="0")
    without = encoded("high", (320, 192), bf="0")
    assert any(h264.is_b_slice(nal) for nal in with_b)
    assert not any(h264.is_b_slice(nal) for nal in without)


def test_both_forms_of_configuration_hold_the_parameter_sets() -> None:
    sps, pps = b"\x67\x42\xc0\x1f\x01", b"\x68\xce\x01"
    avcc = bytes([1, 0x42, 0xC0, 0x1F, 0xFF, 0xE1, 0, len(sps)]) + sps
    avcc += bytes([1, 0, len(pps)]) + pps
    assert h264.configuration(avcc) == Configuration((sps, pps), 4)
    annex_b = bitstream.join_annex_b([sps, pps])
    assert h264.configuration(annex_b) == Configuration((sps, pps), 0)
    assert h264.configuration(b"") == Configuration()
    with pytest.raises(MalformedError):
        h264.configuration(avcc[:5])
