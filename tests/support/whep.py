"""WHEP players of others: packages from npm in a page of another site, and stacks of their own."""

import asyncio
import json
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
from aiohttp import web
from av.video.codeccontext import VideoCodecContext

from publisher.sources.pattern import TimeCode, read
from tests.support.cameras import ROOT, SYSTEM_PYTHON
from tests.support.light_viewer import Link
from tests.support.waiting import PATIENCE, until

PACKAGES = ROOT / ".tools" / "node_modules"
_SUPPORT = Path(__file__).parent
_PAGE = """<!doctype html><title>A player of somebody else's</title>
<video autoplay muted playsinline></video>
<script type="module">{script}</script>"""

# Each sets window.stop, which ends the session as the package does it.
SCRIPTS = {
    "whip-whep": """
        import { WHEPClient } from '/whip-whep/whep.js';
        const connection = new RTCPeerConnection({ bundlePolicy: 'max-bundle' });
        connection.addTransceiver('video', { direction: 'recvonly' });
        connection.addTransceiver('audio', { direction: 'recvonly' });
        connection.ontrack = ({ streams }) => {
          document.querySelector('video').srcObject = streams[0];
        };
        const client = new WHEPClient();
        window.stop = () => client.stop();
        await client.view(connection, URL_, TOKEN);
    """,
    "@eyevinn/webrtc-player": """
        import { default as module } from '/bundle.js';
        const { WebRTCPlayer } = module;
        const video = document.querySelector('video');
        const player = new WebRTCPlayer({ video, type: 'whep', iceServers: [] });
        window.stop = () => player.unload();
        await player.load(new URL(URL_), `Bearer ${TOKEN}`);
    """,
}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a room is watched, and the token for it."""

    url: str
    token: str

    @classmethod
    def of(cls, link: str) -> "Endpoint":
        """What a person makes of a link to watch."""
        parsed = Link.parse(link)
        return cls(f"http://{parsed.host}:{parsed.port}/whep/{parsed.room}", parsed.secret)


# ── in a browser ─────────────────────────────────────────────────────────────────────────────


@asynccontextmanager
async def site(package: str, endpoint: Endpoint) -> AsyncIterator[str]:
    """A page with the package's player, on an origin that the rendezvous does not know."""
    script = SCRIPTS[package].replace("URL_", json.dumps(endpoint.url))
    page = _PAGE.format(script=script.replace("TOKEN", json.dumps(endpoint.token)))
    bundle = _bundle(package) if "bundle.js" in script else ""
    application = web.Application()
    application.router.add_get("/", _serving(page, "text/html"))
    application.router.add_get("/bundle.js", _serving(bundle, "text/javascript"))
    application.router.add_static("/whip-whep", PACKAGES / "whip-whep")
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


def _serving(text: str, content_type: str) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def serve(_: web.Request) -> web.Response:
        return web.Response(text=text, content_type=content_type)

    return serve


def _bundle(package: str) -> str:
    """The package as one module: it is published as CommonJS, which no browser loads."""
    tool = PACKAGES / ".bin" / "esbuild"
    words = [str(tool), package, "--bundle", "--format=esm", "--log-level=error"]
    environ = {"NODE_PATH": str(PACKAGES), "PATH": "/usr/bin:/bin:/usr/local/bin"}
    done = subprocess.run(words, check=True, capture_output=True, text=True, env=environ, cwd=ROOT)
    return done.stdout


# ── other stacks ─────────────────────────────────────────────────────────────────────────────


@dataclass
class Foreign:
    """A player in a process of its own, and the time codes that it has shown, with when."""

    process: asyncio.subprocess.Process
    seen: list[TimeCode | None] = field(default_factory=list)  # None: could not be read
    delays: list[float] = field(default_factory=list)  # milliseconds, of those that could

    async def kill(self) -> None:
        """Ends it as a crash would: nobody is told."""
        self.process.kill()
        await self.process.wait()

    @property
    def pictures(self) -> int:
        """How many it has shown."""
        return len(self.seen)

    @property
    def codes(self) -> list[TimeCode]:
        """Of those that could be read."""
        return [code for code in self.seen if code]

    def note(self, code: TimeCode | None) -> None:
        """One picture more."""
        self.seen.append(code)
        if code is not None:
            self.delays.append(1000 * time.time() - code.unix_ms)

    async def shows(self, count: int, within: float = PATIENCE) -> None:
        """Waits for so many pictures."""
        await until(lambda: self.pictures >= count or self.process.returncode is not None, within)
        assert self.pictures >= count, f"it ended with status {self.process.returncode}"


@asynccontextmanager
async def gstreamer(endpoint: Endpoint) -> AsyncIterator[Foreign]:
    """GStreamer's webrtcbin."""
    script = str(_SUPPORT / "whep_gstreamer.py")
    words = (SYSTEM_PYTHON, script, endpoint.url, endpoint.token)
    async with _running(*words, listen=_read_lines) as player:
        yield player


@asynccontextmanager
async def werift(endpoint: Endpoint) -> AsyncIterator[Foreign]:
    """werift, with FFmpeg's decoder."""
    script, library = str(_SUPPORT / "whep_werift.mjs"), PACKAGES / "werift" / "lib" / "index.mjs"
    words = ("node", script, str(library), endpoint.url, endpoint.token)
    async with _running(*words, listen=_decode_units) as player:
        yield player


@asynccontextmanager
async def _running(
    *words: str, listen: Callable[[Foreign, asyncio.StreamReader], Coroutine[Any, Any, None]]
) -> AsyncIterator[Foreign]:
    process = await asyncio.create_subprocess_exec(
        *words,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PATH": "/usr/local/bin:/usr/bin:/bin",
        },
        limit=1 << 22,
    )
    assert process.stdin
    assert process.stdout
    player = Foreign(process)
    listening = asyncio.create_task(listen(player, process.stdout))
    try:
        yield player
        if process.returncode is None:
            process.stdin.close()
            assert await asyncio.wait_for(process.wait(), PATIENCE) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        listening.cancel()


async def _read_lines(player: Foreign, stream: asyncio.StreamReader) -> None:
    async for line in stream:
        code = json.loads(line)
        player.note(code and TimeCode(*code))


async def _decode_units(player: Foreign, stream: asyncio.StreamReader) -> None:
    decoder = av.CodecContext.create("h264", "r")
    assert isinstance(decoder, VideoCodecContext)
    try:
        while True:
            length = int.from_bytes(await stream.readexactly(4))
            for code in _shown(decoder, await stream.readexactly(length)):
                player.note(code)
    except asyncio.IncompleteReadError:
        return


def _shown(decoder: VideoCodecContext, unit: bytes) -> list[TimeCode | None]:
    """What a picture shows; who is late to read loses packets, and the picture its decoder."""
    try:
        frames = decoder.decode(av.Packet(unit))
    except av.FFmpegError:
        return [None]
    planes = [(frame, frame.planes[0]) for frame in frames]
    return [read(memoryview(p), p.line_size, frame.width, frame.height) for frame, p in planes]
