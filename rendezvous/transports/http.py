"""HTTP on the one port: the player's page, ``/ws``, ``/healthz``, and what gateways answer.

aiohttp does the protocol.
"""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Protocol

from aiohttp import hdrs, web

from rendezvous.transports import websocket
from rendezvous.transports.conversation import Conversations
from rendezvous.transports.gate import Arrival, DoorLimits, network
from rendezvous.transports.pages import Pages
from rendezvous.transports.proxies import TrustedProxies
from rendezvous.transports.sniffer import Recogniser
from rendezvous.transports.websocket import SERVER, WebSocket
from rendezvous.wire import codec
from rendezvous.wire.messages import Error, ErrorCode

_METHODS = (b"GET ", b"HEAD ", b"POST ", b"PUT ", b"DELETE ", b"OPTIONS ", b"PATCH ")
_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}(:\d{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:\d{1,5})?")
_KEEPALIVE = 5.0  # seconds; enough for a page and its modules

_TOO_LATE = (
    b"HTTP/1.1 408 Request Timeout\r\n"
    b"Server: porthole\r\n"
    b"Connection: close\r\n"
    b"Content-Length: 0\r\n\r\n"
)

_NO_HANDSHAKE = "This is no WebSocket handshake.\n"

log = logging.getLogger(__name__)

# aiohttp logs every malformed request of every scanner as an error.
_silent = logging.getLogger(f"{__name__}.aiohttp")
_silent.disabled = True


class Gateway(Protocol):
    """Answers the requests whose path begins with its prefix."""

    prefix: str

    async def answer(self, request: web.BaseRequest, visit: "Visit") -> web.StreamResponse:
        """The response; raises nothing but what a lost connection raises."""


@dataclass(frozen=True, slots=True)
class Visit:
    """What a gateway may know of the connection that a request came on."""

    address: str
    """The client's; for IPv6 its network, as the gate counts."""
    origin_allowed: bool
    """No page asks, or one of our own, or of a site that is allowed."""
    extend: Callable[[float], None]
    """The connection may stay for so many seconds from now."""


class Http:
    """Answers HTTP requests; makes the protocol of each connection."""

    def __init__(
        self,
        conversations: Conversations,
        pages: Pages,
        limits: DoorLimits,
        *,
        allow_origins: Sequence[str] = (),  # as browsers write them
        gateways: Sequence[Gateway] = (),
        proxies: TrustedProxies,
        health: Callable[[], dict[str, str]],
    ) -> None:
        self._conversations = conversations
        self._pages = pages
        self._limits = limits
        self._allow_origins = frozenset(allow_origins)
        self._gateways = tuple(gateways)
        self._proxies = proxies
        self._health = health
        self._server = web.Server(partial(_answer, self._route))
        self._clear_server = web.Server(partial(_answer, self._redirect))

    def recognisers(self) -> tuple[Recogniser, ...]:
        """Every HTTP method; HTTP/2 is not offered."""
        return self._recognisers(self._server)

    def clear_refusals(self) -> tuple[Recogniser, ...]:
        """The same for a port that wants TLS: a redirect, or an error over WebSocket."""
        return self._recognisers(self._clear_server)

    def _recognisers(self, server: web.Server) -> tuple[Recogniser, ...]:
        def protocol(arrival: Arrival) -> asyncio.Protocol:
            return _HttpProtocol(server, arrival, self._limits)

        return tuple(Recogniser(method, protocol) for method in _METHODS)

    async def stop(self) -> None:
        """Ends what still runs. Idempotent."""
        for server in (self._server, self._clear_server):
            server.pre_shutdown()
            await server.shutdown(2 * self._limits.linger)

    # ── requests ─────────────────────────────────────────────────────────────────────────────

    async def _route(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/ws" and request.method == hdrs.METH_GET:
            return await self._websocket(request)
        for gateway in self._gateways:
            if request.path.startswith(gateway.prefix):
                return await gateway.answer(request, self._visit(request))
        if request.method not in (hdrs.METH_GET, hdrs.METH_HEAD):
            return web.Response(status=405, text="GET is all there is.\n")
        _protocol_of(request).grant_grace()
        if request.path == "/healthz":
            return web.json_response(self._health(), headers={"Cache-Control": "no-store"})
        return self._pages.respond(request)

    def _visit(self, request: web.BaseRequest) -> Visit:
        protocol = _protocol_of(request)
        address = network(self._client(request))
        return Visit(address, self._origin_allowed(request), protocol.extend)

    def _client(self, request: web.BaseRequest) -> str:
        forwarded_for = request.headers.getall(hdrs.X_FORWARDED_FOR, [])
        return self._proxies.client(_protocol_of(request).arrival.address, forwarded_for)

    async def _websocket(self, request: web.BaseRequest) -> web.StreamResponse:
        if not self._origin_allowed(request):
            self._conversations.hub.counters.add("origin_refused")
            sentence = (
                f"Pages of {request.headers[hdrs.ORIGIN][:200]} may not use this server. "
                "Its owner can allow them with --allow-origin.\n"
            )
            return web.Response(status=403, text=sentence)
        if request.headers.get(hdrs.UPGRADE, "").lower() != "websocket":
            return web.Response(status=426, text="This is a WebSocket.\n")
        accepted = websocket.upgrade(request.headers)
        if accepted is None:
            return web.Response(status=400, text=_NO_HANDSHAKE)
        if not _protocol_of(request).arrival.move(self._client(request)):
            self._conversations.hub.counters.add(ErrorCode.TOO_MANY_CONNECTIONS)
            retry_after = {hdrs.RETRY_AFTER: f"{self._limits.unadmitted:.0f}"}
            return web.Response(status=429, headers=retry_after)
        _protocol_of(request).become_websocket(self._conversations, accepted)
        return web.Response(status=101)  # aiohttp finds the connection gone

    def _origin_allowed(self, request: web.BaseRequest) -> bool:
        # Browsers always send Origin and pages cannot forge it; programs need not.
        origin = request.headers.get(hdrs.ORIGIN)
        return (
            origin is None
            or origin.lower() in self._allow_origins
            or websocket.same_origin(origin, request.headers.get(hdrs.HOST, ""))
        )

    async def _redirect(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.headers.get(hdrs.UPGRADE, "").lower() == "websocket":
            return await _refuse_clear(request)
        host = request.headers.get(hdrs.HOST, "")
        if not _HOST.fullmatch(host):
            return web.Response(status=400, text="This port wants TLS.\n")
        # Temporary: a permanent one would outlive the certificate in browsers.
        return web.Response(
            status=307, headers={hdrs.LOCATION: f"https://{host}{request.raw_path}"}
        )


async def _answer(
    handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]], request: web.BaseRequest
) -> web.StreamResponse:
    _protocol_of(request).requests += 1
    try:
        response = await handler(request)
    except web.HTTPException as error:  # aiohttp's words repeat what was sent
        response = web.Response(status=error.status, text=_NO_HANDSHAKE)
    if not response.prepared:
        response.headers.setdefault(hdrs.SERVER, SERVER)
    return response


async def _refuse_clear(request: web.BaseRequest) -> web.StreamResponse:
    socket = web.WebSocketResponse(compress=False, timeout=1.0)
    socket.headers[hdrs.SERVER] = SERVER
    await socket.prepare(request)
    error = Error(code=ErrorCode.TLS_REQUIRED, message="This port wants TLS: use wss://.")
    await socket.send_str(codec.encode(error).decode())
    await socket.close()
    return socket


class _HttpProtocol(web.RequestHandler):
    """aiohttp's protocol, with our deadline: it has none of its own before a request is complete.

    A connection that is not (yet) a WebSocket in a room is gone after the time for strangers,
    whatever it trickles; only a response that is on its way has a little more.
    """

    __slots__ = ("_limits", "arrival", "requests")

    def __init__(self, server: web.Server, arrival: Arrival, limits: DoorLimits) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=_KEEPALIVE,
            tcp_keepalive=False,  # the port has set it
            logger=_silent,
            access_log=None,  # type: ignore[arg-type]  # aiohttp's own way to have none
            lingering_time=limits.linger,
        )
        self.arrival = arrival
        self.requests = 0
        self._limits = limits

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.keep_alive(True)  # stops aiohttp's own timer, which ends slow requests without a word
        when = self.arrival.stranger_since + self._limits.unadmitted
        self.arrival.set_deadline(when, self._expire)

    def connection_lost(self, exc: BaseException | None) -> None:
        self.arrival.depart()
        super().connection_lost(exc)

    def grant_grace(self) -> None:
        """A page is on its way: it may take a little longer, once for all requests."""
        limits = self._limits
        when = self.arrival.stranger_since + limits.unadmitted + limits.page_grace
        self.arrival.set_deadline(when, self._expire)

    def extend(self, seconds: float) -> None:
        """A request is being answered: the deadline is so long from now."""
        when = asyncio.get_running_loop().time() + seconds
        self.arrival.set_deadline(when, self._expire)

    def become_websocket(self, conversations: Conversations, accepted: bytes) -> None:
        """Says so, and hands the connection over, with what the peer has said already."""
        transport, self.transport = self.transport, None
        if transport is None:
            return
        if self.requests > 1:  # who fetched a page first is a stranger from here on
            self.arrival.stranger_since = asyncio.get_running_loop().time()
        said = self._message_tail  # aiohttp keeps there what follows the request
        super().connection_lost(None)  # as far as aiohttp is concerned
        conversation = WebSocket(conversations, self.arrival)
        transport.write(accepted)
        transport.set_protocol(conversation)
        conversation.connection_made(transport)
        conversation.data_received(said)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002  # it repeats what was sent
    ) -> web.StreamResponse:
        """What cannot be read, and what fails through a defect of ours, gets its status alone."""
        if status == HTTPStatus.INTERNAL_SERVER_ERROR:
            log.error("A defect while answering a request", exc_info=exc)
        if request.writer.output_size > 0:
            raise ConnectionError("A response is under way; there cannot be another one.")
        text = f"{HTTPStatus(status).phrase}.\n"
        response = web.Response(status=status, text=text, headers={hdrs.SERVER: SERVER})
        response.force_close()
        return response

    def _expire(self) -> None:
        if self.transport is None:
            return
        if self.requests:
            self.transport.abort()
        else:
            self.transport.write(_TOO_LATE)
            self.force_close()


def _protocol_of(request: web.BaseRequest) -> _HttpProtocol:
    protocol = request.protocol
    assert isinstance(protocol, _HttpProtocol)  # noqa: S101  # nothing else makes requests here
    return protocol
