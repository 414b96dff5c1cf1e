"""What a viewer gets once the picture runs: smoothness, delay from glass to glass, sound in step.

The delay is from the moment when the camera draws a picture, which it writes into it, to the
moment when the browser presents it: the camera's encoder is part of it. Over fMP4 the sound is
heard before the sound card's buffer, which the picture waits for: some 45 ms of that step are the
measurement's.
"""

import asyncio
from collections.abc import AsyncIterator

from tests.bench.stage import Stage, watched_camera
from tests.support import probe
from tests.support.bench import Figure, benchmark, median, percentile

_SETTLE_SECONDS = 5.0
_LIP_SYNC_SECONDS = 12.0  # until Chromium has aligned sound and picture by the sender's reports
_UNHEARD, _HEARD, _FMP4 = 60, 60, 320  # ms, the longest delays
_STEP = 50  # ms


@benchmark
async def picture_alone() -> AsyncIterator[Figure]:
    """A camera without sound, over RTP."""
    async with watched_camera("no-audio") as stage:
        for figure in await _picture(stage, _UNHEARD):
            yield figure


@benchmark
async def picture_and_sound() -> AsyncIterator[Figure]:
    """A camera with AAC, over RTP: before somebody listens, and then."""
    async with watched_camera() as stage:
        for figure in await _picture(stage, _UNHEARD):
            yield figure
        for figure in await _both(stage, _LIP_SYNC_SECONDS, _HEARD):
            yield figure


@benchmark
async def untouched_sound() -> AsyncIterator[Figure]:
    """The same camera over fMP4."""
    async with watched_camera(leg="fmp4") as stage:
        for figure in await _both(stage, _SETTLE_SECONDS, _FMP4):
            yield figure


async def _picture(stage: Stage, at_most: float) -> list[Figure]:
    await asyncio.sleep(_SETTLE_SECONDS)
    pictures = await probe.pictures(stage.page, seconds=5)
    return [
        Figure("frame-rate", pictures.rate, "frames/s", at_least=25),
        Figure("delay", median(pictures.delays), "ms", at_most=at_most),
        Figure("delay.p95", percentile(pictures.delays, 95), "ms"),
    ]


async def _both(stage: Stage, settle: float, at_most: float) -> list[Figure]:
    await probe.sound(stage.page)  # somebody listens: only then they are aligned
    await asyncio.sleep(settle)
    pictures = await probe.pictures(stage.page, seconds=5)
    offsets = [(await probe.sync(stage.page)).offset for _ in range(3)]
    sound = await probe.sound(stage.page)
    return [
        Figure("heard.frame-rate", pictures.rate, "frames/s", at_least=25),
        Figure("heard.delay", median(pictures.delays), "ms", at_most=at_most),
        Figure("heard.delay.p95", percentile(pictures.delays, 95), "ms"),
        Figure("heard.sound-after-picture", median(offsets), "ms", at_most=_STEP, at_least=-_STEP),
        Figure("heard.tone", sound.hz, "Hz", at_most=1020, at_least=980),
    ]
