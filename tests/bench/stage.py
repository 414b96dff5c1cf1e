"""What the benchmarks of the whole road have in common: an RTSP camera, a room, a page."""

import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Browser, Page

from tests.support.browser import browser, page_at
from tests.support.cameras import FULL, RtspCamera, rtsp_camera
from tests.support.daemon import publisher
from tests.support.player import Player
from tests.support.server import Program, running_program


@dataclass(frozen=True, slots=True)
class Stage:
    """All that runs, and a page that is live."""

    camera: RtspCamera
    rendezvous: Program
    chromium: Browser
    page: Page
    state: Path

    @property
    def player(self) -> Player:
        """The page's player."""
        return Player(self.page)


@asynccontextmanager
async def watched_camera(
    variant: str = "plain", *, leg: str = "rtp", program: Sequence[str] | None = None
) -> AsyncIterator[Stage]:
    """An RTSP camera of the variant, watched in Chromium on loopback, over one leg.

    ``program`` runs in the place of `publisher`.
    """
    async with AsyncExitStack() as stack:
        state = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        camera = stack.enter_context(rtsp_camera(variant, size=FULL))
        rendezvous = await stack.enter_async_context(running_program(state=state / "r.sqlite"))
        server = f"127.0.0.1:{rendezvous.port}"
        words = ["start", "--server", server, "--room", "Bench", "--source", camera.url]
        daemon = await stack.enter_async_context(publisher(*words, state=state, program=program))
        chromium = await stack.enter_async_context(browser(autoplay=True))
        link = (await daemon.link()).replace("/#", f"/{_QUERIES[leg]}#")
        page = await stack.enter_async_context(page_at(chromium, link))
        stage = Stage(camera, rendezvous, chromium, page, state)
        await stage.player.live()
        yield stage


_QUERIES = {"rtp": "", "fmp4": "?audio=aac"}
