"""Depacketisers give back what a camera took apart, and nothing with a hole in it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher.media.bitstream import join_annex_b, split_annex_b
from publisher.sources.rtsp import rtp
from publisher.sources.rtsp.payloads import H264, H265, PayloadFormat
from publisher.sources.rtsp.pictures import MAX_BYTES, Pictures
from publisher.sources.rtsp.rtp import RtpPacket
from publisher.sources.rtsp.sounds import Aac, Blocks
from publisher.sources.rtsp.units import Coded
from tests.support.packetising import key, packets, slice_, sps

CODECS = {"h264": H264, "h265": H265}


def put_together(
    payload_format: PayloadFormat, sent: list[RtpPacket]
) -> tuple[list[Coded], Pictures]:
    pictures, reception = Pictures(payload_format), rtp.Reception(1)
    found: list[Coded] = []
    for one in sent:
        found += pictures.put(one, gap=reception.put(one.sequence))
    return found, pictures


@pytest.mark.parametrize("codec", CODECS)
@given(st.data())
def test_what_is_put_together_is_what_was_taken_apart(codec: str, data: st.DataObject) -> None:
    sizes = data.draw(st.lists(st.lists(st.integers(1, 3000), min_size=1, max_size=6), max_size=5))
    limit = data.draw(st.integers(20, 1400))
    sent = [
        [sps(codec), *(slice_(codec, size, first=not index) for index, size in enumerate(unit))]
        for unit in sizes
    ]
    found, pictures = put_together(CODECS[codec], packets(codec, sent, limit))
    assert [split_annex_b(one.data) for one in found] == sent
    assert [one.timestamp for one in found] == [number * 3000 for number in range(len(sent))]
    assert (pictures.damaged, pictures.unmarked) == (0, 0)


@pytest.mark.parametrize("codec", CODECS)
@given(st.data())
def test_a_picture_is_whole_or_not_there(codec: str, data: st.DataObject) -> None:
    sent = [[slice_(codec, 2500), slice_(codec, 700, first=False)] for _ in range(6)]
    all_packets = packets(codec, sent)
    lost = data.draw(st.sets(st.integers(1, len(all_packets) - 1)))
    arrived = [one for index, one in enumerate(all_packets) if index not in lost]
    found, _ = put_together(CODECS[codec], arrived)
    whole = {join_annex_b(nals) for nals in sent}
    assert all(one.data in whole for one in found)


@pytest.mark.parametrize("codec", CODECS)
def test_a_hole_costs_the_picture_that_it_is_in_and_is_counted(codec: str) -> None:
    sent = [[slice_(codec, 2500)] for _ in range(3)]
    all_packets = packets(codec, sent)
    found, pictures = put_together(CODECS[codec], all_packets[:1] + all_packets[2:])
    assert [one.timestamp for one in found] == [3000, 6000]
    assert pictures.damaged == 1


@pytest.mark.parametrize("codec", CODECS)
def test_a_lost_end_costs_nothing_of_the_next(codec: str) -> None:
    all_packets = packets(codec, [[slice_(codec, 1500)], [slice_(codec, 1500)]])
    found, pictures = put_together(CODECS[codec], [all_packets[0], *all_packets[2:]])
    assert [one.timestamp for one in found] == [3000]
    assert pictures.damaged == 1


@pytest.mark.parametrize("codec", CODECS)
def test_a_picture_whose_first_slice_is_missing_is_left_out(codec: str) -> None:
    all_packets = packets(
        codec, [[slice_(codec, 950)], [slice_(codec, 950), slice_(codec, 950, first=False)]]
    )
    found, pictures = put_together(CODECS[codec], [all_packets[0], all_packets[2]])
    assert [one.timestamp for one in found] == [0]
    assert pictures.damaged == 1


@pytest.mark.parametrize("codec", CODECS)
def test_key_frames_are_known(codec: str) -> None:
    found, _ = put_together(
        CODECS[codec], packets(codec, [[sps(codec), key(codec)], [slice_(codec)]])
    )
    assert [one.key for one in found] == [True, False]


def test_without_markers_a_picture_ends_with_the_next_timestamp() -> None:
    sent = packets("h264", [[slice_("h264")]] * 4, marker=False)
    found, pictures = put_together(H264, sent)
    assert len(found) == 3
    assert pictures.unmarked == 3
    assert pictures.damaged == 0


def test_a_camera_that_marks_every_slice_is_found_out() -> None:
    unit = [slice_("h264", 950), slice_("h264", 950, first=False)]
    sent = [
        RtpPacket(96, True, one.sequence, one.timestamp, 1, one.payload)
        for one in packets("h264", [unit] * 4)
    ]
    found, _ = put_together(H264, sent)
    assert [split_annex_b(one.data) for one in found[2:]] == [unit] * (len(found) - 2)
    assert len(found) >= 4


def test_parameter_sets_with_a_marker_of_their_own_are_no_picture() -> None:
    sets, picture = packets("h264", [[sps("h264")]]), packets("h264", [[key("h264")]])
    later = RtpPacket(96, True, 1, 0, 1, picture[0].payload)
    more = packets("h264", [[], [slice_("h264", 900)]])
    last = RtpPacket(96, True, 2, 3000, 1, more[0].payload)
    found, pictures = put_together(H264, [*sets, later, last])
    assert len(found) == 3
    assert pictures.unmarked == 0


@pytest.mark.parametrize(
    "payload",
    [b"", b"\x7c", b"\x7d\x00\x00", b"\x78\x00\x09\x61", b"\x78\x00\x00", b"\x7c\x01\x00"],
)
def test_a_broken_payload_breaks_its_picture_only(payload: bytes) -> None:
    first = RtpPacket(96, False, 0, 0, 1, memoryview(slice_("h264")))
    broken = RtpPacket(96, True, 1, 0, 1, memoryview(payload))
    after = RtpPacket(96, True, 2, 3000, 1, memoryview(slice_("h264")))
    found, pictures = put_together(H264, [first, broken, after])
    assert [one.timestamp for one in found] == [3000]
    assert pictures.damaged == 1


def test_a_picture_without_end_is_bounded() -> None:
    pictures = Pictures(H264)
    part = memoryview(slice_("h264", 60_000))
    held = 0
    for number in range(MAX_BYTES // 60_000 + 10):
        pictures.put(RtpPacket(96, False, number, 0, 1, part), gap=False)
        held = max(held, sum(map(len, pictures._parts)))
    assert held <= MAX_BYTES
    assert pictures.put(RtpPacket(96, True, 0, 0, 1, part), gap=False) == []
    assert pictures.damaged == 1


@given(
    payload=st.binary(max_size=60),
    payload_format=st.sampled_from(list(CODECS.values())),
    gap=st.booleans(),
)
def test_nothing_that_comes_raises(
    *, payload: bytes, payload_format: PayloadFormat, gap: bool
) -> None:
    packet = RtpPacket(96, True, 1, 1, 1, memoryview(payload))
    Pictures(payload_format).put(packet, gap=gap)
    Aac(1024).put(packet, gap=gap)
    rtp.parse(memoryview(payload))


# ── sound ────────────────────────────────────────────────────────────────────────────────────


def aac(sizes: list[int], data: bytes, timestamp: int = 0) -> RtpPacket:
    head = (16 * len(sizes)).to_bytes(2) + b"".join((size << 3).to_bytes(2) for size in sizes)
    return RtpPacket(97, True, 0, timestamp, 1, memoryview(head + data))


def test_frames_of_one_packet_follow_each_other() -> None:
    found = Aac(1024).put(aac([2, 3], b"aabbb", 0xFFFFFFFF), gap=False)
    assert [(one.data, one.timestamp) for one in found] == [(b"aa", 0xFFFFFFFF), (b"bbb", 1023)]


def test_a_frame_in_parts_is_put_together() -> None:
    reader = Aac(1024)
    assert reader.put(aac([6], b"aaa"), gap=False) == []
    (frame,) = reader.put(aac([6], b"bbb"), gap=False)
    assert frame.data == b"aaabbb"
    assert [one.data for one in reader.put(aac([1], b"c", 1024), gap=False)] == [b"c"]
    assert reader.damaged == 0


@pytest.mark.parametrize("gap", [True, False])
def test_a_frame_whose_rest_is_missing_is_counted(*, gap: bool) -> None:
    reader = Aac(1024)
    reader.put(aac([6], b"aaa"), gap=False)
    assert [one.data for one in reader.put(aac([1], b"c", 1024), gap=gap)] == [b"c"]
    assert reader.damaged == 1


@pytest.mark.parametrize("payload", [b"", b"\x00\x10", b"\x00\x08\x00\x00", b"\xff\xf0\x00\x00"])
def test_sound_that_cannot_be_read_is_counted(payload: bytes) -> None:
    reader = Aac(1024)
    assert reader.put(RtpPacket(97, True, 0, 0, 1, memoryview(payload)), gap=False) == []
    assert reader.damaged == 1


def test_a_block_is_a_packets_payload() -> None:
    (block,) = Blocks().put(RtpPacket(8, True, 0, 5, 1, memoryview(b"abc")), gap=False)
    assert (block.data, block.timestamp) == (b"abc", 5)
