"""The tracks that aiortc pulls: they hand on coded units and never end by themselves.

A track that raises ends its sender for good, so a camera that is lost just leaves them waiting.
"""

import asyncio

import av
from aiortc import MediaStreamTrack

from publisher.media.feed import AudioFeed, VideoFeed

# A cached GOP leaves in portions, or it overruns the receiver's socket: 32 KiB each 4 ms is
# 65 Mbit/s, so two megabytes take a quarter of a second.
_PORTION_BYTES = 32 * 1024
_PORTION_SECONDS = 0.004


class VideoTrack(MediaStreamTrack):
    """Access units of a feed as packets in 1/90000 s."""

    kind = "video"

    def __init__(self, feed: VideoFeed) -> None:
        super().__init__()
        self._feed = feed
        self._burst = 0
        self.sent_pts: int | None = None

    async def recv(self) -> "av.Packet[av.stream.Stream]":
        """The next picture."""
        await self._pace()
        unit = await self._feed.get()
        self._burst += len(unit.data)
        self.sent_pts = unit.pts
        return unit.packet

    async def _pace(self) -> None:
        if not len(self._feed):
            self._burst = 0
        elif self._burst >= _PORTION_BYTES:
            self._burst = 0
            await asyncio.sleep(_PORTION_SECONDS)


class AudioTrack(MediaStreamTrack):
    """Blocks of a feed as packets of their own clock rate."""

    kind = "audio"

    def __init__(self, feed: AudioFeed) -> None:
        super().__init__()
        self._feed = feed
        self.sent_pts: int | None = None

    async def recv(self) -> "av.Packet[av.stream.Stream]":
        """The next block."""
        block = await self._feed.get()
        self.sent_pts = block.pts
        return block.packet
