"""A room in WHEP players of others: twenty seconds each."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

from publisher.sources.pattern import TimeCode
from tests.support import probe, whep
from tests.support.bench import Figure, benchmark, median
from tests.support.browser import browser, page_at
from tests.support.daemon import publisher
from tests.support.server import running_program
from tests.support.whep import Endpoint

SECONDS = 20
_SOURCE = "test:?size=640x360&fps=30&bitrate=800000"


@asynccontextmanager
async def _room() -> AsyncIterator[Endpoint]:
    with tempfile.TemporaryDirectory() as name:
        state = Path(name)
        async with running_program(state=state / "r.sqlite") as rendezvous:
            server = f"127.0.0.1:{rendezvous.port}"
            words = ["start", "--server", server, "--room", "Bench", "--source", _SOURCE]
            async with publisher(*words, state=state) as camera:
                yield Endpoint.of(await camera.link())


@benchmark
async def whep_in_a_browser() -> AsyncIterator[Figure]:
    """Packages from npm in Chromium: what is presented."""
    for package in sorted(whep.SCRIPTS):
        async with (
            _room() as endpoint,
            whep.site(package, endpoint) as url,
            browser(autoplay=True) as chromium,
            page_at(chromium, url) as page,
        ):
            await probe.live(page, "video")
            pictures = await probe.pictures_during(page, "video", seconds=SECONDS)
        yield Figure(f"{package}.frame-rate", pictures.rate, "frames/s", at_least=25)
        yield Figure(f"{package}.delay", pictures.delay, "ms")
        yield _steps_back(package, pictures.codes)


@benchmark
async def whep_in_other_stacks() -> AsyncIterator[Figure]:
    """GStreamer's webrtcbin and werift: what is decoded."""
    for stack in (whep.gstreamer, whep.werift):
        name = stack.__name__
        async with _room() as endpoint, stack(endpoint) as player:
            await player.shows(30 * SECONDS, within=3 * SECONDS)
        spent = (player.codes[-1].unix_ms - player.codes[0].unix_ms) / 1000
        yield Figure(f"{name}.frame-rate", (player.pictures - 1) / spent, "frames/s", at_least=25)
        readable = 100 * len(player.codes) / player.pictures
        yield Figure(f"{name}.right-pictures", readable, "%", at_least=99)
        yield Figure(f"{name}.delay", median(player.delays), "ms")
        yield _steps_back(name, player.codes)


def _steps_back(name: str, codes: list[TimeCode]) -> Figure:
    count = sum(b.unix_ms <= a.unix_ms for a, b in pairwise(codes))
    return Figure(f"{name}.steps-back", count, "pictures", at_most=0)
