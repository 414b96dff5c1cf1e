"""One viewer's bounded queue between the camera and a leg.

A leg that falls behind loses everything up to the next IDR, because a picture without those
before it is worth nothing; only that leg, and every loss is counted.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from math import inf

from publisher.media.gop import MAX_BYTES, MAX_FRAMES
from publisher.media.packets import SECOND
from publisher.media.units import AccessUnit, AudioBlock

LIVE_FRAMES = 60  # on top of a whole cached GOP: two seconds that a leg may be behind
AUDIO_BLOCKS = 50  # one second of 20 ms blocks


class VideoFeed:
    """Access units for one viewer, gated on an IDR.

    Either somebody awaits ``get``, or a consumer is called at every put and takes what there is.
    """

    def __init__(
        self, max_frames: int = MAX_FRAMES + LIVE_FRAMES, max_bytes: int = 2 * MAX_BYTES
    ) -> None:
        self._max_frames = max_frames
        self._max_bytes = max_bytes
        self._units: deque[AccessUnit] = deque()
        self._bytes = 0
        self._ready = asyncio.Event()
        self._wake: Callable[[], None] = self._ready.set
        self._waits = True  # for an IDR
        self.gated = True
        self.octets = 0
        """Of all units that were put."""
        self.dropped = 0
        self.left_out = 0
        """Units that a thin path had no room for."""

    def hand_to(self, consumer: Callable[[], None]) -> None:
        """The consumer is called now and at every put from now on."""
        self._wake = consumer
        consumer()

    def put(self, unit: AccessUnit) -> None:
        """Queues the unit, or drops it and all that waits when there is no room."""
        size = len(unit.data)
        self.octets += size
        if self._waits:
            if not unit.key:
                self._miss()
                return
            self._waits = self.gated = False
        self._units.append(unit)
        self._bytes += size
        if len(self._units) > self._max_frames or self._bytes > self._max_bytes:
            self.skip()
        else:
            self._wake()

    def _miss(self) -> None:
        if self.gated:
            self.dropped += 1
        else:
            self.left_out += 1

    def skip(self) -> None:
        """Drops what waits, and all that comes before the next IDR."""
        self.dropped += len(self._units)
        self._units.clear()
        self._bytes = 0
        self._waits = self.gated = True

    def take(self) -> AccessUnit | None:
        """The next unit if there is one."""
        if not self._units:
            return None
        unit = self._units.popleft()
        self._bytes -= len(unit.data)
        return unit

    def take_latest(self, most_late: int) -> AccessUnit | None:
        """The newest IDR that waits, or else the next unit unless it is too late.

        When newer ones than so many microseconds wait behind it all of them are left out, up to
        the next IDR. It is not gated then: the viewer misses nothing that its path could carry.
        """
        newest = next((n for n, unit in enumerate(reversed(self._units), 1) if unit.key), None)
        if newest is not None:
            self._leave_out(len(self._units) - newest)
        elif self._units and self._units[-1].pts - self._units[0].pts > most_late:
            self._leave_out(len(self._units))
            self._waits = True
        return self.take()

    def _leave_out(self, count: int) -> None:
        for _ in range(count):
            self._bytes -= len(self._units.popleft().data)
        self.left_out += count

    async def get(self) -> AccessUnit:
        """The next unit, as soon as there is one."""
        while (unit := self.take()) is None:  # what woke us may have been dropped before our turn
            self._ready.clear()
            await self._ready.wait()
        return unit

    @property
    def rate(self) -> float:
        """Bytes a second of the stream that waits; infinite where too little does to tell."""
        span = self._units[-1].pts - self._units[0].pts if self._units else 0
        return self._bytes * SECOND / span if span > 0 else inf

    def __len__(self) -> int:
        return len(self._units)


class AudioFeed:
    """Blocks of sound for one viewer; the oldest go when there is no room."""

    def __init__(self, max_blocks: int = AUDIO_BLOCKS) -> None:
        self._blocks: deque[AudioBlock] = deque(maxlen=max_blocks)
        self._ready = asyncio.Event()
        self._wake: Callable[[], None] = self._ready.set
        self.dropped = 0

    def hand_to(self, consumer: Callable[[], None]) -> None:
        """The consumer is called now and at every put from now on."""
        self._wake = consumer
        consumer()

    def put(self, block: AudioBlock) -> None:
        """Queues the block."""
        self.dropped += len(self._blocks) == self._blocks.maxlen
        self._blocks.append(block)
        self._wake()

    def take(self) -> AudioBlock | None:
        """The next block if there is one."""
        return self._blocks.popleft() if self._blocks else None

    async def get(self) -> AudioBlock:
        """The next block, as soon as there is one."""
        while (block := self.take()) is None:
            self._ready.clear()
            await self._ready.wait()
        return block
