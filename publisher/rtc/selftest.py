"""Whether our own road from a burst to the wire says what aiortc's would.

It rests on private names of aiortc, aioice and pylibsrtp. So before anybody is sent anything, a
picture goes down both roads, and must come out of stock SRTP as the same bytes.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

from aioice.ice import Connection
from aioice.turn import TurnClientMixin, TurnClientTcpProtocol, TurnTransport
from aiortc import RTCRtpSender
from aiortc.rtcdtlstransport import SRTP_PROFILES, RTCDtlsTransport
from aiortc.rtcrtpparameters import RTCRtpHeaderExtensionParameters, RTCRtpParameters
from aiortc.rtp import (
    HeaderExtensionsMap,
    RtcpPacket,
    RtcpSdesPacket,
    RtcpSenderInfo,
    RtcpSourceInfo,
    RtcpSrPacket,
    RtpPacket,
    wrap_rtx,
)
from pylibsrtp import Policy, Session

from publisher.media.rtp import Burst
from publisher.rtc.path import Path
from publisher.rtc.sender import TAG_BYTES
from publisher.rtc.stream import Extensions, Parameters, RtpStream

_PAYLOADS: Final = [bytes([0x7C, 0x85]) + bytes(range(200)), bytes([0x7C, 0x45]) + bytes(100)]
_EXTENSIONS: Final = (
    "urn:ietf:params:rtp-hdrext:sdes:mid",
    "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
)
_PARAMETERS: Final = Parameters(
    ssrc=0x12345678,
    payload_type=99,
    clock_rate=90_000,
    sequence=0xFFFF,  # the next one is 0
    origin=0xFFFFFFF0,
    repair_ssrc=0x9ABCDEF0,
    repair_payload_type=100,
    repair_sequence=7,
    cname="camera",
)
_SENDER: Final = (
    "rtp_started", "rtp_exited", "rtp_header_extensions_map", "mid", "rtx_payload_type",
    "packet_count", "octet_count", "ntp_timestamp", "rtcp_started", "rtcp_exited", "cname",
)  # fmt: skip


class SelfTestError(Exception):
    """Our road cannot be taken; says why."""


def check() -> None:
    """Raises SelfTestError, or whatever the libraries raise where they are no longer as known."""
    if missing := list(_missing()):
        raise SelfTestError(f"without {', '.join(missing)}")
    for profile in SRTP_PROFILES:
        key = bytes(range(profile.key_length + profile.salt_length))
        _check_profile(profile.libsrtp_profile, key, TAG_BYTES[profile.openssl_profile])


def _missing() -> Iterable[str]:
    known = {name for part in (RTCRtpSender.__init__, RTCRtpSender.send) for name in _names(part)}
    yield from (name for name in _SENDER if f"_RTCRtpSender__{name}" not in known)
    for owner, names in (
        (RTCDtlsTransport.__init__, ("_tx_srtp", "_ssl")),
        (Connection.__init__, ("_nominated",)),
        (TurnClientMixin.__init__, ("peer_to_channel", "channel_refresh_at")),
        (TurnTransport.__init__, ("_TurnTransport__inner_protocol",)),
        (TurnClientTcpProtocol._send, ("_padded",)),  # noqa: SLF001
    ):
        yield from set(names) - _names(owner)


def _names(function: Any) -> set[str]:
    return set(function.__code__.co_names)


class _Wire(Path):
    """A path that keeps what it is given."""

    def __init__(self) -> None:
        self.packets: list[bytes] = []

    def send(self, packets: memoryview, size: int) -> int:
        self.packets += [
            bytes(packets[begin : begin + size]) for begin in range(0, len(packets), size)
        ]
        return len(packets)


def _check_profile(profile: int, key: bytes, tag: int) -> None:
    wire = _Wire()
    extensions = _negotiated()
    srtp = _session(profile, key, Policy.SSRC_ANY_OUTBOUND)
    stream = RtpStream(wire, srtp, tag, Extensions(extensions, "0"), _PARAMETERS)
    receiver = _session(profile, key, Policy.SSRC_ANY_INBOUND)
    stream.reports.due = 0.0
    stream.send(Burst(_PAYLOADS, stream.head, tag, last=True), stream.use(123_456))
    _check_report(receiver.unprotect_rtcp(wire.packets.pop()))
    stream.resend([0])
    _check_refusal(wire, srtp, tag)
    got = [RtpPacket.parse(receiver.unprotect(packet), extensions) for packet in wire.packets]
    stock = [_stock(index) for index in range(len(_PAYLOADS))]
    repair = wrap_rtx(stock[1], payload_type=100, sequence_number=7, ssrc=_PARAMETERS.repair_ssrc)
    for ours, theirs in zip(got, [*stock, repair], strict=True):
        theirs.extensions.abs_send_time = ours.extensions.abs_send_time
        if ours.serialize(extensions) != theirs.serialize(extensions):
            raise SelfTestError(f"{ours} is not {theirs}")


def _check_report(report: bytes) -> None:
    match RtcpPacket.parse(report):
        case [RtcpSrPacket() as sent, RtcpSdesPacket(chunks=[source])]:
            seen = sent.ssrc, sent.sender_info, source
        case other:
            raise SelfTestError(f"{other} is no sender report")
    stock = RtcpSenderInfo(
        ntp_timestamp=sent.sender_info.ntp_timestamp,
        rtp_timestamp=_stock(0).timestamp,
        packet_count=len(_PAYLOADS),
        octet_count=sum(map(len, _PAYLOADS)),
    )
    name = RtcpSourceInfo(ssrc=_PARAMETERS.ssrc, items=[(1, _PARAMETERS.cname.encode())])
    if seen != (_PARAMETERS.ssrc, stock, name):
        raise SelfTestError(f"{seen} is not what was sent")


def _check_refusal(wire: _Wire, srtp: Session, tag: int) -> None:
    """What libsrtp does not encrypt, as a packet far behind its window, must stay here."""
    before = len(wire.packets)
    late = replace(_PARAMETERS, sequence=0xE000, repair_payload_type=None)
    stream = RtpStream(wire, srtp, tag, Extensions(HeaderExtensionsMap(), "0"), late)
    stream.send(Burst(_PAYLOADS, stream.head, tag, last=True), 0)
    if len(wire.packets) > before or not stream.unencrypted:
        raise SelfTestError("refusals of libsrtp go unnoticed")


def _session(profile: int, key: bytes, streams: int) -> Session:
    policy = Policy(key=key, ssrc_type=streams, srtp_profile=profile)
    policy.allow_repeat_tx = True
    return Session(policy)


def _negotiated() -> HeaderExtensionsMap:
    known = HeaderExtensionsMap()
    known.configure(
        RTCRtpParameters(
            headerExtensions=[
                RTCRtpHeaderExtensionParameters(id=number, uri=uri)
                for number, uri in enumerate(_EXTENSIONS, 1)
            ]
        )
    )
    return known


def _stock(index: int) -> RtpPacket:
    packet = RtpPacket(
        payload_type=_PARAMETERS.payload_type,
        marker=int(index == len(_PAYLOADS) - 1),
        sequence_number=(_PARAMETERS.sequence + index) & 0xFFFF,
        timestamp=(_PARAMETERS.origin + 123_456 * 90_000 // 1_000_000) & 0xFFFFFFFF,
        ssrc=_PARAMETERS.ssrc,
        payload=_PAYLOADS[index],
    )
    packet.extensions.mid = "0"
    return packet
