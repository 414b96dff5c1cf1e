"""A rendezvous that does what a test says, with a camera in it: for tests of the player alone.

It serves the player's files and speaks PROTOCOL.md's viewer side at ``/ws``; the real server's
judgement is replaced by ``mode``. Its camera is an aiortc peer that sends a moving picture.
"""

import asyncio
import contextlib
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from aiohttp import WSMsgType, web
from aiortc import (
    RTCConfiguration,
    RTCPeerConnection,
    RTCSessionDescription,
    VideoStreamTrack,
)
from aiortc.mediastreams import AudioStreamTrack
from aiortc.sdp import candidate_from_sdp
from av import VideoFrame

from tests.support.ports import free_port
from tests.support.waiting import until

PLAYER = Path(__file__).parents[2] / "player"
CONNECTION = "Y29ubmVjdGlvbi0wMDAwMQ"
NONCE = "bm9uY2UtMDAwMDAwMDAwMQ"
SECRET = "c2VjcmV0LTAwMDAwMDAwMQ"
WIDTH, HEIGHT = 640, 360

Mode = Literal["live", "waiting", "unknown", "full", "malformed"]
Json = dict[str, Any]

REFUSALS: dict[Mode, Json] = {
    "unknown": {"code": "room_unknown", "message": "No such room."},
    "full": {"code": "room_full", "message": "The room is full.", "retry_after": 1.0},
    "malformed": {"code": "room_malformed", "message": "Not a room ID."},
}


class MovingPicture(VideoStreamTrack):
    """A bar that wanders over a blue ground; it can be held still, as a broken camera is."""

    def __init__(self) -> None:
        super().__init__()
        self.flows = asyncio.Event()
        self.flows.set()
        self._count = 0

    async def recv(self) -> VideoFrame:
        """The next picture, at 30 a second while ``flows`` is set."""
        await self.flows.wait()
        pts, time_base = await self.next_timestamp()
        frame = self._paint()
        frame.pts, frame.time_base = pts, Fraction(time_base)
        return frame

    def _paint(self) -> VideoFrame:
        self._count += 1
        row = bytearray(b"\x60" * WIDTH)
        left = 8 * self._count % (WIDTH - 40)
        row[left : left + 40] = b"\xe0" * 40
        frame = VideoFrame(WIDTH, HEIGHT, "yuv420p")
        quarter = WIDTH * HEIGHT // 4
        for plane, data in zip(
            frame.planes, (row * HEIGHT, b"\xa0" * quarter, b"\x60" * quarter), strict=True
        ):
            plane.update(bytes(data))
        return frame


@dataclass
class Camera:
    """The camera's end of one session."""

    connection: RTCPeerConnection
    picture: MovingPicture


@dataclass
class ScriptedRendezvous:
    """Set ``mode`` and ``source``, then look at ``heard``; every viewer gets a camera."""

    mode: Mode = "live"
    source: Json = field(default_factory=lambda: {"state": "live"})
    heard: list[Json] = field(default_factory=list)
    cameras: list[Camera] = field(default_factory=list)
    knows_sessions: bool = True
    allows_others: bool = True  # pages of other origins
    url: str = ""
    site: str = ""  # a page of somebody's own, at /site.html
    _sockets: set[web.WebSocketResponse] = field(default_factory=set)
    _runner: web.AppRunner | None = None
    _site: web.TCPSite | None = None

    async def start(self) -> None:
        """Listens on a free port of the loopback; ``url`` is the page."""
        app = web.Application()
        app.router.add_get("/ws", self._talk)
        app.router.add_get("/", _page)
        app.router.add_get("/site.html", self._site_page)
        app.router.add_static("/", PLAYER)
        app.on_response_prepare.append(_for_any_page)
        app.on_shutdown.append(self._hang_up)
        self._runner = web.AppRunner(app, shutdown_timeout=5)
        await self._runner.setup()
        await self.listen()

    async def listen(self) -> None:
        """Takes connections, on the same port again after ``refuse``."""
        assert self._runner
        port = urlsplit(self.url).port or free_port()
        self._site = web.TCPSite(self._runner, "127.0.0.1", port, reuse_address=True)
        await self._site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def refuse(self) -> None:
        """Takes no connections any more and drops those that are there."""
        assert self._site
        await self._site.stop()
        await self.drop()

    async def drop(self) -> None:
        """Breaks all connections without a word; media goes on."""
        for socket in list(self._sockets):
            await socket.close()

    async def stop(self) -> None:
        """Ends everything. Idempotent."""
        # Connections first: a viewer that lost its media would have the next camera connect.
        if self._runner:
            await self._runner.cleanup()
        await self.unplug()

    async def _hang_up(self, _app: web.Application) -> None:
        await self.drop()

    async def unplug(self) -> None:
        """Every camera closes its media, and says nothing through the rendezvous."""
        while self.cameras:
            await self.cameras.pop().connection.close()

    async def tell(self, message: Json) -> None:
        """Says it to every viewer that has not gone meanwhile."""
        for socket in list(self._sockets):
            with contextlib.suppress(ConnectionResetError):
                await socket.send_json(message)

    async def set_source(self, state: str, code: str | None = None, message: str = "") -> None:
        """The camera's state changes and every viewer hears of it."""
        self.source = {"state": state, "message": message} | ({"code": code} if code else {})
        await self.tell({"type": "source"} | self.source)

    async def admit(self) -> None:
        """The camera comes: whoever waits is admitted."""
        self.mode = "live"
        await self.tell(self._verdict({"room": "MyRoom"}))

    def heard_types(self) -> list[str]:
        """The types of everything that viewers said, in order."""
        return [message["type"] for message in self.heard]

    async def hears(self, kind: str) -> None:
        """Waits until a viewer says something of this type."""
        await until(lambda: self._has_heard(kind))

    async def _has_heard(self, kind: str) -> bool:
        return kind in self.heard_types()

    async def _site_page(self, _request: web.Request) -> web.Response:
        return web.Response(text=self.site, content_type="text/html")

    async def _talk(self, request: web.Request) -> web.WebSocketResponse:
        if not self.allows_others and urlsplit(request.headers["Origin"]).netloc != request.host:
            raise web.HTTPForbidden
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self._sockets.add(socket)
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    await self._answer(socket, message.json())
        finally:
            self._sockets.discard(socket)
        return socket

    async def _answer(self, socket: web.WebSocketResponse, message: Json) -> None:
        kind = message["type"]
        if kind == "ping":  # by the clock, and so none of the story
            await socket.send_json({"type": "pong"})
            return
        self.heard.append(message)
        if kind == "hello":
            await socket.send_json(WELCOME)
        elif kind == "join":
            await socket.send_json(self._verdict(message))
        elif kind == "resume":
            await self._resume(socket, message)
        elif kind == "offer":
            await socket.send_json(await self._connect(message))
        elif kind == "candidate":
            await self._candidate(message["candidate"])

    def _verdict(self, join: Json) -> Json:
        if self.mode in REFUSALS:
            return {"type": "error"} | REFUSALS[self.mode]
        if self.mode == "waiting":
            return {"type": "waiting", "room": join["room"]}
        session = f"session-{self.heard_types().count('join'):014d}"
        source = {"type": "source"} | self.source
        facts = {"room": join["room"], "session": session, "secret": SECRET, "source": source}
        return {"type": "joined"} | facts

    async def _resume(self, socket: web.WebSocketResponse, resume: Json) -> None:
        session = resume["session"]
        if self.knows_sessions:
            await socket.send_json({"type": "resumed", "session": session})
            await socket.send_json({"type": "source"} | self.source)
        else:
            facts = {"code": "session_unknown", "message": "?", "session": session}
            await socket.send_json({"type": "error"} | facts)

    @property
    def session(self) -> str:
        """The session that was set up last."""
        offers = (message for message in self.heard if message["type"] == "offer")
        return str([offer["session"] for offer in offers][-1])

    async def _connect(self, offer: Json) -> Json:
        camera = Camera(RTCPeerConnection(RTCConfiguration(iceServers=[])), MovingPicture())
        self.cameras.append(camera)
        camera.connection.addTrack(camera.picture)
        camera.connection.addTrack(AudioStreamTrack())  # silence, but there
        await camera.connection.setRemoteDescription(
            RTCSessionDescription(_without_names(offer["sdp"]), "offer")
        )
        await camera.connection.setLocalDescription(await camera.connection.createAnswer())
        sdp = camera.connection.localDescription.sdp
        return {"type": "answer", "session": offer["session"], "sdp": sdp}

    async def _candidate(self, given: Json | None) -> None:
        # aioice would look for a .local name for a second; without one it learns the browser's
        # address from its checks, and so the end of its candidates must not be told either.
        if not given or not self.cameras or ".local" in given["candidate"]:
            return
        candidate = candidate_from_sdp(given["candidate"].removeprefix("candidate:"))
        candidate.sdpMid = given["sdpMid"]
        await self.cameras[-1].connection.addIceCandidate(candidate)


WELCOME: Json = {
    "type": "welcome",
    "version": 1,
    "server": "scripted",
    "connection": CONNECTION,
    "nonce": NONCE,
}


async def _page(_request: web.Request) -> web.FileResponse:
    return web.FileResponse(PLAYER / "index.html")


async def _for_any_page(_request: web.Request, response: web.StreamResponse) -> None:
    # A module script of another origin is fetched with CORS (HTML, "fetch a module script").
    response.headers["Access-Control-Allow-Origin"] = "*"


def _without_names(sdp: str) -> str:
    return "".join(line for line in sdp.splitlines(keepends=True) if ".local" not in line)
