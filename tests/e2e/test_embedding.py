"""Any page can embed the player, if the server allows the page's site."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web
from playwright.async_api import Browser

from tests.support.browser import page_at
from tests.support.daemon import publisher
from tests.support.light_viewer import Link
from tests.support.player import Player
from tests.support.server import running_program

PAGE = """<!doctype html><title>Somebody's site</title>
<script type="module" src="{server}/porthole-player.js"></script>
<porthole-player room="{room}" secret="{secret}"></porthole-player>"""


class Site:
    """A web site of somebody else's, on an origin of its own."""

    def __init__(self) -> None:
        self.origin = ""
        self.page = ""

    async def serve(self, _: web.Request) -> web.Response:
        """The page as it is now."""
        return web.Response(text=self.page, content_type="text/html")


@asynccontextmanager
async def site() -> AsyncIterator[Site]:
    made = Site()
    application = web.Application()
    application.router.add_get("/", made.serve)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.origin = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield made
    finally:
        await runner.cleanup()


async def test_a_page_of_an_allowed_site_shows_the_camera_and_another_one_is_told(
    chromium: Browser, tmp_path: Path
) -> None:
    async with site() as allowed, site() as stranger:
        flags = ("--allow-origin", allowed.origin)
        async with running_program(*flags, state=tmp_path / "r.sqlite") as rendezvous:
            server = f"127.0.0.1:{rendezvous.port}"
            words = ("start", "--server", server, "--room", "MyRoom", "--source", "test:")
            async with publisher(*words, state=tmp_path) as camera:
                link = Link.parse(await camera.link())
                page = PAGE.format(server=f"http://{server}", room=link.room, secret=link.secret)
                allowed.page = stranger.page = page
                async with page_at(chromium, allowed.origin) as embedding:
                    await Player(embedding).live()
                    assert link.secret not in await embedding.content()
                async with page_at(chromium, stranger.origin) as refused:
                    await Player(refused).says("The server does not answer")
