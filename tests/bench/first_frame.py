"""How long a person waits: from pressing play to the first picture on the screen."""

from collections.abc import AsyncIterator

from tests.bench.stage import watched_camera
from tests.support.bench import Figure, benchmark, median, percentile

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
    async with watched_camera() as stage:
        pauses = [200 + 53 * turn for turn in range(_ROUNDS)]
        times = [await stage.page.evaluate(_PRESS_PLAY, pause) for pause in pauses]
    yield Figure("median", median(times), "ms", at_most=700)
    yield Figure("p95", percentile(times, 95), "ms", at_most=1200)
