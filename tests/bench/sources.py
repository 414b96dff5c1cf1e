"""What the sources cost the machine beside the camera."""

import asyncio
import time
from collections.abc import AsyncIterator
from itertools import islice

import av

from publisher.sources import test_camera
from publisher.sources.address import Address
from publisher.sources.pattern import Pattern, read
from publisher.sources.rtsp.camera import RtspCamera
from tests.support.bench import Figure, benchmark, median
from tests.support.cameras import FULL, SMALL, rtsp_camera


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


@benchmark
async def drawing() -> AsyncIterator[Figure]:
    """A picture of the test camera at 720p, before it is encoded."""
    pattern, pictures = Pattern(1280, 720), 200
    worked = time.thread_time()
    for number in range(pictures):
        pattern.draw(number, 1_790_000_000_000 + number)
    yield Figure("", 1000 * (time.thread_time() - worked) / pictures, "ms", at_most=3)


@benchmark
async def reading_delay() -> AsyncIterator[Figure]:
    """From the drawing of a picture to its reading, through a real camera's encoder and RTSP."""
    for variant, size in (("plain", FULL), ("h265", SMALL)):
        yield Figure(variant, await asyncio.to_thread(_delay, variant, size), "ms", at_most=15)


def _delay(variant: str, size: str) -> float:
    """The median of three seconds, without the first pictures, which come in a burst."""
    with rtsp_camera(variant, size=size) as camera:
        opened = RtspCamera(Address.parse(camera.url)).open()
        pictures = (packet for packet in opened.packets() if packet.kind == "video")
        decoder = av.CodecContext.create(opened.streams[0].codec, "r")
        assert isinstance(decoder, av.VideoCodecContext)
        delays = []
        for packet in islice(pictures, 110):
            arrived = time.time()
            for frame in decoder.decode(av.Packet(packet.data)):
                plane = frame.planes[0]
                code = read(bytes(plane), plane.line_size, frame.width, frame.height)
                delays += [arrived - code.unix_ms / 1000] if code else []
        opened.close()
    return median(delays[20:]) * 1000
