"""What viewers of the fMP4 leg cost the sending process, and what slow ones do to the others."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Final

from rendezvous.wire.messages import Answer, Offer
from tests.bench.sending import even_camera
from tests.support import peers
from tests.support.bench import Figure, benchmark, percentile
from tests.support.channel_viewer import ChannelViewer, channel_viewer
from tests.support.daemon import Publisher, publisher
from tests.support.light_viewer import Link
from tests.support.processes import cpu_seconds
from tests.support.server import running_program
from tests.support.waiting import until

VIEWERS: Final = (1, 8)
SECONDS: Final = 6.0
SLOW: Final = 200_000  # bit/s


@asynccontextmanager
async def sender() -> AsyncIterator[tuple[Publisher, Link]]:
    """A publisher of 720p30 at 2 Mbit/s."""
    async with AsyncExitStack() as stack:
        state = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        camera = await stack.enter_async_context(even_camera(0))
        server = await stack.enter_async_context(running_program(state=state / "r.sqlite"))
        words = ["start", "--server", f"127.0.0.1:{server.port}", "--source", camera]
        process = await stack.enter_async_context(publisher(*words, state=state / "p"))
        link = Link.parse(await process.link())
        await process.says("live")
        yield process, link


async def join(stack: AsyncExitStack, link: Link) -> ChannelViewer:
    """A viewer that stays until the stack is unwound."""
    peer = await stack.enter_async_context(peers.connect(link.host, link.port, transport="ws"))
    joined = await peers.joined(peer, link.room, link.secret)

    async def answering(offer: str) -> str:
        await peer.send(Offer(session=joined.session, sdp=offer, trickle=False))
        return (await peer.expect(Answer)).sdp

    viewer = await stack.enter_async_context(channel_viewer(answering))
    await until(lambda: "live" in viewer.heard)
    return viewer


async def cores(pid: int) -> float:
    """How many processors it uses, for some seconds."""
    spent = cpu_seconds(pid)
    await asyncio.sleep(SECONDS)
    return (cpu_seconds(pid) - spent) / SECONDS


async def gap(viewers: Sequence[ChannelViewer]) -> float:
    """Milliseconds between two pictures that one in a hundred exceeds."""
    for viewer in viewers:
        viewer.arrivals.clear()
    await asyncio.sleep(2 * SECONDS)
    gaps = [b - a for viewer in viewers for a, b in pairwise(viewer.arrivals)]
    return 1000 * percentile(gaps, 99)


@benchmark
async def channel() -> AsyncIterator[Figure]:
    """Processor time by viewer; gaps and memory beside a slow viewer and one that stands still."""
    async with sender() as (process, link):
        pid = process.process.pid
        idle = await cores(pid)
        yield Figure("idle", 100 * idle, "% core")
        for count in VIEWERS:
            async with AsyncExitStack() as stack:
                for _ in range(count):
                    await join(stack, link)
                cost = (await cores(pid) - idle) / count
            yield Figure(f"{count}.per-viewer", 100 * cost, "% core")
        async with AsyncExitStack() as stack:
            quick = [await join(stack, link) for _ in range(2)]
            yield Figure("p99-gap-alone", await gap(quick), "ms")
            (await join(stack, link)).slow_down(SLOW)
            (await join(stack, link)).stall()
            await asyncio.sleep(SECONDS)
            before = process.rss
            yield Figure("p99-gap-beside-slow", await gap(quick), "ms", at_most=50)
            yield Figure("grown-beside-slow", (process.rss - before) / 1e6, "MB", at_most=5)
