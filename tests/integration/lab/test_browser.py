"""The probe reads a page rightly: picture, sound, delay, and the coded pictures byte for byte."""

import asyncio
import io
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from fractions import Fraction
from itertools import pairwise
from typing import Any

import av
import pytest
import pytest_asyncio
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCRtpSender, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError
from playwright.async_api import Browser, Page

from publisher.sources import test_camera
from publisher.sources.pattern import SAMPLE_RATE, Pattern, tone
from tests.support import probe
from tests.support.browser import browser, kill, visitor
from tests.support.cameras import Nal, nals
from tests.support.waiting import PATIENCE, until

# One browser for all of these tests.
pytestmark = pytest.mark.asyncio(loop_scope="module")

ONE_LOOP = True  # the browser is the same on both

IN_A_ROW = 40  # pictures
URL = "http://127.0.0.1/lab"
PAGE = """<!doctype html><video autoplay muted playsinline></video>
<script>
  const video = document.querySelector('video');
  const peer = new RTCPeerConnection();
  peer.ontrack = ({ streams }) => { video.srcObject = streams[0]; };
  async function offer() {
    for (const kind of ['video', 'audio']) peer.addTransceiver(kind, { direction: 'recvonly' });
    await peer.setLocalDescription();
    while (peer.iceGatheringState !== 'complete') {
      await new Promise((resolve) => peer.addEventListener('icegatheringstatechange', resolve));
    }
    return peer.localDescription.sdp;
  }
  const accept = (sdp) => peer.setRemoteDescription({ type: 'answer', sdp });
</script>"""


class Pictures(MediaStreamTrack):
    """The test camera's H.264, untouched."""

    kind = "video"

    def __init__(self) -> None:
        super().__init__()
        self.camera = test_camera.TestCamera("test:?audio=0").open()
        self.sent: list[tuple[Nal, ...]] = []
        self._packets = self.camera.packets()

    async def recv(self) -> Any:
        made = await asyncio.to_thread(next, self._packets, None)
        if made is None:
            raise MediaStreamError
        self.sent.append(tuple(nals(made.data)))
        packet = av.Packet(made.data)
        packet.pts, packet.time_base = made.pts, Fraction(1, 1_000_000)
        return packet

    def stop(self) -> None:
        super().stop()
        self.camera.interrupt()


class Tone(MediaStreamTrack):
    """The test tone as raw sound, a 20 ms block when its last sample has been heard."""

    kind = "audio"
    BLOCK = SAMPLE_RATE // 50

    def __init__(self) -> None:
        super().__init__()
        self._at = 0

    async def recv(self) -> av.AudioFrame:
        now = time.time_ns() * SAMPLE_RATE // 10**9
        # It begins when somebody listens: what a jitter buffer gets in a burst, it keeps for long.
        self._at = self.BLOCK + (self._at or now)
        await asyncio.sleep(max(0, self._at / SAMPLE_RATE - time.time()))
        frame = av.AudioFrame(format="s16", layout="mono", samples=self.BLOCK)
        frame.planes[0].update(tone(self._at - self.BLOCK, self.BLOCK))
        frame.sample_rate, frame.time_base = SAMPLE_RATE, Fraction(1, SAMPLE_RATE)
        frame.pts = self._at - self.BLOCK
        return frame


@asynccontextmanager
async def _watching(page: Page) -> AsyncIterator[Pictures]:
    """A page that plays the test camera by WebRTC."""
    await page.route(URL, lambda route: route.fulfill(body=PAGE, content_type="text/html"))
    await page.goto(URL)
    peer, pictures = RTCPeerConnection(), Pictures()
    peer.addTrack(pictures)
    peer.addTrack(Tone())
    h264 = [c for c in RTCRtpSender.getCapabilities("video").codecs if c.mimeType == "video/H264"]
    peer.getTransceivers()[0].setCodecPreferences(h264)
    try:
        lines = (await page.evaluate("offer()")).splitlines()
        # aiortc would look for each of these for a second.
        offer = [line for line in lines if ".local" not in line]
        await peer.setRemoteDescription(RTCSessionDescription("\r\n".join(offer) + "\r\n", "offer"))
        await peer.setLocalDescription(await peer.createAnswer())
        await page.evaluate("sdp => accept(sdp)", peer.localDescription.sdp)
        await page.wait_for_function("video.readyState > 2")
        yield pictures
    finally:
        pictures.stop()
        await peer.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium() -> AsyncIterator[Browser]:
    async with browser() as running:
        yield running


@asynccontextmanager
async def _watched(
    chromium: Browser, *, encoded: bool = False
) -> AsyncIterator[tuple[Page, Pictures]]:
    async with visitor(chromium, encoded=encoded) as context:
        page = await context.new_page()
        async with _watching(page) as pictures:
            yield page, pictures


async def test_picture_and_sound_are_measured(chromium: Browser) -> None:
    async with _watched(chromium) as (page, _):
        await until(lambda: _hears_the_tone(page))
        frames = await _with_and_without_flash(page)
        assert (frames[0].width, frames[0].height) == (1280, 720)
        seen = probe.Pictures(frames)
        assert seen.moves
        assert seen.delay > 0
        assert all(a.presented < b.presented for a, b in pairwise(frames))
        for frame in frames:
            assert frame.code is not None
            assert frame.flash == (frame.code.unix_ms % 1000 < 100)


async def _hears_the_tone(page: Page) -> bool:
    """As it is, when nothing of it is missing: a busy machine plays a tone with gaps."""
    heard = await probe.sound(page, "video")
    return abs(heard.hz - 1000) < 5 and 0.05 < heard.level < 0.2


async def _with_and_without_flash(page: Page) -> list[probe.Frame]:
    """Frames of a second and more: a busy machine presents few in the tenth that is lit."""
    frames: list[probe.Frame] = []
    async with asyncio.timeout(PATIENCE):
        while {frame.flash for frame in frames} != {True, False}:
            frames += (await probe.pictures(page, "video")).frames
    return frames


async def test_sound_that_is_late_is_found_out(chromium: Browser) -> None:
    """In a file sound and picture are exactly as far apart as we put them.

    A browser on a busy machine shows files less in step than calls; not every time.
    """
    films = [await asyncio.to_thread(_film, late) for late in (0, 400)]

    async def found_out() -> bool:
        together, late = await asyncio.gather(*(_offset(chromium, film) for film in films))
        return abs(together) < 150 and abs(late - together - 400) < 150

    assert await until(found_out)


async def _offset(chromium: Browser, film: bytes) -> float:
    """Milliseconds; not a number when nothing could be measured."""
    async with visitor(chromium) as context:
        page = await context.new_page()
        await page.route(URL, lambda route: route.fulfill(body=film, content_type="video/mp4"))
        await page.goto(URL)
        measured = await probe.sync(page, "video", seconds=2.5)
    return measured.offset


def _film(late: int) -> bytes:
    """Four seconds of the test picture as MP4, the sound later by some milliseconds."""
    file = io.BytesIO()
    pattern, start = Pattern(320, 180), 1_790_000_000_500
    with av.open(file, "w", format="mp4") as film:
        video = film.add_stream("libx264", 30, options={"preset": "ultrafast"})
        video.width, video.height, video.pix_fmt = 320, 180, "yuv420p"
        audio = film.add_stream("aac", SAMPLE_RATE, layout="mono")
        for i in range(120):
            picture = av.VideoFrame(320, 180, "yuv420p")
            data, at = bytes(pattern.draw(i, start + i * 1000 // 30)), 0
            for plane in picture.planes:
                plane.update(data[at : at + plane.buffer_size])
                at += plane.buffer_size
            picture.pts = i
            film.mux(video.encode(picture))
            block = av.AudioFrame(format="s16", layout="mono", samples=1600)
            block.planes[0].update(tone((start - late) * SAMPLE_RATE // 1000 + i * 1600, 1600))
            block.sample_rate, block.pts = SAMPLE_RATE, i * 1600
            film.mux(audio.encode(block))
        film.mux(video.encode(None))
        film.mux(audio.encode(None))
    return file.getvalue()


async def test_coded_pictures_are_described_as_they_were_sent(chromium: Browser) -> None:
    async with _watched(chromium, encoded=True) as (page, pictures):
        await until(lambda: _none_is_left_out(page, pictures.sent))
        received = await probe.received_units(page)
    assert [unit for unit in received if unit not in pictures.sent] == []


async def _none_is_left_out(page: Page, sent: list[tuple[Nal, ...]]) -> bool:
    """Of the last ones: who is late to read loses packets, and with them pictures."""
    received = (await probe.received_units(page))[-IN_A_ROW:]
    if len(received) < IN_A_ROW or received[0] not in sent:
        return False
    start = sent.index(received[0])
    return sent[start : start + IN_A_ROW] == received


async def test_a_picture_without_a_time_code_is_not_read(chromium: Browser) -> None:
    """A camera that is not ours: bars drawn by the page itself."""
    async with visitor(chromium) as context:
        page = await context.new_page()
        body = "<!doctype html><canvas></canvas><video autoplay muted></video>"
        await page.route(URL, lambda route: route.fulfill(body=body, content_type="text/html"))
        await page.goto(URL)
        await page.evaluate("""
            const pen = document.querySelector('canvas').getContext('2d');
            setInterval(() => pen.fillRect(Math.random() * 300, 0, 9, 150), 20);
            document.querySelector('video').srcObject = pen.canvas.captureStream();
        """)
        seen = await probe.pictures(page, "video", count=5)
        assert seen.codes == []


async def test_a_killed_browser_is_gone() -> None:
    async with browser() as victim:
        gone = asyncio.Event()
        victim.on("disconnected", lambda _: gone.set())
        await kill(victim)
        await asyncio.wait_for(gone.wait(), PATIENCE)
