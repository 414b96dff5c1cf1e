"""What is lost comes back by itself, and what runs is not touched."""

import signal
from pathlib import Path

import pytest
from playwright.async_api import Browser

from tests.support.browser import page_at
from tests.support.cameras import rtsp_camera
from tests.support.daemon import publisher
from tests.support.player import Player
from tests.support.ports import free_port
from tests.support.server import Program, running_program
from tests.support.waiting import until


@pytest.mark.parametrize("variant", ["plain", "long-gop"])
async def test_a_camera_that_went_is_live_again_soon_after_its_return(
    rendezvous: Program, chromium: Browser, tmp_path: Path, variant: str
) -> None:
    words = ["--server", f"127.0.0.1:{rendezvous.port}", "--room", "MyRoom", "--source"]
    with rtsp_camera(variant) as camera:
        async with (
            publisher("start", *words, camera.url, state=tmp_path) as daemon,
            page_at(chromium, await daemon.link()) as page,
        ):
            player = Player(page)
            await player.live()
            await page.evaluate("window.sameVisit = true")
            camera.stop()
            await player.says("Camera lost")
            await until(player.shows_last_frame)
            await daemon.says("source_interrupted|source_unreachable")
            camera.start()
            await player.live()
            assert await page.evaluate("window.sameVisit")  # it was not loaded again


async def test_a_camera_that_hangs_is_noticed_and_comes_back(
    rendezvous: Program, chromium: Browser, tmp_path: Path
) -> None:
    words = ["--server", f"127.0.0.1:{rendezvous.port}", "--room", "MyRoom", "--source"]
    with rtsp_camera("plain") as camera:
        async with (
            publisher("start", *words, camera.url, state=tmp_path) as daemon,
            page_at(chromium, await daemon.link()) as page,
        ):
            player = Player(page)
            await player.live()
            camera.freeze()
            await player.says("Camera lost")
            await until(player.shows_last_frame)
            camera.thaw()
            await player.live()


async def test_a_camera_that_falls_silent_is_said_to_and_its_picture_comes_back(
    rendezvous: Program, chromium: Browser, tmp_path: Path
) -> None:
    """As when its network is gone: nobody says anything, and nothing is reloaded."""
    words = ["--server", f"127.0.0.1:{rendezvous.port}", "--room", "MyRoom", "--source", "test:"]
    async with (
        publisher("start", *words, state=tmp_path) as daemon,
        page_at(chromium, await daemon.link()) as page,
    ):
        player = Player(page)
        await player.live()
        stats = await player.stats()
        assert (stats["path"], stats["relays"], stats["protocol"]) == ("direct", None, "UDP")
        await page.evaluate("window.sameVisit = true")
        daemon.process.send_signal(signal.SIGSTOP)
        await player.says("The connection to the camera was interrupted")
        await until(player.shows_last_frame)
        daemon.process.send_signal(signal.SIGCONT)
        await player.live()
        assert await page.evaluate("window.sameVisit")


async def test_a_picture_outlives_its_rendezvous_and_a_new_viewer_joins_the_next_one(
    chromium: Browser, tmp_path: Path
) -> None:
    state = tmp_path / "rendezvous.sqlite"
    async with running_program(state=state, port=free_port()) as first:
        words = ["--server", f"127.0.0.1:{first.port}", "--room", "MyRoom", "--source", "test:"]
        async with (
            publisher("start", *words, state=tmp_path) as daemon,
            page_at(chromium, await daemon.link(), patient=True) as page,
        ):
            player = Player(page)
            await player.live()
            stream = await player.stream()
            first.process.kill()
            await first.process.wait()
            await daemon.says("server_lost|server_unreachable")
            await player.moves()
            async with running_program(state=state, port=first.port):
                async with page_at(chromium, page.url) as newcomer:
                    await Player(newcomer).live()
                await player.moves()
                assert await player.stream() == stream


async def test_a_publisher_that_restarts_is_picked_up_by_a_waiting_page(
    rendezvous: Program, chromium: Browser, tmp_path: Path
) -> None:
    """The reason may come through the server after the end of the media, not by much: 0.3 s."""
    words = ["--server", f"127.0.0.1:{rendezvous.port}", "--room", "MyRoom", "--source", "test:"]
    async with publisher("start", *words, state=tmp_path) as daemon:
        link = await daemon.link()
        async with page_at(chromium, link, patient=True) as page:
            player = Player(page)
            await player.live()
            assert await daemon.stop() == 0
            await player.says("The camera was stopped")
            await until(player.shows_last_frame)
            async with publisher("start", *words, state=tmp_path) as again:
                assert await again.link() == link
                await player.live()
