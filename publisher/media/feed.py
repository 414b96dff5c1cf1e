"""One viewer's bounded queue between the camera and a leg.

A leg that falls behind loses everything up to the next IDR, because a picture without those
before it is worth nothing; only that leg, and every loss is counted.
"""

import asyncio
from collections import deque

from publisher.media.gop import MAX_BYTES, MAX_FRAMES
from publisher.media.units import AccessUnit, AudioBlock

LIVE_FRAMES = 60  # on top of a whole cached GOP: two seconds that a leg may be behind
AUDIO_BLOCKS = 50  # one second of 20 ms blocks


class VideoFeed:
    """Access units for one viewer, gated on an IDR."""

    def __init__(
        self, max_frames: int = MAX_FRAMES + LIVE_FRAMES, max_bytes: int = 2 * MAX_BYTES
    ) -> None:
        self._max_frames = max_frames
        self._max_bytes = max_bytes
        self._units: deque[AccessUnit] = deque()
        self._bytes = 0
        self._ready = asyncio.Event()
        self._gated = True
        self.dropped = 0

    def put(self, unit: AccessUnit) -> None:
        """Queues the unit, or drops it and all that waits when there is no room."""
        if self._gated and not unit.key:
            self.dropped += 1
            return
        self._gated = False
        self._units.append(unit)
        self._bytes += len(unit.data)
        if len(self._units) > self._max_frames or self._bytes > self._max_bytes:
            self._skip_to_next_idr()
        else:
            self._ready.set()

    def _skip_to_next_idr(self) -> None:
        self.dropped += len(self._units)
        self._units.clear()
        self._bytes = 0
        self._gated = True
        self._ready.clear()

    async def get(self) -> AccessUnit:
        """The next unit, as soon as there is one."""
        while not self._units:  # what woke us may have been dropped before our turn
            await self._ready.wait()
        unit = self._units.popleft()
        self._bytes -= len(unit.data)
        if not self._units:
            self._ready.clear()
        return unit

    def __len__(self) -> int:
        return len(self._units)


class AudioFeed:
    """Blocks of sound for one viewer; the oldest go when there is no room."""

    def __init__(self, max_blocks: int = AUDIO_BLOCKS) -> None:
        self._blocks: deque[AudioBlock] = deque(maxlen=max_blocks)
        self._ready = asyncio.Event()
        self.dropped = 0

    def put(self, block: AudioBlock) -> None:
        """Queues the block."""
        self.dropped += len(self._blocks) == self._blocks.maxlen
        self._blocks.append(block)
        self._ready.set()

    async def get(self) -> AudioBlock:
        """The next block, as soon as there is one."""
        await self._ready.wait()
        block = self._blocks.popleft()
        if not self._blocks:
            self._ready.clear()
        return block
