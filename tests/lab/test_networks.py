"""Real programs and a real browser behind real NATs: they meet, move, and let go of the dead."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TypeAlias

import pytest
from playwright.async_api import Page

from tests.support.browser import page_at
from tests.support.lab.access import PORT, SYMMETRIC, TCP_443, Place
from tests.support.lab.lab import Lab, flows_of, since
from tests.support.lab.paths import MediaPath, media_path
from tests.support.lab.screen import Screen
from tests.support.lab.stage import Camera, Stage
from tests.support.lab.topology import Line
from tests.support.player import Player
from tests.support.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

ONE_LOOP = True  # the laboratory is the same on both

Watched: TypeAlias = Callable[[Place, Place], AbstractAsyncContextManager[Page]]
_STEP = 1.0  # seconds
FORGOTTEN_WITHIN = 25.0  # seconds; consent to be sent to would run out after thirty (RFC 7675)


@pytest.fixture
def watched(scene: Stage, camera: Camera) -> Watched:
    """A page that is live, with both at these places."""

    @asynccontextmanager
    async def watching(camera_at: Place, viewer_at: Place) -> AsyncIterator[Page]:
        link = await camera.at(camera_at)
        await scene.lab.seat(viewer=viewer_at)
        async with page_at(scene.chromium, link) as page:
            await Player(page).live()
            yield page

    return watching


async def path(lab: Lab, page: Page) -> MediaPath | None:
    """The way of ten pictures, as the router sees it."""
    before = await lab.count()
    await Player(page).moves()
    return media_path(since(before, await lab.count()))


async def is_direct(lab: Lab, page: Page) -> bool:
    """Whether no relay sees the media."""
    found = await path(lab, page)
    return found is not None and found.direct


async def test_homes_meet_directly_and_a_viewer_that_vanishes_is_sent_nothing_any_more(
    scene: Stage, watched: Watched
) -> None:
    async with watched(Place(PORT, 1), Place(PORT, 2)) as page:
        assert await until(lambda: is_direct(scene.lab, page))
        assert await until(lambda: _page_says(page, "direct"))
        await scene.lab.unplug("viewer")
        await until(lambda: _sends_nothing(scene.lab), FORGOTTEN_WITHIN)


async def _sends_nothing(lab: Lab) -> bool:
    """Whether in the time of some thirty pictures nothing has left for the viewer's home."""
    home = Place(PORT, 2).gateways[-1].address
    before = await _sent(lab, home)
    await asyncio.sleep(_STEP)
    return await _sent(lab, home) == before


async def _sent(lab: Lab, address: str) -> int:
    sent = flows_of(await lab.count(), "camera", "out")
    return sum(flow.packets for flow in sent if flow.address == address)


async def test_a_network_that_allows_port_443_only_is_relayed_over_tls(
    scene: Stage, watched: Watched
) -> None:
    async with watched(Place(SYMMETRIC, 1), Place(TCP_443, 2)) as page:
        found = await until(lambda: path(scene.lab, page))
        assert found.viewer == "tls"


async def _page_says(page: Page, path: str) -> bool:
    return bool((await Player(page).stats())["path"] == path)


async def test_a_lan_needs_neither_stun_nor_turn(scene: Stage, watched: Watched) -> None:
    for server in ("turn", "turn2"):
        await scene.lab.unplug(server)
    try:
        async with watched(Place(SYMMETRIC, 1), Place(SYMMETRIC, 1, 3)) as page:
            assert await until(lambda: is_direct(scene.lab, page))
    finally:
        for server in ("turn", "turn2"):
            await scene.lab.plug(server)


async def test_who_moves_to_another_network_is_back_by_itself(
    scene: Stage, watched: Watched
) -> None:
    async with watched(Place(PORT, 1), Place(PORT, 2)) as page:
        screen = await Screen.watched(page)
        for host, place in (("viewer", Place(PORT, 3)), ("camera", Place(PORT, 4))):
            await scene.lab.seat(**{host: place})
            await screen.back_after(time.time())
            await Player(page).live()


async def test_who_was_relayed_by_a_server_that_died_is_relayed_by_another(
    scene: Stage, watched: Watched
) -> None:
    async with watched(Place(SYMMETRIC, 1), Place(SYMMETRIC, 2)) as page:
        assert await until(lambda: _page_says(page, "relayed"))
        screen = await Screen.watched(page)
        dead = await until(lambda: _relay_in_use(scene.lab, page))
        await scene.lab.unplug(dead)
        try:
            await screen.back_after(time.time())
            assert await until(lambda: _relay_in_use(scene.lab, page)) != dead
        finally:
            await scene.lab.plug(dead)


async def _relay_in_use(lab: Lab, page: Page) -> str | None:
    """Where ten pictures came from; None if they had come before, as to a page that stood still."""
    before = await lab.count()
    await Player(page).moves()
    flows = flows_of(since(before, await lab.count()), "viewer", "in")
    servers = {address: n for n in ("turn", "turn2") for address in lab.hosts[n].addresses}
    return servers.get(flows[0].address) if flows else None


async def test_a_thin_lossy_distant_link_still_plays_and_the_statistics_say_what_it_is(
    scene: Stage, watched: Watched
) -> None:
    line = Line(bits_per_second=500_000, loss=0.1)
    far = Line(bits_per_second=500_000, loss=0.1, delay=0.15)
    async with watched(Place(PORT, 1), Place(PORT, 2)) as page:
        await scene.lab.link("viewer", up=line, down=far)
        await Player(page).moves()
        await until(lambda: _tells_of_the_line(page))
        await Player(page).moves()


async def _tells_of_the_line(page: Page) -> bool:
    stats = await Player(page).stats()
    loss, trip = stats["loss"] or 0.0, stats["roundTrip"] or 0.0  # none yet in the first second
    return bool(0.02 < loss < 0.25 and 0.1 < trip < 1.5)
