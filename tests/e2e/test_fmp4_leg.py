"""The camera's own picture and sound in Chromium, through Media Source Extensions."""

import base64
import hashlib
import io
from array import array
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from statistics import median

import av
import pytest
from playwright.async_api import Browser, Page

from publisher.sources import pattern
from publisher.sources.pattern import SAMPLE_RATE
from tests.support import ear, probe
from tests.support.browser import visitor
from tests.support.cameras import Nal, RtspCamera, nals, rtsp_camera
from tests.support.daemon import publisher
from tests.support.player import Player
from tests.support.segments import whole_segments
from tests.support.server import Program
from tests.support.waiting import until

STEP = 5  # ms that sound and picture may be apart in what is appended
# In the browser we listen before the sound card's buffer, which the picture waits for: that alone
# is some 45 ms.
LIP_SYNC = 80
_APPENDS = Path(__file__).parents[1] / "support" / "append_probe.js"
_VIDEO = "document.querySelector('porthole-player').video"
_LAG = f"{_VIDEO}.buffered.end({_VIDEO}.buffered.length - 1) - {_VIDEO}.currentTime"


@asynccontextmanager
async def watching(
    rendezvous: Program, camera: RtspCamera, chromium: Browser, state: Path, query: str = ""
) -> AsyncIterator[Page]:
    """A live page that remembers what it appends."""
    server = f"{rendezvous.host}:{rendezvous.port}"
    words = ("start", "--server", server, "--room", "MyRoom", "--source", camera.url)
    async with (
        publisher(*words, state=state) as daemon,
        visitor(chromium, patient=True) as context,
    ):
        await context.add_init_script(path=_APPENDS)
        page = await context.new_page()
        await page.goto((await daemon.link()).replace("/#", f"/{query}#"))
        await Player(page).live()
        yield page


async def _leg(page: Page) -> str:
    return str((await Player(page).stats())["leg"])


async def _appended(page: Page) -> bytes | None:
    """What the page was given, once it is enough to tell."""
    media = whole_segments(base64.b64decode(await page.evaluate("portholeAppended()")))
    pictures, sounds = _coded(media)
    return media if len(pictures) > 100 and len(sounds) > 150 else None


@pytest.mark.alone
async def test_a_viewer_gets_the_cameras_own_sound_and_picture_in_step(
    rendezvous: Program, chromium: Browser, tmp_path: Path
) -> None:
    with rtsp_camera("plain") as camera:
        async with watching(rendezvous, camera, chromium, tmp_path, "?audio=aac") as page:
            await probe.live(page)
            assert await _leg(page) == "fmp4"
            await probe.tone(page)
            await until(lambda: _in_step(page))
            media = await until(lambda: _appended(page))
        sent_units, sent_sounds = {unit.nals for unit in camera.records()}, set(camera.sounds())
    units, sounds = _coded(media)
    assert [unit for unit in units if unit not in sent_units] == []
    assert [sound for sound in sounds if sound not in sent_sounds] == []
    assert abs(_step(media)) <= STEP


async def _in_step(page: Page) -> bool:
    return abs((await probe.sync(page)).offset) <= LIP_SYNC


def _coded(media: bytes) -> tuple[list[tuple[Nal, ...]], list[str]]:
    """NAL units of each picture, and the SHA-256 of each frame of sound."""
    units, sounds = [], []
    with av.open(io.BytesIO(media), "r") as file:
        for packet in file.demux(video=0, audio=0):
            if packet.size and packet.stream.type == "video":
                units.append(tuple(nals(_annex_b(bytes(packet)))))
            elif packet.size:
                sounds.append(hashlib.sha256(bytes(packet)).hexdigest())
    return units, sounds


def _step(media: bytes) -> float:
    """How much later than the picture the sound is, by the times that they are stamped with."""
    pictures: list[float] = []
    sound, began = array("f"), None
    with av.open(io.BytesIO(media), "r") as file:
        for frame in file.decode(video=0, audio=0):
            if isinstance(frame, av.VideoFrame):
                pictures += _late(frame)
            elif isinstance(frame, av.AudioFrame):
                began = frame.time if began is None else began
                sound.frombytes(bytes(frame.planes[0])[: 4 * frame.samples])
    assert began is not None
    heard = [1000 * (began + jump) - median(pictures) for jump in ear.jumps(sound, SAMPLE_RATE)]
    # Which second a jump belongs to, nobody can hear: the nearest.
    return median((at + 500) % 1000 - 500 for at in heard)


def _late(frame: av.VideoFrame) -> list[float]:
    """Milliseconds from the drawing of the picture to its time, if its code can be read."""
    luma = frame.planes[0]
    code = pattern.read(bytes(luma), luma.line_size, frame.width, frame.height)
    return [1000 * frame.time - code.unix_ms] if code and frame.time is not None else []


def _annex_b(sample: bytes) -> bytes:
    """A sample of length-prefixed NAL units (ISO/IEC 14496-15) with start codes."""
    whole = b""
    while sample:
        end = 4 + int.from_bytes(sample[:4], "big")
        whole += b"\0\0\1" + sample[4:end]
        sample = sample[end:]
    return whole


async def test_b_frames_play_over_this_leg_by_themselves(
    rendezvous: Program, chromium: Browser, tmp_path: Path
) -> None:
    with rtsp_camera("b-frames") as camera:
        async with watching(rendezvous, camera, chromium, tmp_path) as page:
            pictures = await probe.live(page)
            assert await _leg(page) == "fmp4"
            # Over RTP one in thirty would be decoded.
            assert median(b.frame - a.frame for a, b in pairwise(pictures.codes)) < 10


async def test_a_picture_that_fell_behind_is_live_again(
    rendezvous: Program, chromium: Browser, tmp_path: Path
) -> None:
    with rtsp_camera("long-gop") as camera:
        async with watching(rendezvous, camera, chromium, tmp_path, "?audio=aac") as page:
            await page.evaluate(f"{_VIDEO}.pause()")
            await until(lambda: page.evaluate(f"{_LAG} > 2"))
            await page.evaluate(f"{_VIDEO}.play()")
            await until(lambda: page.evaluate(f"{_LAG} < 0.5"))
            await Player(page).moves()


async def test_a_buffer_that_breaks_is_replaced_and_the_session_goes_on(
    rendezvous: Program, chromium: Browser, tmp_path: Path
) -> None:
    with rtsp_camera("plain") as camera:
        async with watching(rendezvous, camera, chromium, tmp_path, "?audio=aac") as page:
            await until(lambda: _break(page))
            await until(lambda: page.evaluate("portholeBuffers.length === 2"))
            await Player(page).live()
            assert (
                await page.evaluate("document.querySelector('porthole-player').state") == "playing"
            )


async def _break(page: Page) -> bool:
    """Appends what is no media; not while the buffer is at work."""
    return bool(
        await page.evaluate("""() => {
            const [buffer] = portholeBuffers;
            if (buffer.updating) return false;
            buffer.appendBuffer(new Uint8Array(64));
            return true;
        }""")
    )
