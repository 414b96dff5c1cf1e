"""Players and stacks of others watch a room by WHEP, from a site that the server does not know."""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from statistics import median
from urllib.parse import urljoin

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.support import probe, whep
from tests.support.browser import page_at
from tests.support.daemon import Publisher, publisher
from tests.support.light_viewer import LightViewer
from tests.support.processes import resident, sockets
from tests.support.server import Program, running_program
from tests.support.waiting import until
from tests.support.whep import Endpoint, Foreign

SOURCE = "test:?size=640x360&fps=30&bitrate=800000"
PICTURES = 60
PLACES = 10  # of a room


@pytest_asyncio.fixture(loop_scope="module")
async def camera(rendezvous: Program, tmp_path: Path) -> AsyncIterator[Publisher]:
    server = f"127.0.0.1:{rendezvous.port}"
    words = ["start", "--server", server, "--room", "MyRoom", "--source", SOURCE]
    async with publisher(*words, state=tmp_path) as running:
        yield running


@asynccontextmanager
async def light_offer() -> AsyncIterator[str]:
    """An offer of aiortc's, for picture and sound."""
    connection = LightViewer().connection
    try:
        await connection.setLocalDescription(await connection.createOffer())
        yield connection.localDescription.sdp
    finally:
        await connection.close()


@pytest.mark.parametrize("package", sorted(whep.SCRIPTS))
async def test_a_player_from_npm_shows_the_camera_in_chromium(
    camera: Publisher, chromium: Browser, package: str
) -> None:
    endpoint = Endpoint.of(await camera.link())
    async with whep.site(package, endpoint) as url, page_at(chromium, url) as page:
        await probe.live(page, "video", count=PICTURES)
        await page.evaluate("window.stop()")
    await camera.says(r"0 left")


def _is_live(player: Foreign) -> bool:
    """As ``probe.live`` says it, and nearly all of them can be read."""
    codes = [code for code in player.seen[-PICTURES:] if code]
    readable = len(codes) >= 0.95 * PICTURES
    return readable and probe.ahead(codes) and median(player.delays[-30:]) < probe.LIVE


@pytest.mark.parametrize("stack", [whep.gstreamer, whep.werift])
async def test_a_foreign_stack_shows_the_camera(
    camera: Publisher, stack: Callable[[Endpoint], AbstractAsyncContextManager[Foreign]]
) -> None:
    async with stack(Endpoint.of(await camera.link())) as player:
        await player.shows(PICTURES)
        await until(lambda: _is_live(player))


async def test_a_player_that_is_killed_frees_its_place(tmp_path: Path) -> None:
    """Nobody says goodbye: the camera hears nothing more on the media path."""
    one_place = ("--viewers-per-room", "1")
    async with running_program(*one_place, state=tmp_path / "r.sqlite") as rendezvous:
        words = ["start", "--server", f"127.0.0.1:{rendezvous.port}", "--source", SOURCE]
        async with publisher(*words, state=tmp_path) as camera:
            endpoint = Endpoint.of(await camera.link())
            async with whep.werift(endpoint) as player:
                await player.shows(10)
                await player.kill()
            await camera.says(r"media_lost; 0 left")
            async with whep.werift(endpoint) as player:
                await player.shows(10)


async def test_the_answer_is_what_the_draft_asks_of_media_servers(camera: Publisher) -> None:
    """§4.2.5 sendonly, §4.4.2 all candidates, §4.5.1 one bundle and no RTCP of its own."""
    endpoint = Endpoint.of(await camera.link())
    headers = {"Authorization": f"Bearer {endpoint.token}", "Content-Type": "application/sdp"}
    async with aiohttp.ClientSession(headers=headers) as http, light_offer() as offer:
        async with http.post(endpoint.url, data=offer) as response:
            assert response.status == 201
            session, *media = re.split(r"^m=", await response.text(), flags=re.MULTILINE)
        async with http.delete(urljoin(endpoint.url, response.headers["Location"])) as deleted:
            assert deleted.status == 200
    assert "a=group:BUNDLE 0 1" in session
    assert len(media) == 2
    for section in media:
        lines = section.splitlines()
        assert {"a=sendonly", "a=rtcp-mux", "a=setup:passive", "a=end-of-candidates"} <= set(lines)
        assert any(line.startswith("a=candidate:") for line in lines)
    await camera.says("0 left")


async def test_a_storm_of_half_open_sessions_passes_and_costs_nothing(
    rendezvous: Program, camera: Publisher
) -> None:
    """2,000 offers with the secret, none of which ever connects; then a real player."""
    endpoint = Endpoint.of(await camera.link())
    idle = (camera.sockets, sockets(rendezvous.process.pid))
    async with light_offer() as offer:
        found = await storm(endpoint, offer, 1_000)
        settled = resident(rendezvous.process.pid)
        found += await storm(endpoint, offer, 1_000)
    assert found[201] >= PLACES
    assert max(map(int, re.findall(r"A viewer joins \((\d+) now", camera.terminal))) == PLACES
    assert found.keys() <= {201, 429, 503}
    await until(lambda: (camera.sockets, sockets(rendezvous.process.pid)) == idle)
    assert resident(rendezvous.process.pid) - settled < 3_000_000
    async with whep.werift(endpoint) as player:
        await player.shows(10)


async def storm(endpoint: Endpoint, offer: str, count: int) -> Counter[int]:
    """So many POSTs, thirty at a time; how often each status came."""
    headers = {"Authorization": f"Bearer {endpoint.token}", "Content-Type": "application/sdp"}
    connector = aiohttp.TCPConnector(limit=30, force_close=True)
    async with aiohttp.ClientSession(headers=headers, connector=connector) as http:

        async def one() -> int:
            async with http.post(endpoint.url, data=offer) as response:
                return response.status

        return Counter(await asyncio.gather(*(one() for _ in range(count))))
