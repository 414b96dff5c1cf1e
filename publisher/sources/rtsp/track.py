"""One of a camera's streams: from its RTP and RTCP packets to packets with times."""

from publisher.media.packets import SECOND, Packet
from publisher.sources.rtsp import rtcp, rtp
from publisher.sources.rtsp.clock import StreamClock
from publisher.sources.rtsp.formats import Plan
from publisher.sources.rtsp.pictures import Pictures
from publisher.sources.rtsp.runs import Run
from publisher.sources.rtsp.units import Coded


class Track:
    """A stream that plays; ``now`` is the monotonic clock in microseconds."""

    def __init__(self, plan: Plan, clock: StreamClock) -> None:
        self.plan = plan
        self._clock = clock
        self._depacketiser = plan.depacketiser()
        self._pictures = self._depacketiser if isinstance(self._depacketiser, Pictures) else None
        self._run: Run | None = None
        self._reception: rtp.Reception | None = None
        self._reported: tuple[rtcp.SenderReport, int] | None = None
        self.foreign = 0
        """Packets of another payload type, or that were none."""

    @property
    def damaged(self) -> int:
        """Units that were dropped because something of them was missing."""
        return self._depacketiser.damaged

    @property
    def lost(self) -> int:
        """Packets that never came."""
        return self._reception.lost if self._reception else 0

    def take_rtp(self, data: memoryview, now: int) -> list[Packet]:
        """The packets that are complete."""
        packet = rtp.parse(data)
        if packet is None:
            self.foreign += 1
            return []
        gap = self._receive(packet)
        if packet.payload_type != self.plan.media.payload_type:
            self.foreign += 1
            return []
        complete = self._depacketiser.put(packet, gap=gap)
        self._follow(packet)
        return [self._timed(coded, now) for coded in complete] if complete else []

    def skim(self, prefix: bytes, data: bytes, at: int) -> int:
        """Takes packets from there on that go on with the open NAL unit; where they end.

        ``prefix`` is what each has in front of its length.
        """
        if self._run is None or self._pictures is None or self._reception is None:
            return at
        at, parts = self._run.take(prefix, data, at)
        if parts:
            self._reception.go_on(len(parts))
            self._pictures.go_on(parts)
        return at

    def take_rtcp(self, data: memoryview, now: int) -> list[Packet]:
        """None: sender reports set the clock."""
        for report in rtcp.sender_reports(data):
            self._reported = report, now
            self._clock.report(report)
        return []

    def reception(self, now: int) -> rtcp.ReportBlock | None:
        """What the camera is told; None before its first packet."""
        if self._reception is None:
            return None
        last, came = self._reported or (None, now)
        since = (now - came) / SECOND
        return rtcp.ReportBlock(
            self._reception.ssrc, self._reception.lost, self._reception.highest, last, since
        )

    def _follow(self, packet: rtp.RtpPacket) -> None:
        middle = self._pictures.middle if self._pictures else None
        self._run = None if middle is None else Run(packet, middle)

    def _receive(self, packet: rtp.RtpPacket) -> bool:
        if self._reception is None or self._reception.ssrc != packet.ssrc:
            self._reception = rtp.Reception(packet.ssrc)
        return self._reception.put(packet.sequence)

    def _timed(self, coded: Coded, now: int) -> Packet:
        time = self._clock.place(coded.timestamp, now)
        kind = self.plan.stream.kind
        # RTP says when a picture is shown; when it is decoded, media.order finds out.
        return Packet(kind, coded.data, time, time if kind == "audio" else None, coded.key)
