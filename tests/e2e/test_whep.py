"""Players and stacks of others watch a room by WHEP, from a site that the server does not know."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from itertools import pairwise
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from publisher.sources.pattern import TimeCode
from tests.support import probe, whep
from tests.support.browser import page_at
from tests.support.daemon import Publisher, publisher
from tests.support.server import Program
from tests.support.waiting import until
from tests.support.whep import Endpoint, Foreign

SOURCE = "test:?size=640x360&fps=30&bitrate=800000"
SECONDS = 3
PICTURES = 30 * SECONDS


@pytest_asyncio.fixture
async def camera(rendezvous: Program, tmp_path: Path) -> AsyncIterator[Publisher]:
    server = f"127.0.0.1:{rendezvous.port}"
    words = ["start", "--server", server, "--room", "MyRoom", "--source", SOURCE]
    async with publisher(*words, state=tmp_path) as running:
        yield running


def ahead(codes: list[TimeCode]) -> bool:
    """Whether each picture was drawn after the one before."""
    return all(a.unix_ms < b.unix_ms for a, b in pairwise(codes))


@pytest.mark.parametrize("package", sorted(whep.SCRIPTS))
async def test_a_player_from_npm_shows_the_camera_in_chromium(
    camera: Publisher, chromium: Browser, package: str
) -> None:
    endpoint = Endpoint.of(await camera.link())
    async with whep.site(package, endpoint) as url, page_at(chromium, url) as page:
        await until(lambda: _moves(page), within=20)
        pictures = await probe.pictures(page, "video", seconds=SECONDS)
        assert pictures.moves
        assert pictures.rate >= 20
        assert pictures.delay < 1000
        await page.evaluate("window.stop()")
    await camera.says(r"0 left")


async def _moves(page: Page) -> bool:
    return (await probe.pictures(page, "video", seconds=0.5)).moves


@pytest.mark.parametrize("stack", [whep.gstreamer, whep.werift])
async def test_a_foreign_stack_shows_the_camera(
    camera: Publisher, stack: Callable[[Endpoint], AbstractAsyncContextManager[Foreign]]
) -> None:
    async with stack(Endpoint.of(await camera.link())) as player:
        await player.shows(PICTURES)
    assert ahead(player.codes)
    assert len(player.codes) >= 0.95 * player.pictures
    assert max(player.delays[-30:]) < 1000
