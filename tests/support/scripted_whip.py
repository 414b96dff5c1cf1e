"""A WHIP server that does what a test says, with an SFU in it: an aiortc peer that decodes."""

import asyncio
import ssl
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from aiohttp import web
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError
from av import VideoFrame

from publisher.sources.pattern import TimeCode, read
from tests.support.waiting import until

TOKEN = "s3cret-token"
PATH = "/whip/k3y"
QUERY = "room=k3y"

Reply: TypeAlias = Callable[["WhipServer", web.Request], Awaitable[web.StreamResponse]]


class Sfu:
    """One session's receiver."""

    def __init__(self) -> None:
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.connection.on("track", self._receive)
        self.codes: list[TimeCode] = []
        self.blocks = 0
        self.checks = 0  # of ICE, counted by become_lite
        self._tasks: list[asyncio.Task[None]] = []

    async def answer(self, offer: str) -> str:
        """The answer to an offer, with all candidates."""
        await self.connection.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        await self.connection.setLocalDescription(await self.connection.createAnswer())
        return str(self.connection.localDescription.sdp)

    async def connected(self) -> None:
        """Waits until the media path is there."""
        await until(lambda: self.connection.connectionState == "connected")

    def vanish(self) -> None:
        """Loses its sockets, as a machine does whose power fails: nobody is told."""
        for protocol in self._ice._protocols:
            protocol.transport.abort()

    def become_lite(self) -> None:
        """From now on it sends no checks of its own (RFC 8445 §2.5), and counts ours."""
        ice = self._ice
        ice._query_consent_task.cancel()
        stock = ice.request_received

        def count(*arguments: Any) -> None:
            self.checks += 1
            stock(*arguments)

        ice.request_received = count

    @property
    def _ice(self) -> Any:
        transport: Any = self.connection.getTransceivers()[0].receiver.transport
        return transport.transport._connection

    async def close(self) -> None:
        """Ends the session as a server does that stops."""
        await self.connection.close()
        for task in self._tasks:
            task.cancel()

    def _receive(self, track: MediaStreamTrack) -> None:
        self._tasks.append(asyncio.create_task(self._decode(track)))

    async def _decode(self, track: MediaStreamTrack) -> None:
        with suppress(MediaStreamError):
            while True:
                frame = await track.recv()
                if not isinstance(frame, VideoFrame):
                    self.blocks += 1
                elif code := time_code(frame):
                    self.codes.append(code)


def time_code(frame: VideoFrame) -> TimeCode | None:
    """What the test picture says."""
    plane = frame.planes[0]
    return read(bytes(plane), plane.line_size, frame.width, frame.height)


@dataclass
class WhipServer:
    """Answers POSTs by ``script``, then as an SFU does; keeps what it was asked."""

    script: deque[Reply] = field(default_factory=deque)
    links: list[str] = field(default_factory=list)  # Link headers of OPTIONS
    requests: list[web.Request] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    offers: list[str] = field(default_factory=list)
    sessions: list[Sfu] = field(default_factory=list)
    origin: str = ""

    @property
    def url(self) -> str:
        """The endpoint; it has keys in it, as those of many providers."""
        return f"{self.origin}{PATH}?{QUERY}"

    def methods(self) -> list[str]:
        """What was asked so far, without OPTIONS."""
        return [request.method for request in self.requests if request.method != "OPTIONS"]

    async def session(self, number: int = 0) -> Sfu:
        """A session, as soon as it is connected."""
        await until(lambda: len(self.sessions) > number)
        await self.sessions[number].connected()
        return self.sessions[number]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Any request."""
        self.requests.append(request)
        self.times.append(asyncio.get_running_loop().time())
        if request.method == "OPTIONS":
            return web.Response(status=204, headers=[("Link", link) for link in self.links])
        if request.method == "DELETE":
            await self.sessions[int(request.path.rpartition("/")[2])].close()
            return web.Response()
        self.offers.append(await request.text())
        reply = self.script.popleft() if self.script else accept()
        return await reply(self, request)


def accept(change: Callable[[str], str] = str, **headers: str) -> Reply:
    """201 with an SFU's answer; ``change`` may spoil it."""

    async def reply(server: WhipServer, _: web.Request) -> web.StreamResponse:
        sfu = Sfu()
        server.sessions.append(sfu)
        answer = change(await sfu.answer(server.offers[-1]))
        location = {"Location": f"/session/{len(server.sessions) - 1}"}
        return web.Response(
            status=201,
            text=answer,
            content_type="application/sdp",
            headers={k: v for k, v in {**location, **headers}.items() if v},
        )

    return reply


def status(code: int, **headers: str) -> Reply:
    """Some other status; ``Retry_After="1"`` is a header."""

    async def reply(_: WhipServer, __: web.Request) -> web.StreamResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(status=code, headers=named)

    return reply


def silence() -> Reply:
    """No answer, as long as the client waits for one."""

    async def reply(_: WhipServer, request: web.Request) -> web.StreamResponse:
        await until(lambda: request.transport is None, within=60)
        return web.Response()

    return reply


@asynccontextmanager
async def whip_server(
    *script: Reply, tls: ssl.SSLContext | None = None
) -> AsyncIterator[WhipServer]:
    """A server on a free port of 127.0.0.1."""
    server = WhipServer(deque(script))
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        scheme = "https" if tls else "http"
        server.origin = f"{scheme}://127.0.0.1:{runner.addresses[0][1]}"
        yield server
    finally:
        await runner.cleanup()
        for session in server.sessions:
            await session.close()
