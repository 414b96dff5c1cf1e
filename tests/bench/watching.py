"""What a viewer gets once the picture runs: smoothness, delay from glass to glass, sound in step.

The delay is from the moment when the camera draws a picture, which it writes into it, to the
moment when the browser presents it: the camera's encoder is part of it. Over fMP4 the probe hears
the sound before the sound card's buffer, which the picture waits for. How much that is, it is told
by a film in step that such a browser plays from a file.
"""

import asyncio
from collections.abc import AsyncIterator

from playwright.async_api import Browser

from tests.bench.stage import Stage, watched_camera
from tests.support import probe
from tests.support.bench import Figure, benchmark, median, percentile
from tests.support.browser import browser, page_at
from tests.support.stepped_film import stepped_film

_SETTLE_SECONDS = 5.0
_LIP_SYNC_SECONDS = 12.0  # until Chromium has aligned sound and picture by the sender's reports
_UNHEARD, _HEARD, _FMP4 = 60, 60, 320  # ms, the longest delays
_STEP = 50  # ms
_FILM_SECONDS, _LISTEN_SECONDS = 5, 2.5  # of it; it takes a second to begin
_PLAYINGS = 5


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
    async with browser(autoplay=True) as chromium:
        early = await _step_of_film(chromium)
    yield Figure("film.sound-after-picture", early, "ms")
    async with watched_camera(leg="fmp4") as stage:
        for figure in await _both(stage, _SETTLE_SECONDS, _FMP4, early):
            yield figure


async def _step_of_film(chromium: Browser) -> float:
    """What the probe makes of picture and sound that are in step, in milliseconds.

    How far it hears ahead differs from one playing to the next, by some 25 ms.
    """
    film = stepped_film(0.0, seconds=_FILM_SECONDS)
    return median([await _step_of(film, chromium) for _ in range(_PLAYINGS)])


async def _step_of(film: bytes, chromium: Browser) -> float:
    async with page_at(chromium, "about:blank") as page:
        await probe.show(page, film)
        return (await probe.sync(page, "video", seconds=_LISTEN_SECONDS)).offset


async def _picture(stage: Stage, at_most: float) -> list[Figure]:
    await asyncio.sleep(_SETTLE_SECONDS)
    pictures = await probe.pictures_during(stage.page, seconds=5)
    return [
        Figure("frame-rate", pictures.rate, "frames/s", at_least=25),
        Figure("delay", median(pictures.delays), "ms", at_most=at_most),
        Figure("delay.p95", percentile(pictures.delays, 95), "ms"),
    ]


async def _both(stage: Stage, settle: float, at_most: float, early: float = 0.0) -> list[Figure]:
    await probe.sound(stage.page)  # somebody listens: only then they are aligned
    await asyncio.sleep(settle)
    pictures = await probe.pictures_during(stage.page, seconds=5)
    offsets = [(await probe.sync(stage.page)).offset - early for _ in range(3)]
    sound = await probe.sound(stage.page)
    return [
        Figure("heard.frame-rate", pictures.rate, "frames/s", at_least=25),
        Figure("heard.delay", median(pictures.delays), "ms", at_most=at_most),
        Figure("heard.delay.p95", percentile(pictures.delays, 95), "ms"),
        Figure("heard.sound-after-picture", median(offsets), "ms", at_most=_STEP, at_least=-_STEP),
        Figure("heard.tone", sound.hz, "Hz", at_most=1020, at_least=980),
    ]
