"""A path that loses more than can be repaired costs the viewer no more than that while."""

import signal
import sys
import time
from pathlib import Path

from playwright.async_api import Browser, Page

from tests.support import probe
from tests.support.browser import page_at
from tests.support.daemon import publisher
from tests.support.player import Player
from tests.support.server import Program
from tests.support.waiting import until

_SECONDS = 3.0  # longer than lost packets are kept
# A GOP of a hundred seconds: without the cached one there would be no picture for as long.
_SOURCE = "test:?size=640x360&bitrate=500000&gop=3000"


async def test_a_viewer_that_lost_everything_goes_on_from_the_cached_gop(
    rendezvous: Program, chromium: Browser, tmp_path: Path
) -> None:
    server = f"127.0.0.1:{rendezvous.port}"
    words = ["start", "--server", server, "--room", "MyRoom", "--source", _SOURCE]
    program = [sys.executable, "-m", "tests.support.lossy_publisher", str(_SECONDS)]
    async with publisher(*words, state=tmp_path, program=program) as daemon:
        async with page_at(chromium, await daemon.link(), patient=True) as page:
            player = Player(page)
            await player.live()
            stream = await player.stream()
            daemon.process.send_signal(signal.SIGUSR1)
            await daemon.says("loses nothing any more")
            mended = 1000 * time.time()
            await until(lambda: _shows(page, mended))
            assert await player.stream() == stream  # it never connected anew
        await daemon.says("key frames asked for")


async def _shows(page: Page, moment: float) -> bool:
    """Whether pictures from after the moment are seen: those on their way before it were, too."""
    return any(code.unix_ms > moment for code in (await probe.pictures(page, count=5)).codes)
