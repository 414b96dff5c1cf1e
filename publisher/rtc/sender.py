"""Our senders in the place of aiortc's: they listen to their receiver, and send by themselves.

Both are made from a stock sender that has not started yet. Without ``direct`` aiortc goes on
pulling tracks, packet by packet, as it always does.
"""

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import Callable
from typing import Any, Final

from aiortc import RTCRtpCodecParameters, RTCRtpSender
from aiortc.rtcrtpparameters import RTCRtpSendParameters
from aiortc.rtp import (
    RTCP_PSFB_APP,
    RTCP_PSFB_FIR,
    RTCP_PSFB_PLI,
    RTCP_RTPFB_NACK,
    AnyRtcpPacket,
    RtcpByePacket,
    RtcpPsfbPacket,
    RtcpRrPacket,
    RtcpRtpfbPacket,
    RtcpSrPacket,
    unpack_remb_fci,
)

from publisher.rtc.path import Path
from publisher.rtc.reports import ntp_time
from publisher.rtc.stream import Extensions, Parameters, RtpStream

logger = logging.getLogger(__name__)

PLAYOUT_DELAY: Final = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"
TAG_BYTES: Final = {  # of SRTP: RFC 7714 §13.2, RFC 3711 §5.2
    b"SRTP_AEAD_AES_256_GCM": 16,
    b"SRTP_AEAD_AES_128_GCM": 16,
    b"SRTP_AES128_CM_SHA1_80": 10,
}


class CameraSender(RTCRtpSender):
    """A sender whose reports carry the camera's clock, and that listens to its receiver."""

    on_heard: Callable[[], None]
    on_picture_lost: Callable[[], None]
    plis: int
    nacks: int
    estimate: int | None
    """What the receiver thinks that the path carries, bit/s (REMB); None: it has not said."""

    @classmethod
    def adopt(
        cls,
        sender: RTCRtpSender,
        on_heard: Callable[[], None],
        on_picture_lost: Callable[[], None],
    ) -> "CameraSender":
        """Turns a sender that has not started yet into one of ours."""
        sender.__class__ = cls
        assert isinstance(sender, cls)  # noqa: S101  # tells the type checker
        sender.on_heard = on_heard
        sender.on_picture_lost = on_picture_lost
        sender.plis = sender.nacks = 0
        sender.estimate = None
        return sender

    @property
    def sent_pts(self) -> int | None:
        """The time of the unit that was sent last, in microseconds."""
        return getattr(self.track, "sent_pts", None)

    @property
    def _RTCRtpSender__ntp_timestamp(self) -> int:  # noqa: N802  # the name it shadows
        """The NTP time (RFC 3550 §4) of the unit that was sent last."""
        pts = self.sent_pts
        if pts is None:
            return 0  # "no wall clock" (RFC 3550 §6.4.1), as there is no RTP time to go with it
        return ntp_time(pts, 0)

    @_RTCRtpSender__ntp_timestamp.setter
    def _RTCRtpSender__ntp_timestamp(self, value: int) -> None:  # noqa: N802
        """The moment of sending is of no interest."""

    async def _handle_rtcp_packet(self, packet: AnyRtcpPacket) -> None:
        self.on_heard()
        if isinstance(packet, RtcpPsfbPacket) and packet.fmt in (RTCP_PSFB_PLI, RTCP_PSFB_FIR):
            self.plis += 1
            self.on_picture_lost()
        elif isinstance(packet, RtcpPsfbPacket) and packet.fmt == RTCP_PSFB_APP:
            self._note_estimate(packet.fci)
        elif isinstance(packet, RtcpRtpfbPacket) and packet.fmt == RTCP_RTPFB_NACK:
            self.nacks += len(packet.lost)
            await self._repair(packet)
        else:
            await super()._handle_rtcp_packet(packet)

    def _note_estimate(self, fci: bytes) -> None:
        try:
            estimate, streams = unpack_remb_fci(fci)
        except (ValueError, IndexError):
            return  # another application's message
        if self._ssrc in streams:
            self.estimate = estimate

    async def _repair(self, packet: RtcpRtpfbPacket) -> None:
        await super()._handle_rtcp_packet(packet)


class DirectSender(CameraSender):
    """A sender that gives its track a stream instead of pulling it."""

    path_over: Callable[[Any], Path]
    stream: RtpStream | None = None
    _playout_delay: int = 0  # the extension's number; 0: the receiver does not know it

    async def send(self, parameters: RTCRtpSendParameters) -> None:
        """Starts sending, with what was negotiated."""
        known = {extension.uri: extension.id for extension in parameters.headerExtensions}
        self._playout_delay = known.get(PLAYOUT_DELAY, 0)
        await super().send(parameters)

    async def _run_rtp(self, codec: RTCRtpCodecParameters) -> None:
        names: Any = self
        names._RTCRtpSender__rtp_started.set()  # noqa: SLF001
        pacer = None
        try:
            self.stream = self._open_stream(codec)
            pacer = self.track.attach(self.stream)  # type: ignore[attr-defined]
            await asyncio.Future()  # until stop() cancels it
        except asyncio.CancelledError:
            pass
        except Exception:  # stop() waits for the event below, whatever happens
            logger.exception("A stream could not be opened.")
        finally:
            if pacer:
                pacer.close()
            self.track.stop()
            names._RTCRtpSender__rtp_exited.set()  # noqa: SLF001

    async def _run_rtcp(self) -> None:
        """Only says farewell (RFC 3550 §6.6): the stream reports by itself."""
        names: Any = self
        names._RTCRtpSender__rtcp_started.set()  # noqa: SLF001
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Future()  # until stop() cancels it
        await self._send_rtcp([RtcpByePacket(sources=[self._ssrc])])
        names._RTCRtpSender__rtcp_exited.set()  # noqa: SLF001

    def _open_stream(self, codec: RTCRtpCodecParameters) -> RtpStream:
        dtls: Any = self.transport
        names: Any = self
        extensions = Extensions(
            names._RTCRtpSender__rtp_header_extensions_map,  # noqa: SLF001
            names._RTCRtpSender__mid,  # noqa: SLF001
            self._playout_delay,
        )
        parameters = Parameters(
            ssrc=self._ssrc,
            payload_type=int(codec.payloadType or 0),
            clock_rate=codec.clockRate,
            # Far from a rollover, where nobody could join (RFC 3711 §3.3.1).
            sequence=secrets.randbits(15),
            origin=secrets.randbits(32),
            repair_ssrc=self._rtx_ssrc,
            repair_payload_type=names._RTCRtpSender__rtx_payload_type,  # noqa: SLF001
            repair_sequence=secrets.randbits(15),
            cname=names._RTCRtpSender__cname or "",  # noqa: SLF001
        )
        path = self.path_over(dtls.transport._connection)  # noqa: SLF001
        tag = TAG_BYTES[dtls._ssl.get_selected_srtp_profile()]  # noqa: SLF001
        return RtpStream(path, dtls._tx_srtp, tag, extensions, parameters)  # noqa: SLF001

    def _note_estimate(self, fci: bytes) -> None:
        super()._note_estimate(fci)
        if self.stream:
            self.stream.estimate = self.estimate

    async def _handle_rtcp_packet(self, packet: AnyRtcpPacket) -> None:
        if self.stream and isinstance(packet, RtcpRrPacket | RtcpSrPacket):
            for report in packet.reports:
                if report.ssrc == self._ssrc:
                    self.stream.reception.heard(report, time.monotonic())
        await super()._handle_rtcp_packet(packet)

    async def _repair(self, packet: RtcpRtpfbPacket) -> None:
        if self.stream:
            self.stream.resend(packet.lost)

    # What statistics say; aiortc's own counters stay at zero.

    @property
    def _RTCRtpSender__packet_count(self) -> int:  # noqa: N802
        return self.stream.packets if self.stream else 0

    @property
    def _RTCRtpSender__octet_count(self) -> int:  # noqa: N802
        return self.stream.octets if self.stream else 0
