"""What a viewer gets once the picture runs: smoothness, delay, sound in step."""

import asyncio
from collections.abc import AsyncIterator

from tests.bench.stage import watched_camera
from tests.support import probe
from tests.support.bench import Figure, benchmark, median

_SETTLE_SECONDS = 12  # until Chromium has aligned sound and picture by the sender's reports


@benchmark
async def watching() -> AsyncIterator[Figure]:
    """An RTSP camera, 720p30 with AAC, in Chromium on loopback."""
    async with watched_camera() as stage:
        await probe.sound(stage.page)  # somebody listens: only then sound and picture are aligned
        await asyncio.sleep(_SETTLE_SECONDS)
        pictures = await probe.pictures(stage.page, seconds=5)
        offsets = [(await probe.sync(stage.page)).offset for _ in range(3)]
        sound = await probe.sound(stage.page)
    yield Figure("frame-rate", pictures.rate, "frames/s", at_least=25)
    yield Figure("picture-delay", pictures.delay, "ms")
    yield Figure("sound-after-picture", median(offsets), "ms", at_most=80, at_least=-80)
    yield Figure("tone", sound.hz, "Hz", at_most=1020, at_least=980)
