"""The tracks that senders are made with: our own senders attach a stream, aiortc's pull.

A track that raises ends its sender for good, so a camera that is lost just leaves them waiting.
"""

import asyncio
from fractions import Fraction
from typing import Any, Final

import av
from aiortc import MediaStreamTrack

from publisher.media.feed import AudioFeed, VideoFeed
from publisher.media.packets import SECOND
from publisher.media.rtp import BURST_BYTES, Packetiser
from publisher.rtc.pacer import PAUSE_SECONDS, AudioPacer, VideoPacer
from publisher.rtc.stream import RtpStream

CLOCK_RATE: Final = 90_000  # Hz, RFC 6184 §8.2.1

AvPacket = Any  # av.Packet; generic in its stubs only


class VideoTrack(MediaStreamTrack):
    """Access units of a feed."""

    kind = "video"

    def __init__(self, feed: VideoFeed, packetiser: Packetiser) -> None:
        super().__init__()
        self._feed = feed
        self._packetiser = packetiser
        self._burst = 0
        self._ticks: int | None = None
        self.sent_pts: int | None = None

    def attach(self, stream: RtpStream) -> VideoPacer:
        """Sends through the stream from now on, until the pacer is closed."""
        return VideoPacer(self._feed, stream, self._packetiser)

    async def recv(self) -> AvPacket:
        """The next picture, for a stock sender."""
        await self._pace()
        unit = await self._feed.get()
        self._burst += len(unit.data)
        self.sent_pts = unit.pts
        ticks = unit.pts * CLOCK_RATE // SECOND
        # As RtpStream.use: a GOP that is sent once more must not go back in time.
        self._ticks = ticks if self._ticks is None else max(ticks, self._ticks + 1)
        return _packet(unit.data, self._ticks, CLOCK_RATE)

    async def _pace(self) -> None:
        if not len(self._feed):
            self._burst = 0
        elif self._burst >= BURST_BYTES:
            self._burst = 0
            await asyncio.sleep(PAUSE_SECONDS)


class AudioTrack(MediaStreamTrack):
    """Blocks of a feed."""

    kind = "audio"

    def __init__(self, feed: AudioFeed, packetiser: Packetiser) -> None:
        super().__init__()
        self._feed = feed
        self._packetiser = packetiser
        self.sent_pts: int | None = None

    def attach(self, stream: RtpStream) -> AudioPacer:
        """Sends through the stream from now on, until the pacer is closed."""
        return AudioPacer(self._feed, stream, self._packetiser)

    async def recv(self) -> AvPacket:
        """The next block, for a stock sender."""
        block = await self._feed.get()
        self.sent_pts = block.pts
        return _packet(block.data, block.pts * block.clock_rate // SECOND, block.clock_rate)


def _packet(data: bytes, ticks: int, rate: int) -> AvPacket:
    packet: AvPacket = av.Packet(data)
    packet.pts = packet.dts = ticks
    packet.time_base = Fraction(1, rate)
    return packet
