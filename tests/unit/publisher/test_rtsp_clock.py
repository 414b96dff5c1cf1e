"""Streams whose timestamps begin anywhere are brought onto one clock, and pictures never jump."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher.media.packets import SECOND
from publisher.sources.rtsp import rtcp, rtp
from publisher.sources.rtsp.clock import SessionClock, StreamClock
from publisher.sources.rtsp.rtcp import ReportBlock, SenderReport
from publisher.sources.rtsp.rtp import Reception, Unwrapper

NOW = 500 * SECOND
VIDEO, AUDIO = 90_000, 48_000


def clocks(video: int | None = None, audio: int | None = None) -> tuple[StreamClock, StreamClock]:
    session = SessionClock(NOW)
    return session.stream(VIDEO, video), session.stream(AUDIO, audio)


def report(timestamp: int, seconds: float) -> SenderReport:
    return SenderReport(1, int((3_900_000_000 + seconds) * 2**32), timestamp)


def test_the_first_packet_is_now_and_time_goes_on_when_timestamps_wrap() -> None:
    video, _ = clocks()
    assert video.place(0xFFFFFFFF - 2999, NOW) == NOW
    assert video.place(0, NOW + 40_000) == NOW + SECOND // 30


def test_pictures_out_of_order_keep_their_times() -> None:
    video, _ = clocks()
    times = [video.place(ticks, NOW) for ticks in (9000, 3000, 6000)]
    assert [time - times[1] for time in times] == [66_667, 0, 33_333]


def test_rtp_info_says_how_the_streams_belong_together() -> None:
    video, audio = clocks(1000, 777)
    assert video.place(1000 + 9000, NOW + 300_000) == NOW + 100_000
    assert audio.place(777 + 4800, NOW + 400_000) == NOW + 100_000


def test_rtp_info_that_makes_no_sense_is_left_alone() -> None:
    video, _ = clocks(0)
    assert video.place(123_456_789, NOW) == NOW


def test_sender_reports_move_the_sound_to_the_picture() -> None:
    video, audio = clocks()
    video.place(0, NOW)
    audio.place(0, NOW)
    video.report(report(0, 10.0))
    audio.report(report(0, 9.9))  # the sound is 100 ms older than it seemed
    assert video.place(3000, NOW) == NOW + SECOND // 30
    assert abs(audio.place(0, NOW) - (NOW - 100_000)) <= 1


def test_reports_before_the_first_packets_serve_as_well() -> None:
    video, audio = clocks()
    audio.report(report(48_000, 10.0))
    video.report(report(90_000, 10.0))
    audio.place(48_000, NOW)
    video.place(90_000 + 9000, NOW + 20_000)  # 100 ms younger than that sound
    assert abs(audio.place(48_000, NOW) - (NOW + 20_000 - 100_000)) <= 1


def test_reports_that_waver_do_not_stir_the_sound_but_drift_is_followed() -> None:
    video, audio = clocks()
    video.place(0, NOW)
    audio.place(0, NOW)
    video.report(report(0, 10.0))
    audio.report(report(0, 10.0))
    audio.report(report(48_000, 11.004))
    assert abs(audio.place(48_000, NOW + SECOND) - (NOW + SECOND)) <= 1
    audio.report(report(96_000, 12.015))
    assert abs(audio.place(96_000, NOW + 2 * SECOND) - (NOW + 2_015_000)) <= 1


def test_reports_of_different_clocks_are_nonsense() -> None:
    video, audio = clocks()
    video.place(0, NOW)
    audio.place(0, NOW)
    video.report(report(0, 10.0))
    audio.report(report(0, 4000.0))
    audio.report(SenderReport(1, 0, 0))
    assert audio.place(0, NOW) == NOW


def test_a_stream_that_sets_its_clock_goes_on() -> None:
    video, _ = clocks()
    video.place(0, NOW)
    assert video.place(3000, NOW + 33_333) == NOW + 33_333
    assert video.place(3_000_000_000, NOW + 66_666) == NOW + 66_666
    assert abs(video.place(3_000_003_000, NOW + 100_000) - (NOW + 99_999)) <= 1


def test_a_burst_after_a_stall_keeps_its_times() -> None:
    video, _ = clocks()
    video.place(0, NOW)
    times = [video.place(number * 3000, NOW + 4 * SECOND) for number in range(1, 120)]
    assert abs(times[-1] - (NOW + 119 * SECOND // 30)) <= 1


@given(st.integers(0, 0xFFFFFFFF), st.lists(st.integers(-(2**31) + 1, 2**31 - 1)))
def test_what_is_unwrapped_wraps_to_what_it_was(begin: int, steps: list[int]) -> None:
    unwrapper, true = Unwrapper(32), begin
    assert unwrapper.put(begin) == true
    for step in steps:
        true += step
        assert unwrapper.put(true & 0xFFFFFFFF) == true


def test_gaps_are_noticed_and_counted_across_the_wrap() -> None:
    reception = Reception(1)
    assert [reception.put(number) for number in (65_534, 65_535, 0, 3, 4)] == [
        False, False, False, True, False,
    ]  # fmt: skip
    assert reception.lost == 2
    assert reception.highest == 65_536 + 4


# ── on the wire ──────────────────────────────────────────────────────────────────────────────


def test_an_rtp_packet_is_taken_apart() -> None:
    head = struct.pack(">BBHII", 0x80, 0x80 | 96, 7, 9, 11)
    packet = rtp.parse(memoryview(head + b"media"))
    assert packet
    assert (packet.payload_type, packet.marker, packet.sequence) == (96, True, 7)
    assert (packet.timestamp, packet.ssrc, bytes(packet.payload)) == (9, 11, b"media")


def test_padding_extension_and_sources_are_no_media() -> None:
    head = struct.pack(">BBHII", 0xB1, 96, 7, 9, 11) + bytes(4) + b"\x00\x01\x00\x01" + bytes(4)
    packet = rtp.parse(memoryview(head + b"media" + b"\x00\x00\x03"))
    assert packet
    assert bytes(packet.payload) == b"media"


@pytest.mark.parametrize(
    "data",
    [b"", bytes(20), b"\x90" + bytes(12), b"\xa0" + bytes(11) + b"\xff", b"\x8f" + bytes(20)],
)
def test_what_is_no_rtp_is_told(data: bytes) -> None:
    assert rtp.parse(memoryview(data)) is None


def test_sender_reports_are_found_in_compound_packets() -> None:
    sent = struct.pack(">BBHIQIII", 0x80, 200, 6, 5, 3 << 32, 90_000, 1, 2)
    goodbye = struct.pack(">BBHI", 0x81, 203, 1, 5)
    (found,) = rtcp.sender_reports(memoryview(goodbye + sent + goodbye))
    assert (found.ssrc, found.microseconds, found.timestamp) == (5, 3 * SECOND, 90_000)
    assert list(rtcp.sender_reports(memoryview(sent[:20]))) == []


@given(st.binary(max_size=80))
def test_no_report_raises(data: bytes) -> None:
    list(rtcp.sender_reports(memoryview(data)))


def test_a_receiver_report_says_what_was_received() -> None:
    last = SenderReport(5, 0x0001_2345_6789_ABCD, 0)
    data = rtcp.receiver_report(9, "porthole", [ReportBlock(5, 3, 70_000, last, 0.5)])
    version, kind, length, ssrc, source, lost, highest, _, lsr, delay = struct.unpack(
        ">BBHIIIIIII", data[:32]
    )
    assert (version, kind, length, ssrc, source) == (0x81, 201, 7, 9, 5)
    assert (lost, highest, lsr, delay) == (3, 70_000, 0x2345_6789, 32_768)
    assert data[33] == 202
    assert len(data) % 4 == 0
    assert len(data[32:]) == 4 + 4 * int.from_bytes(data[34:36])
    assert b"\x01\x08porthole\x00" in data
