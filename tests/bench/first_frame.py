"""How long a person waits: from pressing play to the first picture on the screen.

The camera's GOP is ten seconds long, and viewers join at any moment of it. Beside it the same
without the GOP cache, and Debian's Janus, which has none.
"""

import random
import sys
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Page

from tests.bench.stage import watched_camera
from tests.support.bench import Figure, benchmark, median, percentile
from tests.support.browser import browser, page_at
from tests.support.cameras import FULL, rtsp_camera
from tests.support.janus_page import janus_page

_CAMERA = "long-gop"
_ROUNDS, _SLOW_ROUNDS = 30, 12
_LONGEST_PAUSE = 5000  # ms: joins fall on every part of a GOP
_UNCACHED = (sys.executable, "-m", "tests.support.uncached_publisher")

# From pressing play to the first picture that is presented; and how old the picture is a second
# later. The page is loaded and has left the room: the whole way is gone, from the greeting on.
_PLAY = """async (pause) => {
    const player = document.querySelector('porthole-player');
    player.stop();
    await new Promise((done) => setTimeout(done, pause));
    const shown = new Promise((frame) => player.video.requestVideoFrameCallback(frame));
    const pressed = performance.now();
    player.start();
    await shown;
    const waited = performance.now() - pressed;
    await new Promise((done) => setTimeout(done, 1000));
    const frames = await portholeProbe.frames('porthole-player', 200);
    const ages = frames.filter(({ code }) => code).map(({ wall, code }) => wall - code.unixMs);
    return { waited, behind: Math.max(...ages) };
}"""

_PLAY_JANUS = """async (pause) => {
    await new Promise((done) => setTimeout(done, pause));
    const video = document.querySelector('video');
    const shown = new Promise((frame) => video.requestVideoFrameCallback(frame));
    const pressed = performance.now();
    await globalThis.play();
    await shown;
    const waited = performance.now() - pressed;
    await globalThis.stop();
    return { waited, behind: 0 };
}"""


@dataclass(frozen=True, slots=True)
class Join:
    """One viewer's wait, and how far behind the camera it is a second later; milliseconds."""

    waited: float
    behind: float


async def _joins(page: Page, play: str, rounds: int) -> list[Join]:
    pauses = random.Random(1)  # any will do, the same in every run
    return [
        Join(**await page.evaluate(play, 300 + pauses.random() * _LONGEST_PAUSE))
        for _ in range(rounds)
    ]


@benchmark
async def first_frame() -> AsyncIterator[Figure]:
    """An RTSP camera with a GOP of ten seconds, page loaded, on loopback."""
    async with watched_camera(_CAMERA) as stage:
        joins = await _joins(stage.page, _PLAY, _ROUNDS)
    waits, behind = [join.waited for join in joins], [join.behind for join in joins]
    yield Figure("median", median(waits), "ms", at_most=150)
    yield Figure("p95", percentile(waits, 95), "ms", at_most=300)
    yield Figure("behind-live-after-1-s", median(behind), "ms", at_most=150)
    yield Figure("behind-live-after-1-s.p95", percentile(behind, 95), "ms", at_most=150)


@benchmark
async def first_frame_without_cache() -> AsyncIterator[Figure]:
    """The same, with a publisher that keeps no GOP: viewers wait for the next IDR."""
    async with watched_camera(_CAMERA, program=_UNCACHED) as stage:
        joins = await _joins(stage.page, _PLAY, _SLOW_ROUNDS)
    for figure in _unbounded(joins):
        yield figure


@benchmark
async def first_frame_of_janus() -> AsyncIterator[Figure]:
    """The same camera through Janus's streaming plugin."""
    with tempfile.TemporaryDirectory() as name, rtsp_camera(_CAMERA, size=FULL) as camera:
        async with (
            janus_page(Path(name), camera.url) as url,
            browser(autoplay=True) as chromium,
            page_at(chromium, url) as page,
        ):
            joins = await _joins(page, _PLAY_JANUS, _SLOW_ROUNDS)
    for figure in _unbounded(joins):
        yield figure


def _unbounded(joins: list[Join]) -> list[Figure]:
    waits = [join.waited for join in joins]
    return [
        Figure("median", median(waits), "ms"),
        Figure("p95", percentile(waits, 95), "ms"),
    ]
