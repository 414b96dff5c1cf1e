"""Debian's stock Firefox, whose WebRTC has no H.264, watches by itself over the fMP4 leg."""

from pathlib import Path

from tests.support import probe
from tests.support.cameras import rtsp_camera
from tests.support.daemon import publisher
from tests.support.firefox import FirefoxPage, firefox
from tests.support.player import Player
from tests.support.server import Program
from tests.support.waiting import until


async def test_stock_firefox_sees_and_hears_a_camera(rendezvous: Program, tmp_path: Path) -> None:
    server = f"{rendezvous.host}:{rendezvous.port}"
    with rtsp_camera("plain") as camera:
        words = ("start", "--server", server, "--room", "MyRoom", "--source", camera.url)
        async with publisher(*words, state=tmp_path) as daemon, firefox() as page:
            await page.goto(await daemon.link())
            await Player(page).live()
            await until(lambda: _sees(page))
            await until(lambda: _sounds(page))
            stats = await Player(page).stats()
    assert (stats["leg"], stats["codec"], stats["width"]) == ("fmp4", "H264", 640)


async def _sees(page: FirefoxPage) -> bool:
    """As ``probe.live`` says it, but that here a picture may be seen twice."""
    pictures = await probe.pictures(page, count=60)
    shown = [code.unix_ms for code in pictures.codes]
    return shown == sorted(shown) and len(set(shown)) > 30 and pictures.delay < probe.LIVE


async def _sounds(page: FirefoxPage) -> bool:
    """The camera's tone."""
    return abs((await probe.recorded_sound(page)).hz - 1000) < 20
