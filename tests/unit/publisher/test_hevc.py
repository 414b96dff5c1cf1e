"""H.265's parameter sets say to a player what it must know."""

import contextlib
from fractions import Fraction

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher.media import hevc
from publisher.media.bitstream import Configuration, MalformedError, join_annex_b, split_annex_b
from publisher.media.hevc import Sps


def h265(size: tuple[int, int] = (320, 180), *, bframes: int) -> list[bytes]:
    """The NAL units of a short film."""
    encoder = av.CodecContext.create("libx265", "w")
    encoder.width, encoder.height, encoder.pix_fmt = *size, "yuv420p"
    encoder.framerate, encoder.time_base = Fraction(25), Fraction(1, 25)
    encoder.options = {
        "preset": "ultrafast",
        "x265-params": f"log-level=none:bframes={bframes}:b-adapt=0:b-pyramid=0:pools=1",
    }
    packets = []
    for number in range(4):
        picture = av.VideoFrame(*size, "yuv420p")
        picture.pts = number
        packets += encoder.encode(picture)
    packets += encoder.encode(None)
    return [nal for coded in packets for nal in split_annex_b(bytes(coded))]


def parameter_sets(size: tuple[int, int] = (320, 180), *, bframes: int = 0) -> list[bytes]:
    nals = h265(size, bframes=bframes)
    return [nal for nal in nals if hevc.nal_type(nal) in hevc.PARAMETER_SETS][:3]


@pytest.mark.parametrize(("size", "bframes"), [((320, 180), 0), ((648, 364), 2)])
def test_an_sps_says_size_profile_and_whether_pictures_are_reordered(
    size: tuple[int, int], bframes: int
) -> None:
    sps = Sps.parse(parameter_sets(size, bframes=bframes)[1])
    assert (sps.width, sps.height) == size
    assert sps.profile == "Main"
    assert sps.sampling == (1, 8, 8)
    assert (sps.max_reorder > 0) == (bframes > 0)
    assert sps.codec_string.startswith("hvc1.1.6.L")
    assert sps.codec_string.endswith(".90")
    assert f".L{round(float(sps.level) * 30)}." in sps.codec_string
    assert len(sps.profile_tier_level) == 12


def test_both_forms_of_configuration_name_the_parameter_sets() -> None:
    sets = parameter_sets()
    record = bytes([1]) + bytes(20) + b"\xff" + bytes([3])
    for nal in sets:
        record += bytes([hevc.nal_type(nal)]) + b"\x00\x01" + len(nal).to_bytes(2) + nal
    assert hevc.configuration(record) == Configuration(tuple(sets), 4)
    assert hevc.configuration(join_annex_b(sets)) == Configuration(tuple(sets), 0)
    assert hevc.configuration(b"") == Configuration()
    with pytest.raises(MalformedError):
        hevc.configuration(record[:22])


@given(st.binary(max_size=60))
def test_no_bytes_break_the_parsers(data: bytes) -> None:
    for parse in (Sps.parse, hevc.configuration):
        with contextlib.suppress(MalformedError):
            parse(data)
    with contextlib.suppress(MalformedError):
        Sps.parse(b"\x42\x01" + data)
