"""What viewers who cannot keep up do to the others: nothing.

One is held to 200 kbit/s of a stream of 2 Mbit/s and asks for all that it lost; another is stopped
altogether, as a phone that falls asleep.
"""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import pairwise

from tests.bench.sending import Sender, senders_of
from tests.support.bench import Figure, benchmark, percentile
from tests.support.processes import resident
from tests.support.rtp_receiver import RtpReceiver

_OTHERS = 4
_SECONDS = 8.0  # the camera ends the session of who is silent for ten


@asynccontextmanager
async def _asleep(url: str) -> AsyncIterator[None]:
    """A viewer in a process of its own that is stopped as soon as it watches."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.light_viewer", url, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout
        await process.stdout.readline()
        process.send_signal(signal.SIGSTOP)
        yield
    finally:
        process.kill()
        await process.wait()


async def _gaps(receivers: list[RtpReceiver]) -> list[float]:
    """Milliseconds between the pictures of all of them."""
    for receiver in receivers:
        receiver.forget()
    await asyncio.sleep(_SECONDS)
    return [1000 * (b - a) for r in receivers for a, b in pairwise(r.frames)]


async def _join(sender: Sender, stack: AsyncExitStack, count: int) -> list[RtpReceiver]:
    return [await sender.join(stack) for _ in range(count)]


@benchmark
async def slow_viewers() -> AsyncIterator[Figure]:
    """The gaps between the others' pictures, and the memory of the sending process."""
    async with senders_of("ours") as (found, urls), AsyncExitStack() as stack:
        ours = found["ours"]
        others = await _join(ours, stack, _OTHERS)
        alone = await _gaps(others)
        before = resident(ours.pid)
        (held,) = await _join(ours, stack, 1)
        held.rate = 200_000 / 8
        begging = asyncio.create_task(_beg(held))
        await stack.enter_async_context(_asleep(urls["ours"]))
        gaps = await _gaps(others)
        begging.cancel()
        grown = resident(ours.pid) - before
    yield Figure("gap-p99-alone", percentile(alone, 99), "ms")
    yield Figure("gap-p99", percentile(gaps, 99), "ms", at_most=50)
    yield Figure("memory-growth", grown / 1e6, "MB", at_most=10)


async def _beg(receiver: RtpReceiver) -> None:
    """As Chromium does that cannot decode: a PLI each 200 ms."""
    while True:
        receiver.ask_for_key_frame()
        await asyncio.sleep(0.2)
