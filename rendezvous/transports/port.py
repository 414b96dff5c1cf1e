"""One port for everything: accepts, tells TLS from clear, and gives the connection to its protocol.

A trusted proxy may say first whose connection it is; its header is read before anything else.
The first byte is only looked at (MSG_PEEK), so that TLS can still have it; the first bytes inside
decide between the registered protocols. asyncio lets a live transport change its protocol, so the
sniffer costs nothing once it has decided.
"""

import asyncio
import contextlib
import errno
import logging
import socket
import ssl
import weakref
from collections.abc import Sequence
from dataclasses import dataclass

from rendezvous.program.errors import UnavailableError
from rendezvous.program.logs import Throttle
from rendezvous.program.sockets import tune
from rendezvous.relay.counters import Counters
from rendezvous.transports.gate import Arrival, DoorLimits, Gate
from rendezvous.transports.origins import PublicOrigins, host_and_port
from rendezvous.transports.proxied import Header, MalformedError, extent, parse
from rendezvous.transports.proxies import TrustedProxies
from rendezvous.transports.sniffer import Recogniser, Sniffer
from rendezvous.wire import codec
from rendezvous.wire.messages import Error, ErrorCode

log = logging.getLogger(__name__)

_TLS_HANDSHAKE = 0x16  # the first byte of a TLS record (RFC 8446 §5.1)
_BACKLOG = 1024
_LAST_PORT = 65_535
_HEADER_AT_ONCE = 256  # bytes looked at; a header is rarely longer
_AT_ONCE = 64  # connections, before others of the loop have their turn
_ACCEPT_PAUSE = 0.1  # seconds, when the process is out of file descriptors


class _CrowdedError(Exception):
    """There are too many strangers at the address that a proxy has told."""


@dataclass(frozen=True, slots=True)
class Doors:
    """What all ports of one server share."""

    gate: Gate
    limits: DoorLimits
    counters: Counters
    origins: PublicOrigins
    proxies: TrustedProxies
    recognisers: Sequence[Recogniser]
    clear_recognisers: Sequence[Recogniser]
    """For traffic in clear; the same, unless this port wants TLS."""
    tls: ssl.SSLContext | None = None


class Port:
    """Listens on one address."""

    def __init__(self, host: str, port: int, doors: Doors) -> None:
        self._host = host
        self._port = port
        self._doors = doors
        self._socket: socket.socket | None = None
        self._pause: asyncio.TimerHandle | None = None
        self._welcoming: set[asyncio.Task[None]] = set()
        self._sniffers: weakref.WeakSet[Sniffer] = weakref.WeakSet()
        self._accept_trouble = Throttle()
        self._proxy_trouble = Throttle()

    async def start(self) -> None:
        """Begins to listen; raises UnavailableError with the cure."""
        self._socket = _listen(self._host, self._port)
        self._watch(self._socket)

    @property
    def address(self) -> tuple[str, int]:
        """The host and port that it listens on; the real one, if 0 was asked for."""
        if self._socket is None:
            return self._host, self._port
        return host_and_port(self._socket.getsockname())

    async def shut(self) -> None:
        """Accepts no more; who has come in stays. Idempotent."""
        if self._pause is not None:
            self._pause.cancel()
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._socket = None

    async def stop(self) -> None:
        """Accepts no more, and lets go of who has not said yet what it speaks. Idempotent."""
        await self.shut()
        for task in tuple(self._welcoming):
            task.cancel()
        await asyncio.gather(*self._welcoming, return_exceptions=True)
        for sniffer in tuple(self._sniffers):
            sniffer.abort()

    def _watch(self, listener: socket.socket) -> None:
        # Not sock_accept: it loses a connection that comes just when it is cancelled.
        asyncio.get_running_loop().add_reader(listener, self._accept, listener)

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(_AT_ONCE):
            try:
                accepted, _ = listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:  # EMFILE and its like pass; the listener stays good
                self._rest(listener, error)
                return
            accepted.setblocking(False)
            self._admit(accepted)

    def _rest(self, listener: socket.socket, error: OSError) -> None:
        if self._accept_trouble.ready():
            log.warning("Cannot accept a connection: %s", error)
        loop = asyncio.get_running_loop()
        loop.remove_reader(listener)
        self._pause = loop.call_later(_ACCEPT_PAUSE, self._watch, listener)

    def _admit(self, accepted: socket.socket) -> None:
        try:
            arrival = self._arrival(accepted)
            accepted.setblocking(False)
            tune(accepted)
        except OSError:  # it is gone already
            accepted.close()
            return
        if self._doors.gate.enter(arrival):
            task = asyncio.create_task(self._welcome(accepted, arrival))
            self._welcoming.add(task)
            task.add_done_callback(self._welcoming.discard)
        else:
            self._turn_away(accepted)

    def _arrival(self, accepted: socket.socket) -> Arrival:
        peer, local = accepted.getpeername(), accepted.getsockname()
        return Arrival(
            address=host_and_port(peer)[0],
            stranger_since=asyncio.get_running_loop().time(),
            origins=self._doors.origins.known_to(host_and_port(peer)[0], *host_and_port(local)),
        )

    def _turn_away(self, accepted: socket.socket) -> None:
        self._doors.counters.add(ErrorCode.TOO_MANY_CONNECTIONS)
        sentence = "There are too many connections from your address that are in no room."
        retry_after = self._doors.limits.unadmitted
        _say(accepted, ErrorCode.TOO_MANY_CONNECTIONS, sentence, retry_after)
        accepted.close()

    async def _welcome(self, accepted: socket.socket, arrival: Arrival) -> None:
        try:
            async with asyncio.timeout_at(arrival.stranger_since + self._doors.limits.first_bytes):
                head = await self._introduce(accepted, arrival)
                first = head or await _peek(accepted)
            arrival.tls = first[0] == _TLS_HANDSHAKE and self._doors.tls is not None
            async with asyncio.timeout_at(arrival.stranger_since + self._doors.limits.unadmitted):
                await self._connect(accepted, arrival, head)
        except TimeoutError:
            self._doors.counters.add("silent")
            if not arrival.tls:  # inside an unfinished handshake nothing can be said
                _say(accepted, ErrorCode.HELLO_TIMEOUT, self._doors.limits.silence())
            _let_go(accepted, arrival)
        except MalformedError as error:
            self._doors.counters.add("proxy_malformed")
            if self._proxy_trouble.ready():
                log.warning("A trusted proxy sent a header that cannot be read: %s.", error)
            _let_go(accepted, arrival)
        except _CrowdedError:
            arrival.depart()
            self._turn_away(accepted)
        except OSError:  # ssl.SSLError is one
            self._doors.counters.add("broken")
            _let_go(accepted, arrival)
        except asyncio.CancelledError:
            _let_go(accepted, arrival)
            raise

    async def _introduce(self, accepted: socket.socket, arrival: Arrival) -> bytes:
        """Takes a trusted proxy's header in; gives back what was read and is none."""
        if arrival.address not in self._doors.proxies:
            return b""
        header, head = await _read_header(accepted)
        said = parse(header) if header else Header()
        if said.client and said.target:
            if not arrival.move(said.client[0]):
                raise _CrowdedError
            arrival.origins = self._doors.origins.known_to(said.client[0], *said.target)
        return head

    async def _connect(self, accepted: socket.socket, arrival: Arrival, head: bytes) -> None:
        loop = asyncio.get_running_loop()
        doors = self._doors
        recognisers = doors.recognisers if arrival.tls else doors.clear_recognisers

        def sniffer() -> Sniffer:
            made = Sniffer(arrival, recognisers, doors.limits, doors.counters, head)
            self._sniffers.add(made)
            return made

        if arrival.tls:
            await loop.connect_accepted_socket(
                sniffer,
                accepted,
                ssl=doors.tls,
                ssl_handshake_timeout=doors.limits.unadmitted,
                ssl_shutdown_timeout=doors.limits.linger,
            )
        else:
            await loop.connect_accepted_socket(sniffer, accepted)


def _say(
    accepted: socket.socket, code: ErrorCode, sentence: str, retry_after: float | None = None
) -> None:
    error = Error(code=code, message=sentence, retry_after=retry_after)
    with contextlib.suppress(OSError):
        accepted.send(codec.encode(error) + b"\n")


def _let_go(accepted: socket.socket, arrival: Arrival) -> None:
    arrival.depart()
    accepted.close()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise _cannot_listen(host, port, error) from None
    return listener


def _cannot_listen(host: str, port: int, error: OSError) -> UnavailableError:
    if error.errno == errno.EADDRINUSE:
        other = PublicOrigins.text(host, port + 1 if port < _LAST_PORT else port - 1)
        return UnavailableError(
            "port_in_use",
            f"Port {port} on {host} is already in use.",
            f"Stop the program that uses it, or choose another: --listen {other}.",
        )
    return UnavailableError(
        "cannot_listen",
        f"Cannot listen on {PublicOrigins.text(host, port)}: {error.strerror}.",
        "Name an address of this machine and a port that you may use with --listen.",
    )


async def _read_header(accepted: socket.socket) -> tuple[bytes, bytes]:
    """A proxy's header, or what was read before it was clear that there is none."""
    seen = b""
    while True:
        waiting = await _peek(accepted, _HEADER_AT_ONCE)
        length = extent(seen + waiting)
        if length == 0:
            return b"", seen
        # No more than the header is taken: TLS may have the rest.
        seen += accepted.recv(len(waiting) if length is None else length - len(seen))
        if len(seen) == length:
            return seen, b""


async def _peek(accepted: socket.socket, most: int = 1) -> bytes:
    """The next bytes, left where they are; raises ConnectionError when none will come."""
    loop = asyncio.get_running_loop()
    readable = loop.create_future()
    descriptor = accepted.fileno()
    loop.add_reader(descriptor, _set, readable)
    try:
        await readable
    finally:
        loop.remove_reader(descriptor)
    waiting = accepted.recv(most, socket.MSG_PEEK)
    if not waiting:
        raise ConnectionError("closed before the first byte")
    return waiting


def _set(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
