"""One access unit becomes packets that any receiver puts together again, all of one size."""

import pytest
from aiortc.codecs.h264 import h264_depayload
from hypothesis import given
from hypothesis import strategies as st

from publisher.media.bitstream import join_annex_b
from publisher.media.rtp import (
    BURST_BYTES,
    PAYLOAD_BYTES,
    Packetiser,
    bursts,
    h264_payloads,
)
from publisher.media.units import AccessUnit, AudioBlock

HEAD, TAG = 24, 16


def nal(size: int, kind: int = 1) -> bytes:
    return bytes([0x60 | kind]) + b"\x55" * (size - 1)


def unit(*nals: bytes) -> AccessUnit:
    return AccessUnit(join_annex_b(nals), 0, 0, key=False)


@given(st.lists(st.integers(2, 4000), min_size=1, max_size=12), st.integers(100, PAYLOAD_BYTES))
def test_what_is_put_together_again_is_what_was_taken_apart(sizes: list[int], limit: int) -> None:
    data = join_annex_b(nal(size, 1 + index % 8) for index, size in enumerate(sizes))
    payloads = h264_payloads(data, limit)
    assert all(len(payload) <= limit for payload in payloads)
    assert b"".join(map(h264_depayload, payloads)) == data


def test_small_nal_units_share_a_packet_and_a_single_one_goes_as_it_is() -> None:
    sps, pps, idr = nal(20, 7), nal(5, 8), nal(100, 5)
    (together,) = h264_payloads(join_annex_b([sps, pps, idr]))
    assert together[0] & 0x1F == 24
    assert h264_payloads(join_annex_b([idr])) == [idr]


def test_parts_of_a_picture_are_equally_long_but_the_last() -> None:
    sizes = [len(payload) for payload in h264_payloads(join_annex_b([nal(10_001)]))]
    assert len(set(sizes[:-1])) == 1
    assert sizes[0] - len(sizes) < sizes[-1] <= sizes[0]


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([9], [1]),
        ([9, 9, 9], [3]),
        ([9, 9, 5], [3]),
        ([5, 9, 9], [1, 2]),
        ([9, 5, 9], [2, 1]),
        ([9, 5, 5], [2, 1]),
    ],
)
def test_a_burst_is_what_one_system_call_can_cut(sizes: list[int], expected: list[int]) -> None:
    payloads = [bytes([index]) * size for index, size in enumerate(sizes)]
    made = list(bursts(payloads, HEAD, TAG))
    assert [len(burst.packets) for burst in made] == expected
    assert [b.payload(i) for b in made for i in range(len(b.packets))] == payloads
    markers = [packet.marker for burst in made for packet in burst.packets]
    assert markers == [0] * (len(sizes) - 1) + [0x80]
    for burst in made:
        assert [packet.offset for packet in burst.packets] == [
            index * burst.size for index in range(len(burst.packets))
        ]
        assert burst.octets == sum(packet.length - HEAD for packet in burst.packets)


def test_a_large_picture_leaves_in_several_bursts() -> None:
    made = Packetiser().bursts(unit(nal(100_000, 5)), HEAD, TAG)
    assert len(made) > 3
    assert all(len(burst.data) <= BURST_BYTES for burst in made)


def test_a_unit_is_packetised_once_for_all_whose_headers_are_as_long() -> None:
    packetiser, picture = Packetiser(), unit(nal(5000))
    first = packetiser.bursts(picture, HEAD, TAG)
    assert packetiser.bursts(picture, HEAD, TAG) is first
    shorter = packetiser.bursts(picture, 12, 10)
    assert shorter[0].payload(0) == first[0].payload(0)
    assert packetiser.bursts(unit(nal(5000)), HEAD, TAG) is not first


def test_a_block_of_sound_is_one_packet_with_the_marker() -> None:
    (burst,) = Packetiser().bursts(AudioBlock(b"opus", 0, 48_000), HEAD, TAG)
    assert burst.payload(0) == b"opus"
    assert burst.packets[0].marker == 0x80


@pytest.mark.parametrize("most", [1, 1200, 3000, 100_000])
def test_a_burst_in_parts_is_the_same_packets(most: int) -> None:
    payloads = h264_payloads(join_annex_b([nal(9_000, 5)]))
    (whole,) = bursts(payloads, HEAD, TAG)
    parts = list(whole.split(most))
    assert [p.payload(i) for p in parts for i in range(len(p.packets))] == payloads
    assert b"".join(part.data for part in parts) == whole.data
    assert all(len(part.data) <= max(most, whole.size) for part in parts)
    marks = [packet.marker for part in parts for packet in part.packets]
    assert marks == [packet.marker for packet in whole.packets]
