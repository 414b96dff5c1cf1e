"""What depacketisers give: coded media with the RTP timestamp that it came with."""

from dataclasses import dataclass
from typing import Protocol

from publisher.sources.rtsp.rtp import RtpPacket


@dataclass(frozen=True, slots=True)
class Coded:
    """An access unit, or a block of sound."""

    data: bytes
    timestamp: int
    key: bool


class Depacketiser(Protocol):
    """Puts together again what a camera took apart."""

    damaged: int
    """Units that were dropped because something of them was missing."""

    def put(self, packet: RtpPacket, *, gap: bool) -> list[Coded]:
        """What is complete; ``gap``: packets are missing before this one."""
