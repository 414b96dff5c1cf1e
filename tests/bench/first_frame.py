"""How long a person waits: from pressing play to the first picture on the screen."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

from tests.support.bench import Figure, benchmark, median, percentile
from tests.support.browser import browser, page_at
from tests.support.cameras import rtsp_camera
from tests.support.daemon import publisher
from tests.support.player import Player
from tests.support.server import running_program

_ROUNDS = 20

# The pause makes the joins fall on all phases of the camera's GOP.
_PRESS_PLAY = """async (pause) => {
    const player = document.querySelector('porthole-player');
    player.stop();
    await new Promise((done) => setTimeout(done, pause));
    const pressed = performance.now();
    player.start();
    await new Promise((shown) => player.video.requestVideoFrameCallback(shown));
    return performance.now() - pressed;
}"""


@benchmark
async def first_frame() -> AsyncIterator[Figure]:
    """An RTSP camera with a GOP of one second, page loaded, on loopback."""
    async with AsyncExitStack() as stack:
        state = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        camera = stack.enter_context(rtsp_camera("plain"))
        rendezvous = await stack.enter_async_context(running_program(state=state / "r.sqlite"))
        server = f"127.0.0.1:{rendezvous.port}"
        words = ["start", "--server", server, "--room", "Bench", "--source", camera.url]
        daemon = await stack.enter_async_context(publisher(*words, state=state))
        chromium = await stack.enter_async_context(browser())
        page = await stack.enter_async_context(page_at(chromium, await daemon.link()))
        await Player(page).live()
        times = [await page.evaluate(_PRESS_PLAY, 200 + 53 * turn) for turn in range(_ROUNDS)]
    yield Figure("median", median(times), "ms", at_most=700)
    yield Figure("p95", percentile(times, 95), "ms", at_most=1200)
