"""Where we reach into aiortc and aioice, why, and whether it still holds.

Each change here mends something that has no public way. ``install`` runs once at start; when the
libraries have moved on it changes nothing and says what is lost, so that stock behaviour remains.
"""

import inspect
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final

import aioice.ice
import aiortc
import aiortc.codecs
import aiortc.rtcrtpsender
from aiortc import RTCPeerConnection, RTCRtpCodecParameters, RTCRtpSender
from aiortc.rtcrtpparameters import RTCRtcpFeedback
from aiortc.rtp import (
    RTCP_PSFB_FIR,
    RTCP_PSFB_PLI,
    RTCP_RTPFB_NACK,
    AnyRtcpPacket,
    RtcpPsfbPacket,
    RtcpRtpfbPacket,
)

logger = logging.getLogger(__name__)

GATHER_SECONDS: Final = 0.8  # stock: 5 s whenever any STUN or TURN server is silent
HISTORY_PACKETS: Final = 1024  # stock: 128, less than one IDR at 8 Mbit/s, so NACKs went unheard
CAMERA_PROFILES: Final = ("4d001f", "64001f", "640c1f")  # stock: 42001f and 42e01f only
_NTP_EPOCH: Final = 2_208_988_800  # seconds from 1900 to 1970, RFC 868
# One offset for the life of the process: when the wall clock is set meanwhile, the sender reports
# of sound and picture must not disagree.
_WALL_OFFSET: Final = time.time() - time.monotonic()


def install() -> None:
    """Applies all changes, or none with a warning when a name is missing."""
    missing = list(_missing())
    if missing:
        logger.warning(
            "aiortc %s is not the version this was written for (%s): ICE may be slow, lost packets "
            "may stay lost. Install aiortc 1.16.",
            aiortc.__version__,
            ", ".join(missing),
        )
        return
    component: Any = aioice.ice.Connection.get_component_candidates
    component.__defaults__ = (GATHER_SECONDS,)
    history: Any = aiortc.rtcrtpsender
    history.RTP_HISTORY_SIZE = HISTORY_PACKETS
    _add_profiles(CAMERA_PROFILES)


def _missing() -> Iterable[str]:
    gather = inspect.signature(aioice.ice.Connection.get_component_candidates)
    if gather.parameters.get("timeout") is None or list(gather.parameters)[-1] != "timeout":
        yield "gathering timeout"
    if not hasattr(aiortc.rtcrtpsender, "RTP_HISTORY_SIZE"):
        yield "RTP history"
    if "_RTCRtpSender__ntp_timestamp" not in RTCRtpSender._run_rtcp.__code__.co_names:  # noqa: SLF001
        yield "sender report clock"
    if not hasattr(RTCRtpSender, "_handle_rtcp_packet"):
        yield "RTCP"
    if not hasattr(aioice.ice.Connection, "request_received"):
        yield "ICE checks"
    if not hasattr(aioice.ice.StunProtocol, "request"):
        yield "answers to ICE checks"
    if not isinstance(aiortc.codecs.CODECS.get("video"), list):
        yield "codecs"


def _add_profiles(profiles: Iterable[str]) -> None:
    """Lets a camera's true profile be negotiated: Safari shows High announced as Baseline black."""
    codecs = aiortc.codecs.CODECS["video"]
    known = {codec.parameters.get("profile-level-id") for codec in codecs}
    free = max(codec.payloadType or 0 for codec in codecs) + 1
    for profile in profiles:
        if profile not in known:
            codecs += _h264(profile, free)
            free += 2


def _h264(profile: str, payload_type: int) -> list[RTCRtpCodecParameters]:
    feedback = [
        RTCRtcpFeedback(type="nack"),
        RTCRtcpFeedback(type="nack", parameter="pli"),
        RTCRtcpFeedback(type="goog-remb"),
    ]
    return [
        RTCRtpCodecParameters(
            mimeType="video/H264",
            clockRate=90_000,
            payloadType=payload_type,
            rtcpFeedback=feedback,
            parameters={
                "level-asymmetry-allowed": "1",
                "packetization-mode": "1",
                "profile-level-id": profile,
            },
        ),
        RTCRtpCodecParameters(
            mimeType="video/rtx",
            clockRate=90_000,
            payloadType=payload_type + 1,
            parameters={"apt": payload_type},
        ),
    ]


class CameraSender(RTCRtpSender):
    """A sender whose reports carry the camera's clock, and that listens to its receiver.

    Stock senders report the moment of sending, so that a late picture is shown in step with a
    sound that was not late. Made from a stock sender by ``adopt``.
    """

    on_heard: Callable[[], None]
    plis: int
    nacks: int

    @classmethod
    def adopt(cls, sender: RTCRtpSender, on_heard: Callable[[], None]) -> "CameraSender":
        """Turns a sender that has not started yet into one of ours."""
        sender.__class__ = cls
        assert isinstance(sender, cls)  # noqa: S101  # tells the type checker
        sender.on_heard = on_heard
        sender.plis = sender.nacks = 0
        return sender

    @property
    def _RTCRtpSender__ntp_timestamp(self) -> int:  # noqa: N802  # the name it shadows
        """The NTP time (RFC 3550 §4) of the unit that was sent last."""
        pts = getattr(self.track, "sent_pts", None)
        if pts is None:
            return 0  # "no wall clock" (RFC 3550 §6.4.1), as there is no RTP time to go with it
        return int((pts / 1_000_000 + _WALL_OFFSET + _NTP_EPOCH) * (1 << 32))

    @_RTCRtpSender__ntp_timestamp.setter
    def _RTCRtpSender__ntp_timestamp(self, value: int) -> None:  # noqa: N802
        """The moment of sending is of no interest."""

    async def _handle_rtcp_packet(self, packet: AnyRtcpPacket) -> None:
        self.on_heard()
        if isinstance(packet, RtcpPsfbPacket) and packet.fmt in (RTCP_PSFB_PLI, RTCP_PSFB_FIR):
            self.plis += 1
        elif isinstance(packet, RtcpRtpfbPacket) and packet.fmt == RTCP_RTPFB_NACK:
            self.nacks += len(packet.lost)
        await super()._handle_rtcp_packet(packet)


def watch_ice(connection: RTCPeerConnection, on_heard: Callable[[], None]) -> None:
    """Calls back at every ICE check of the peer: browsers send one every few seconds (RFC 7675)."""
    for ice in _ice(connection):
        stock = ice.request_received

        def heard(*arguments: Any, stock: Any = stock) -> None:
            on_heard()
            stock(*arguments)

        ice.request_received = heard


def watch_consent(connection: RTCPeerConnection, on_heard: Callable[[], None]) -> None:
    """Calls back at every answer to a check of ours; ICE-lite peers send none of their own.

    To be called when the candidates are gathered and nothing is connected yet.
    """
    for ice in _ice(connection):
        for protocol in ice._protocols:  # noqa: SLF001
            protocol.request = _noting(protocol.request, on_heard)


def _ice(connection: RTCPeerConnection) -> list[Any]:
    """Aioice's connection, if there is one yet: in a bundle the first transceiver's is all's."""
    first = connection.getTransceivers()[:1]
    return [transceiver.sender.transport.transport._connection for transceiver in first]  # noqa: SLF001


def _noting(stock: Callable[..., Awaitable[Any]], on_heard: Callable[[], None]) -> Any:
    async def request(*arguments: Any, **options: Any) -> Any:
        answer = await stock(*arguments, **options)
        on_heard()
        return answer

    return request


def negotiated(connection: RTCPeerConnection, kind: str) -> str | None:
    """The codec that would be sent, as in ``video/H264``; None when there is none."""
    for transceiver in connection.getTransceivers():
        codecs = transceiver._codecs  # noqa: SLF001
        if transceiver.kind == kind and codecs:
            return str(codecs[0].mimeType)
    return None
