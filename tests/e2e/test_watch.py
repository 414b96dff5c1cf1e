"""A camera is seen and heard in a browser: the right picture, the right sound, bit for bit."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page

from tests.support import probe
from tests.support.browser import page_at
from tests.support.cameras import FULL, rtsp_camera
from tests.support.daemon import Publisher, publisher
from tests.support.player import Player
from tests.support.server import Program, running_program
from tests.support.waiting import PATIENCE, until

LIP_SYNC = 80  # ms


def evostream(rendezvous: Program, source: str) -> list[str]:
    """EvoStream's way to start a stream."""
    return [
        "startWebRTC",
        f"ersIP={rendezvous.host}",
        f"ersPort={rendezvous.port}",
        "roomID=MyRoom",
        f"source={source}",
    ]


@asynccontextmanager
async def watching(
    rendezvous: Program, source: str, chromium: Browser, state: Path, *, encoded: bool = False
) -> AsyncIterator[tuple[Publisher, Page]]:
    """A publisher of the source, and a page at its link."""
    async with (
        publisher(*evostream(rendezvous, source), state=state) as camera,
        page_at(chromium, await camera.link(), encoded=encoded) as page,
    ):
        yield camera, page


@pytest.mark.alone
async def test_an_rtsp_camera_is_seen_and_heard_in_step(
    rendezvous: Program, chromium: Browser, tmp_path: Path
) -> None:
    with rtsp_camera("plain", size=FULL) as camera:
        async with watching(rendezvous, camera.url, chromium, tmp_path) as (_, page):
            await Player(page).live()
            # A receiver needs some reports of the sender before it knows sound from picture, and
            # a busy machine longer than others.
            await until(lambda: _in_step(page), within=2 * PATIENCE)
            await probe.live(page)
            await probe.tone(page)
            stats = await Player(page).stats()
            assert (stats["width"], stats["height"], stats["path"]) == (1280, 720, "direct")


async def _in_step(page: Page) -> bool:
    return abs((await probe.sync(page)).offset) <= LIP_SYNC


async def test_pictures_arrive_as_the_camera_made_them(
    rendezvous: Program, chromium: Browser, tmp_path: Path
) -> None:
    with rtsp_camera("plain") as camera:
        async with watching(rendezvous, camera.url, chromium, tmp_path, encoded=True) as (_, page):
            await Player(page).live()
            await until(lambda: _received(page, 90))
            received = await probe.received_units(page)
            sent = {unit.nals for unit in camera.records()}
    assert len(received) >= 90
    assert [unit for unit in received if unit not in sent] == []


async def _received(page: Page, count: int) -> bool:
    return len(await probe.received_units(page)) >= count


@pytest.mark.parametrize("variant", ["long-gop", "sdp-parameter-sets", "high", "no-audio", "mjpeg"])
async def test_each_kind_of_camera_plays(
    rendezvous: Program, chromium: Browser, tmp_path: Path, variant: str
) -> None:
    with rtsp_camera(variant) as camera:
        async with watching(rendezvous, camera.url, chromium, tmp_path) as (_, page):
            await Player(page).live()
            await probe.live(page)


@pytest.mark.parametrize(("variant", "codec"), [("g711", "G.711 A-law"), ("g711-mu", "G.711 µ")])
async def test_g711_is_heard_untouched(
    rendezvous: Program, chromium: Browser, tmp_path: Path, variant: str, codec: str
) -> None:
    with rtsp_camera(variant) as camera:
        async with watching(rendezvous, camera.url, chromium, tmp_path) as (terminal, page):
            await Player(page).live()
            await probe.tone(page)
            await terminal.says(f"live: .*{codec}")


async def test_what_this_browser_cannot_show_is_named_with_the_cure_on_both_sides(
    rendezvous: Program, chromium: Browser, tmp_path: Path
) -> None:
    with rtsp_camera("h265") as camera:
        async with watching(rendezvous, camera.url, chromium, tmp_path) as (terminal, page):
            await Player(page).says("H.265")
            await Player(page).says("to H.264")
            await terminal.says("H.265.*to H.264")


async def test_a_camera_with_a_password_plays_and_the_password_stays_unseen(
    rendezvous: Program, chromium: Browser, tmp_path: Path
) -> None:
    with rtsp_camera("auth") as camera:
        async with watching(rendezvous, camera.url, chromium, tmp_path) as (terminal, page):
            await Player(page).live()
            assert "s3cret" not in terminal.terminal


async def test_all_of_it_works_under_tls(
    chromium: Browser, tmp_path: Path, certificate: Path
) -> None:
    secure = ["--tls-cert", str(certificate)]
    async with running_program(*secure, state=tmp_path / "r.sqlite") as rendezvous:
        words = [*evostream(rendezvous, "test:"), "ersOverSsl=1"]
        trust = {"PUBLISHER_SERVER_CA": str(certificate)}
        async with publisher(*words, state=tmp_path, environ=trust) as camera:
            link = await camera.link()
            assert link.startswith("https://")
            async with page_at(chromium, link, trusting=True) as page:
                await Player(page).live()


async def test_a_looping_file_and_the_test_camera_play_side_by_side(
    rendezvous: Program, chromium: Browser, tmp_path: Path, clip: Path
) -> None:
    settings = tmp_path / "publisher.toml"
    settings.write_text(
        f'server = "{rendezvous.host}:{rendezvous.port}"\n'
        f'[[camera]]\nroom = "File"\nsource = "{clip}"\n'
        '[[camera]]\nlabel = "second"\nsource = "test:?size=640x360"\n'
    )
    async with publisher("start", "--config", str(settings), state=tmp_path) as daemon:
        links = [await daemon.link(), await daemon.link()]
        for link in links:
            async with page_at(chromium, link) as page:
                await Player(page).live()
                await Player(page).moves()  # beyond the end of the file, too
