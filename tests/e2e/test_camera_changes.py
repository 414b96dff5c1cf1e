"""A camera that changes what it sends loses no viewer: the picture goes on, in its new size."""

from pathlib import Path

import pytest
from playwright.async_api import Browser, Page

from tests.support import probe
from tests.support.browser import page_at
from tests.support.cameras import rtsp_camera
from tests.support.daemon import publisher
from tests.support.player import Player
from tests.support.server import Program
from tests.support.waiting import until


@pytest.mark.parametrize("audio", ["auto", "aac"])
async def test_a_new_resolution_and_a_restart_with_other_parameter_sets_keep_the_session(
    rendezvous: Program, chromium: Browser, tmp_path: Path, audio: str
) -> None:
    words = [f"--server={rendezvous.host}:{rendezvous.port}", f"--audio={audio}"]
    with rtsp_camera("plain") as camera:
        async with (
            publisher("start", *words, f"--source={camera.url}", state=tmp_path) as terminal,
            page_at(chromium, await terminal.link(), patient=True) as page,
        ):
            await Player(page).live()
            assert (await Player(page).stats())["leg"] == ("fmp4" if audio == "aac" else "rtp")
            camera.resize(480, 272)
            await until(lambda: _width(page, 480))
            await probe.live(page)
            camera.stop()
            camera.size = "320x180"
            camera.start()
            await until(lambda: _width(page, 320))
            await probe.live(page)
            assert terminal.terminal.count("A viewer joins") == 1


async def _width(page: Page, width: int) -> bool:
    return bool((await Player(page).stats())["width"] == width)
