"""A thin, lossy, distant link: 500 kbit/s, one packet in ten lost each way, 150 ms to the viewer.

The first camera's stream fits in, barely. The second one's is four times too wide: of its pictures
the path carries little more than the key frames, one of 48 kB each second, so one a second is what
can be shown, about as late as two of them take. The page comes over a good link, which turns bad
then. What it says of losses is compared with what the router has lost; queues are the router's and
the publisher's memory. A page that is served over TCP sees no loss: TCP has repaired it.
"""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from playwright.async_api import Page

from tests.support import probe
from tests.support.bench import Figure, benchmark, median, percentile
from tests.support.browser import page_at
from tests.support.daemon import Publisher
from tests.support.lab.access import NO_UDP, PORT, SYMMETRIC, Access, Place
from tests.support.lab.control import Counted
from tests.support.lab.lab import Lab, flows_of, laboratory, since
from tests.support.lab.screen import Screen
from tests.support.lab.stage import publisher, stage
from tests.support.lab.topology import Line
from tests.support.player import Player

_LOSS = 0.1
_NEAR = Line(bits_per_second=500_000, loss=_LOSS)
_FAR = Line(bits_per_second=500_000, loss=_LOSS, delay=0.15)
_NARROW = "test:?size=640x360&bitrate=250000"
_WIDE = "test:"  # 2 Mbit/s
_SETTLE, _WATCH = 5.0, 15.0  # seconds
_FLUENT, _PATIENCE = 20.0, 90.0  # frames/s, seconds
_QUEUE = 1.1  # seconds that a queue of the line may hold: its 64 KiB
_MEMORY = 8.0  # MB


class Targets(NamedTuple):
    """What is enough of a stream."""

    rate: float  # frames/s
    gap: float  # seconds without a picture
    delay: float  # ms


_TARGETS = {_NARROW: Targets(10, 2, 1000), _WIDE: Targets(0.5, 3, 5000)}


@benchmark
async def thin_link() -> AsyncIterator[Figure]:
    """Directly."""
    async for figure in _measured(PORT, PORT, "viewer"):
        yield figure


@benchmark
async def thin_link_relayed() -> AsyncIterator[Figure]:
    """Through TURN over UDP."""
    async for figure in _measured(SYMMETRIC, SYMMETRIC, "viewer"):
        yield figure


@benchmark
async def thin_link_over_tcp() -> AsyncIterator[Figure]:
    """Through TURN over TCP: the viewer's last mile is thin."""
    async for figure in _measured(PORT, NO_UDP, "viewer"):
        yield figure


@benchmark
async def thin_uplink_over_tcp() -> AsyncIterator[Figure]:
    """Through TURN over TCP: the camera's first mile is thin."""
    async for figure in _measured(NO_UDP, PORT, "camera"):
        yield figure


@benchmark
async def thin_link_wide_stream() -> AsyncIterator[Figure]:
    """Directly, and four times too much."""
    async for figure in _measured(PORT, PORT, "viewer", _WIDE):
        yield figure


@benchmark
async def thin_uplink_wide_stream() -> AsyncIterator[Figure]:
    """Through TURN over TCP: four times too much for the camera's first mile."""
    async for figure in _measured(NO_UDP, PORT, "camera", _WIDE):
        yield figure


@benchmark
async def thin_link_widens() -> AsyncIterator[Figure]:
    """Directly: until every picture is shown again on a link that was too thin for them."""
    async with _watched(PORT, PORT, _WIDE) as (lab, _, page):
        await _make_thin(lab, "viewer")
        await asyncio.sleep(_SETTLE)
        await lab.link("viewer")
        begun = time.monotonic()
        while (await probe.pictures_during(page, seconds=1)).rate < _FLUENT:
            assert time.monotonic() - begun < _PATIENCE
        yield Figure("", time.monotonic() - begun, "s", at_most=25)


async def _measured(
    camera: Access, viewer: Access, thin: str, source: str = _NARROW
) -> AsyncIterator[Figure]:
    async with _watched(camera, viewer, source) as (lab, daemon, page):
        await _make_thin(lab, thin)
        await asyncio.sleep(_SETTLE)
        for figure in await _figures(lab, daemon, page, _TARGETS[source]):
            yield figure


@asynccontextmanager
async def _watched(
    camera: Access, viewer: Access, source: str
) -> AsyncIterator[tuple[Lab, Publisher, Page]]:
    """A page that shows the camera, over a good link."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with laboratory() as lab, stage(lab, folder) as scene:
            await lab.seat(camera=Place(camera, 1), viewer=Place(viewer, 2))
            async with (
                publisher(lab, folder, source=source) as daemon,
                page_at(scene.chromium, await daemon.link()) as page,
            ):
                await Player(page).live()
                yield lab, daemon, page


async def _make_thin(lab: Lab, host: str) -> None:
    up, down = (_NEAR, _FAR) if host == "viewer" else (_FAR, _NEAR)
    await lab.link(host, up=up, down=down)


async def _figures(lab: Lab, daemon: Publisher, page: Page, targets: Targets) -> list[Figure]:
    screen = await Screen.watched(page)
    before, memory = await lab.count(), daemon.rss
    begun = time.time()
    pictures = await probe.pictures_during(page, seconds=_WATCH)
    counted = since(before, await lab.count())
    told = (await Player(page).stats())["loss"] or 0.0
    return [
        Figure("shown", pictures.rate, "frames/s", at_least=targets.rate),
        Figure("longest-gap", await screen.gap_after(begun), "s", at_most=targets.gap),
        Figure("delay", median(pictures.delays), "ms", at_most=targets.delay),
        Figure("delay.p95", percentile(pictures.delays, 95), "ms"),
        Figure("page-says-lost", 100 * told, "%"),
        Figure("router-lost", _lost(counted), "%"),
        Figure("longest-queue", _longest_wait(counted), "s", at_most=_QUEUE),
        Figure("publisher-grew", (daemon.rss - memory) / 1e6, "MB", at_most=_MEMORY),
    ]


def _lost(counted: Counted) -> float:
    """Of all packets of camera and viewer, in percent."""
    sent = sum(f.packets for host in ("camera", "viewer") for f in flows_of(counted, host, "out"))
    return 100 * counted.drops.get("loss", 0) / max(1, sent)


def _longest_wait(counted: Counted) -> float:
    return max(max(waits) for waits in counted.waits.values())
