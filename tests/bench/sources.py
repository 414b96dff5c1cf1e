"""What the sources cost the machine beside the camera."""

import asyncio
import time
from collections.abc import AsyncIterator
from itertools import islice

from publisher.sources import test_camera
from tests.support.bench import Figure, benchmark


@benchmark
async def test_camera_cpu() -> AsyncIterator[Figure]:
    """The built-in camera at 720p30, encoding included."""
    yield Figure("", await asyncio.to_thread(_load), "% core", at_most=15)


def _load() -> float:
    """Runs the camera for about five seconds; all its work is done by this thread."""
    camera = test_camera.TestCamera("test:").open()
    began, worked = time.monotonic(), time.thread_time()
    for _ in islice(camera.packets(), 5 * (30 + 47)):
        pass
    camera.close()
    return 100 * (time.thread_time() - worked) / (time.monotonic() - began)
