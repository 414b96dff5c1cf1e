"""A stream is what aiortc would send, keeps what may be asked for again, and not for ever."""

import logging
import struct
import time
from collections.abc import Iterator
from typing import Any

import pytest
from aiortc.rtcrtpparameters import RTCRtpHeaderExtensionParameters, RTCRtpParameters
from aiortc.rtp import (
    RTCP_RTPFB_NACK,
    HeaderExtensionsMap,
    RtcpPacket,
    RtcpRtpfbPacket,
    RtcpSenderInfo,
    RtcpSrPacket,
    RtpPacket,
    unpack_header_extensions,
)
from pylibsrtp import Policy, Session

from publisher.media.rtp import Burst
from publisher.rtc import history, private, reports, selftest, stream
from publisher.rtc.path import Path
from publisher.rtc.sender import CameraSender, DirectSender
from publisher.rtc.stream import Extensions, Outcome, Parameters, RtpStream

KEY = bytes(range(30))
PROFILE = Policy.SRTP_PROFILE_AES128_CM_SHA1_80
TAG = 10
_NO_EXTENSIONS = HeaderExtensionsMap()


@pytest.fixture(autouse=True)
def no_report_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the machine pauses for half a second one would be, among the packets."""
    monkeypatch.setattr(reports, "_pause", lambda: 3600.0)


class Wire(Path):
    """A path that keeps what it is given, or so many packets of it, or is gone."""

    def __init__(self) -> None:
        self.packets: list[bytes] = []
        self.gone = False
        self.room = 1000

    def send(self, packets: memoryview, size: int) -> int | None:
        if self.gone:
            return None
        taken = min(len(packets), self.room * size)
        cuts = range(0, taken, size)
        self.packets += [bytes(packets[begin : begin + size]) for begin in cuts]
        return taken


class Rig:
    """A stream, and what a receiver makes of it."""

    def __init__(
        self, repair: int | None = 100, known: HeaderExtensionsMap = _NO_EXTENSIONS
    ) -> None:
        self.wire = Wire()
        parameters = Parameters(1, 99, 90_000, 65_534, 7, 2, repair, 500)
        outbound = self._session(Policy.SSRC_ANY_OUTBOUND)
        self.stream = RtpStream(self.wire, outbound, TAG, Extensions(known, "0"), parameters)
        self._inbound = self._session(Policy.SSRC_ANY_INBOUND)

    def _session(self, streams: int) -> Session:
        policy = Policy(key=KEY, ssrc_type=streams, srtp_profile=PROFILE)
        policy.allow_repeat_tx = True
        policy.window_size = 1024  # as aiortc's
        return Session(policy)

    def send(self, *payloads: bytes, pts: int = 0) -> Outcome:
        burst = Burst(list(payloads), self.stream.head, TAG, last=True)
        return self.stream.send(burst, self.stream.use(pts))

    def report(self, packet: bytes) -> RtcpSenderInfo:
        """What a sender report says."""
        report = RtcpPacket.parse(self._inbound.unprotect_rtcp(packet))[0]
        assert isinstance(report, RtcpSrPacket)
        return report.sender_info

    def received(self) -> list[RtpPacket]:
        """What has come since the last time."""
        came, self.wire.packets = self.wire.packets, []
        return [RtpPacket.parse(self._inbound.unprotect(packet)) for packet in came]


def test_packets_are_numbered_and_the_last_one_is_marked() -> None:
    rig = Rig()
    assert rig.send(b"ab", b"cd", b"e", pts=1_000_000) is Outcome.SENT
    came = rig.received()
    assert [p.sequence_number for p in came] == [65_534, 65_535, 0]
    assert [p.payload for p in came] == [b"ab", b"cd", b"e"]
    assert [p.marker for p in came] == [0, 0, 1]
    assert {(p.timestamp, p.ssrc, p.payload_type) for p in came} == {(90_007, 1, 99)}


def test_a_packet_that_is_asked_for_comes_again_with_its_old_number_inside() -> None:
    rig = Rig()
    rig.send(b"ab", b"cd", pts=0)
    rig.received()
    rig.stream.resend([65_535, 65_534])
    came = rig.received()
    assert [p.payload for p in came] == [b"\xff\xffcd", b"\xff\xfeab"]
    assert [(p.sequence_number, p.ssrc, p.payload_type) for p in came] == [
        (500, 2, 100),
        (501, 2, 100),
    ]
    assert rig.stream.repaired == 2


@pytest.mark.parametrize("repair", [100, None])
def test_a_request_that_reaches_beyond_the_last_number_is_met(repair: int | None) -> None:
    rig = Rig(repair)
    rig.send(b"ab", b"cd", b"ef")
    rig.wire.packets.clear()
    message = struct.pack("!LLHH", 9, 1, 65_535, 0b1)
    rig.stream.resend(RtcpRtpfbPacket.parse(message, RTCP_RTPFB_NACK).lost)
    assert [p.payload[-2:] for p in rig.received()] == [b"cd", b"ef"]


def test_a_receiver_without_rtx_gets_the_same_packet_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rig = Rig(repair=None, known=selftest._negotiated())
    rig.send(b"ab", b"cd")
    first = rig.wire.packets[1]
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 1)  # which abs-send-time would say
    rig.stream.resend([65_535])
    assert rig.wire.packets[2] == first


def test_what_the_cipher_refuses_is_never_sent() -> None:
    """It refuses to repeat what is behind its window, and leaves it in clear."""
    rig = Rig(repair=None)
    for _ in range(60):
        rig.send(*[b"secret"] * 20)
    rig.wire.packets.clear()
    rig.stream.resend([65_534])
    assert not rig.wire.packets
    assert (rig.stream.repaired, rig.stream.unrepaired) == (0, 1)
    rig.stream._count = 0
    assert rig.send(b"secret") is Outcome.LOST
    assert not rig.wire.packets
    assert rig.stream.unencrypted == 1


def test_what_was_never_sent_or_is_too_old_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig()
    rig.send(b"ab")
    rig.stream.resend([9])
    monkeypatch.setattr(history, "HISTORY_BYTES", 1)
    rig.send(b"cd")
    rig.received()
    rig.stream.resend([65_534, 65_535])
    assert [p.payload for p in rig.received()] == [b"\xff\xffcd"]
    assert rig.stream.unrepaired == 2


def test_who_asks_for_everything_again_gets_only_so_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "REPAIR_RATE", 0)
    rig = Rig()
    payload = bytes(1000)
    rig.send(*[payload] * 30)
    for _ in range(40):
        rig.stream.resend([(65_534 + step) & 0xFFFF for step in range(30)])
    assert rig.stream.repaired + rig.stream.unrepaired == 40 * 30
    assert 0.9 * history.REPAIR_BYTES < rig.stream.repaired * 1000 <= history.REPAIR_BYTES


def test_a_request_for_everything_costs_no_more_than_the_packets_it_may_name() -> None:
    rig = Rig()
    for _ in range(3):
        rig.send(b"ab", b"cd")
    looked: list[int] = []
    find = rig.stream._history.find

    def look(count: int) -> history.Sent | None:
        looked.append(count)
        return find(count)

    rig.stream._history.find = look  # type: ignore[method-assign]
    rig.stream.resend(range(65_536))
    assert len(looked) == stream.MOST_NAMED
    assert rig.stream.repaired + rig.stream.unrepaired == 65_536


def test_who_asks_again_before_an_answer_can_be_there_gets_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Chromium asks each 100 ms, wherever it is."""
    now = 1000.0
    monkeypatch.setattr("publisher.rtc.stream.time.time", lambda: now)
    rig = Rig()
    rig.send(b"ab", b"cd")
    rig.received()
    rig.stream.reception.round_trip = 0.25
    for _ in range(10):
        rig.stream.resend([65_534])
        now += 0.1
    assert len(rig.received()) == 4  # at 0, 0.3, 0.6 and 0.9 s
    rig.stream.resend([65_535])
    assert (rig.stream.repaired, rig.stream.unrepaired) == (5, 0)


def test_what_is_on_its_way_again_is_remembered_for_a_while() -> None:
    repeats = history.Repeats()
    assert all(repeats.due(count, 1.0, 0.2) for count in range(3000))
    assert not repeats.due(2999, 1.1, 0.2)
    assert repeats.due(2998, 1.01 + history.REPEAT_SECONDS, 9.0)
    assert len(repeats._at) <= 1000


def test_room_for_the_playout_delay_is_padding_until_it_is_told() -> None:
    known = HeaderExtensionsMap()
    for delay in (0, 4):
        extensions = Extensions(known, "0", delay)
        assert extensions.at(0.0) == (b"\xbe\xde\x00\x01" + bytes(4) if delay else b"")
        extensions.play_at_once(at_once=True)
        assert extensions.at(0.0)[4:] == (b"\x42\0\0\0" if delay else b"")
        extensions.play_at_once(at_once=False)
        assert extensions.at(0.0)[4:] == (b"\x42\x00\x0f\xff" if delay else b"")


def test_the_playout_delay_stands_behind_what_aiortc_knows() -> None:
    known = HeaderExtensionsMap()
    uri = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
    known.configure(
        RTCRtpParameters(headerExtensions=[RTCRtpHeaderExtensionParameters(id=3, uri=uri)])
    )
    extensions = Extensions(known, "0", 4)
    extensions.play_at_once(at_once=True)
    whole = extensions.at(1.0)
    assert len(whole) == len(extensions)
    found = dict(unpack_header_extensions(0xBEDE, whole[4:]))
    assert found[4] == bytes(3)
    assert found[3] == Extensions(known, "0").at(1.0)[5:8]


def test_a_playout_delay_that_would_need_longer_headers_is_left_out() -> None:
    extensions = Extensions(HeaderExtensionsMap(), "0", 15)
    extensions.play_at_once(at_once=True)
    assert extensions.at(0.0) == b""


def test_where_packets_are_repeated_as_they_were_none_is_told_to_play_at_once() -> None:
    told: list[bool] = []
    for repair in (None, 100):
        rig = Rig(repair=repair)
        rig.stream._extensions.play_at_once = lambda *, at_once: told.append(at_once)  # type: ignore[method-assign]
        rig.stream.play_at_once(at_once=True)
    assert told == [True]


def test_what_is_forgotten_is_not_sent_again() -> None:
    rig = Rig()
    rig.send(b"ab")
    rig.stream.forget()
    rig.send(b"cd")
    rig.received()
    rig.stream.resend([65_534, 65_535])
    assert [p.payload for p in rig.received()] == [b"\xff\xffcd"]


def test_who_may_have_no_more_is_not_searched_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "REPAIR_BYTES", 0)
    rig = Rig()
    rig.send(b"ab", b"cd")
    rig.received()
    rig.stream.resend([65_534, 65_535])
    assert not rig.received()
    assert rig.stream.unrepaired == 2


def test_a_packet_is_found_among_many_bursts() -> None:
    kept = history.History()
    for first in range(0, 300, 3):
        burst = Burst([b"a"] * (3 if first % 2 else 2), 0, 0, last=True)
        kept.add(history.Sent(first, 0, 0.0, burst))
    for count in range(-1, 301):
        sent = kept.find(count)
        first = count - count % 3
        there = 0 <= count < 300 and count % 3 < (3 if first % 2 else 2)
        assert (sent.first if sent else None) == (first if there else None)


def test_what_a_full_path_did_not_take_follows_as_it_was() -> None:
    rig, other = Rig(), Rig()
    rig.wire.room = 1
    assert rig.send(b"ab", b"cd", b"ef", pts=7) is Outcome.FULL
    other.send(b"somebody else's, encrypted in the same place")
    assert rig.stream.go_on() is Outcome.FULL
    rig.stream.resend([65_535])
    assert not rig.stream.packets + rig.stream.repaired
    assert rig.stream.go_on() is Outcome.SENT
    assert [p.payload for p in rig.received()] == [b"ab", b"cd", b"ef"]
    assert rig.stream.packets == 3


def test_what_a_full_path_does_not_take_is_not_repaired() -> None:
    rig = Rig()
    rig.send(b"ab", b"cd")
    rig.wire.room = 0
    rig.stream.resend([65_534, 65_535])
    assert (rig.stream.repaired, rig.stream.unrepaired) == (0, 2)


def test_numbers_of_what_was_lost_are_never_used_again() -> None:
    rig = Rig()
    rig.send(b"ab")
    rig.wire.gone = True
    assert rig.send(b"cd", b"ef") is Outcome.LOST
    rig.wire.gone = False
    rig.send(b"gh")
    assert [p.sequence_number for p in rig.received()] == [65_534, 1]
    rig.stream.resend([65_535])
    assert not rig.received()
    assert rig.stream.packets == 2


def test_pictures_that_are_sent_once_more_are_packed_between_the_last_and_the_next() -> None:
    rig = Rig()
    times = [rig.stream.use(pts) for pts in (0, 33_333, 0, 33_333, 66_666)]
    assert times == [7, 7 + 2999, 7 + 3000, 7 + 3001, 7 + 5999]


def test_a_report_leaves_behind_its_picture_when_it_is_due() -> None:
    rig = Rig()
    rig.send(b"ab", pts=66_666)
    assert len(rig.received()) == 1  # it is not due yet
    rig.stream.reports.due = 0.0
    rig.send(b"cde", pts=33_333)
    report = rig.wire.packets[1]
    sent = rig.report(report)
    assert (sent.rtp_timestamp, sent.packet_count, sent.octet_count) == (7 + 2999, 2, 5)
    rig.wire.packets.clear()
    rig.send(b"ef")
    assert len(rig.wire.packets) == 1


def test_a_report_that_the_path_does_not_take_is_made_anew_with_the_next_picture() -> None:
    rig = Rig()
    rig.stream.reports.due = 0.0
    rig.wire.gone = True
    rig.send(b"ab")
    rig.wire.gone = False
    rig.send(b"cd")
    assert len(rig.wire.packets) == 2


def test_reports_of_one_picture_differ_for_who_waits_for_their_answers() -> None:
    rig = Rig()
    times = []
    for _ in range(2):
        rig.stream.reports.due = 0.0
        rig.send(b"ab", pts=1)
        times.append(rig.report(rig.wire.packets.pop()).ntp_timestamp)
    assert (times[1] - times[0]) >> 16 == 1


# ── the test before all ──────────────────────────────────────────────────────────────────────


@pytest.fixture
def afresh() -> Iterator[None]:
    private.sender_type.cache_clear()
    yield
    private.sender_type.cache_clear()


def test_our_road_passes_its_own_test() -> None:
    assert private.sender_type() is DirectSender


@pytest.mark.usefixtures("afresh")
def test_a_name_that_is_gone_closes_our_road_with_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(selftest, "_SENDER", ("rtp_started", "moved_on"))
    assert private.sender_type() is CameraSender
    assert "moved_on" in caplog.text
    assert caplog.records[0].levelno == logging.WARNING


@pytest.mark.usefixtures("afresh")
def test_a_cipher_without_its_hidden_binding_closes_our_road(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stream, "_lib", None)
    assert private.sender_type() is CameraSender


@pytest.mark.usefixtures("afresh")
def test_bytes_that_aiortc_would_not_send_close_our_road(monkeypatch: pytest.MonkeyPatch) -> None:
    stock: Any = RtpStream._protect

    def twist(self: RtpStream, burst: Burst, count: int, timestamp: int, extensions: bytes) -> bool:
        return bool(stock(self, burst, count, timestamp + 1, extensions))

    monkeypatch.setattr(RtpStream, "_protect", twist)
    assert private.sender_type() is CameraSender
