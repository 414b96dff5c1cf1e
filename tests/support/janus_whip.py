"""Debian's Janus as an SFU of a test's own, behind a small front that speaks WHIP (RFC 9725).

The front turns one POST into Janus's five steps (session, handle, join, publish, event) and serves
a page that watches the room. There Janus offers, as a subscriber of its VideoRoom must answer.
Nothing of the machine's own Janus is used: configuration, port and process are the test's.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from tests.support.ports import free_port
from tests.support.waiting import until

JANUS = "/usr/bin/janus"
TOKEN = "janus-t0ken"
ROOM = 1
_LIBRARIES = "/usr/lib/x86_64-linux-gnu/janus"
_ICE_LINK = '<stun:127.0.0.1:9>; rel="ice-server"'  # silent: gathering must go on without it

Json = dict[str, Any]

_VIDEOROOM = f"""
    room-{ROOM}: {{
        description = "whip"
        publishers = 1
        bitrate = 0
        videocodec = "h264"
        audiocodec = "opus,pcmu,pcma"
    }}"""

_PAGE = """<!doctype html><video autoplay playsinline></video><script>
(async () => {
  const offered = await (await fetch('/watch', { method: 'POST' })).json();
  const connection = new RTCPeerConnection();
  const stream = new MediaStream();
  const video = document.querySelector('video');
  connection.ontrack = ({ track }) => { stream.addTrack(track); video.srcObject = stream; };
  await connection.setRemoteDescription({ type: 'offer', sdp: offered.sdp });
  await connection.setLocalDescription();
  const gathered = () => connection.iceGatheringState === 'complete';
  while (!gathered())
    await new Promise((next) => { connection.onicegatheringstatechange = next; });
  const answer = { method: 'POST', body: connection.localDescription.sdp };
  await fetch(`/watch/${offered.id}`, answer);
})();
</script>"""


class Handle:
    """A session at Janus with one handle of a plugin."""

    def __init__(self, client: aiohttp.ClientSession, base: str, plugin: str = "videoroom") -> None:
        self._client = client
        self._base = base
        self._plugin = f"janus.plugin.{plugin}"
        self._session = ""
        self._handle = ""

    async def attach(self) -> None:
        """Opens both."""
        made = await self._post(self._base, janus="create")
        self._session = f"{self._base}/{made['data']['id']}"
        made = await self._post(self._session, janus="attach", plugin=self._plugin)
        self._handle = f"{self._session}/{made['data']['id']}"

    async def ask(self, body: Json, jsep: Json | None = None) -> Json:
        """What the plugin says to a message: at once, or as an event."""
        extra = {"jsep": jsep} if jsep else {}
        said = await self._post(self._handle, janus="message", body=body, **extra)
        while said["janus"] in ("ack", "keepalive", "webrtcup", "media"):
            async with self._client.get(self._session, params={"maxev": "1"}) as response:
                said = await response.json()
        return dict(said)

    async def destroy(self) -> None:
        """Ends both, and the media."""
        await self._post(self._session, janus="destroy")

    async def _post(self, url: str, **words: Any) -> Json:
        async with self._client.post(url, json={"transaction": "t", **words}) as response:
            return dict(await response.json())


@dataclass
class JanusWhip:
    """The front and what it was asked."""

    base: str  # Janus's own API
    client: aiohttp.ClientSession
    process: asyncio.subprocess.Process | None = None
    origin: str = ""
    methods: list[str] = field(default_factory=list)
    handles: dict[str, Handle] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """The WHIP endpoint."""
        return f"{self.origin}/whip"

    async def publishers(self) -> list[Json]:
        """Who sends to the room, and what."""
        handle = Handle(self.client, self.base)
        await handle.attach()
        said = await handle.ask({"request": "listparticipants", "room": ROOM})
        await handle.destroy()
        participants = said["plugindata"]["data"]["participants"]
        return [one for one in participants if one["publisher"]]

    # ── WHIP ─────────────────────────────────────────────────────────────────────────────────

    async def options(self, _: web.Request) -> web.Response:
        """Links are for whoever asks."""
        return web.Response(
            status=204, headers={"Link": _ICE_LINK, "Accept-Post": "application/sdp"}
        )

    async def publish(self, request: web.Request) -> web.Response:
        """An offer becomes a publisher of the room."""
        self.methods.append("POST")
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return web.Response(status=401)
        if request.content_type != "application/sdp":
            return web.Response(status=415)
        handle = await self._handle()
        join = {"request": "joinandconfigure", "ptype": "publisher", "room": ROOM}
        said = await handle.ask(join, {"type": "offer", "sdp": await request.text()})
        if "jsep" not in said:
            await handle.destroy()
            return web.json_response(said, status=406)
        return web.Response(
            status=201,
            text=said["jsep"]["sdp"],
            content_type="application/sdp",
            headers={"Location": f"/whip/{self._keep(handle)}"},
        )

    async def delete(self, request: web.Request) -> web.Response:
        """The session's end."""
        self.methods.append("DELETE")
        handle = self.handles.pop(request.match_info["id"], None)
        if handle is None:
            return web.Response(status=404)
        await handle.destroy()
        return web.Response()

    # ── watching ─────────────────────────────────────────────────────────────────────────────

    async def page(self, _: web.Request) -> web.Response:
        """A page that watches."""
        return web.Response(text=_PAGE, content_type="text/html")

    async def watch(self, _: web.Request) -> web.Response:
        """Janus's offer of what is published."""
        (publisher,) = await self.publishers()
        handle = await self._handle()
        streams = [{"feed": publisher["id"]}]
        join = {"request": "join", "ptype": "subscriber", "room": ROOM, "streams": streams}
        said = await handle.ask(join)
        return web.json_response({"id": self._keep(handle), "sdp": said["jsep"]["sdp"]})

    async def start(self, request: web.Request) -> web.Response:
        """The page's answer."""
        handle = self.handles[request.match_info["id"]]
        answer = {"type": "answer", "sdp": await request.text()}
        await handle.ask({"request": "start"}, answer)
        return web.Response(status=204)

    async def _handle(self) -> Handle:
        handle = Handle(self.client, self.base)
        await handle.attach()
        return handle

    def _keep(self, handle: Handle) -> str:
        name = secrets.token_urlsafe()
        self.handles[name] = handle
        return name

    def application(self) -> web.Application:
        """All routes."""
        application = web.Application()
        application.add_routes(
            [
                web.options("/whip", self.options),
                web.post("/whip", self.publish),
                web.delete("/whip/{id}", self.delete),
                web.get("/", self.page),
                web.post("/watch", self.watch),
                web.post("/watch/{id}", self.start),
            ]
        )
        return application


@asynccontextmanager
async def janus_whip(directory: Path) -> AsyncIterator[JanusWhip]:
    """Janus with its front, on free ports of 127.0.0.1."""
    async with janus(directory, "videoroom", _VIDEOROOM) as (base, client, process):
        front = JanusWhip(base, client, process)
        runner = web.AppRunner(front.application(), shutdown_timeout=0.1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            front.origin = f"http://127.0.0.1:{runner.addresses[0][1]}"
            yield front
        finally:
            await runner.cleanup()


@asynccontextmanager
async def janus(
    directory: Path, plugin: str, configuration: str
) -> AsyncIterator[tuple[str, aiohttp.ClientSession, asyncio.subprocess.Process]]:
    """Janus with one plugin: the address of its API, a client for it, and its process."""
    port = free_port()
    _configure(directory, port, plugin, configuration)
    base = f"http://127.0.0.1:{port}/janus"
    async with aiohttp.ClientSession() as client, _running(directory, base, client) as process:
        yield base, client, process


@asynccontextmanager
async def _running(
    directory: Path, base: str, client: aiohttp.ClientSession
) -> AsyncIterator[asyncio.subprocess.Process]:
    log = (directory / "janus.log").open("wb")
    with log:
        process = await asyncio.create_subprocess_exec(
            JANUS,
            f"--configs-folder={directory}",
            f"--config={directory}/janus.jcfg",
            stdout=log,
            stderr=log,
        )
    try:
        await until(lambda: _answers(client, base))
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _answers(client: aiohttp.ClientSession, base: str) -> bool:
    try:
        async with client.get(f"{base}/info") as response:
            return response.status == 200
    except aiohttp.ClientConnectionError:
        return False


def _configure(directory: Path, port: int, plugin: str, configuration: str) -> None:
    directory.mkdir(exist_ok=True)
    disabled = f'{{ disable = "{",".join(_unwanted(plugin))}" }}'
    texts = {
        "janus": f"""
            general: {{
                configs_folder = "{directory}"
                plugins_folder = "{_LIBRARIES}/plugins"
                transports_folder = "{_LIBRARIES}/transports"
                session_timeout = 0
                debug_colors = false
            }}
            plugins: {disabled}
            transports: {disabled}""",
        "janus.transport.http": f"""
            general: {{ base_path = "/janus" http = true ip = "127.0.0.1" port = {port} }}
            admin: {{ admin_http = false }}""",
        f"janus.plugin.{plugin}": configuration,
    }
    for name, text in texts.items():
        (directory / f"{name}.jcfg").write_text(text)


def _unwanted(plugin: str) -> list[str]:
    """All that Debian brings besides HTTP and the plugin."""
    kept = {"libjanus_http.so", f"libjanus_{plugin}.so"}
    plugins = (path.name for path in Path(_LIBRARIES).glob("*/*.so"))
    return sorted(set(plugins) - kept)
