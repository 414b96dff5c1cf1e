"""The socket of one RTSP connection, for the thread that reads it."""

import contextlib
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import Final

from publisher.sources.rtsp.framing import Event, Framer
from publisher.sources.rtsp.location import Location

_CHUNK: Final = 64 * 1024  # bytes


class Connection:
    """Bytes out, events in. Raises OSError, EOFError when the camera hangs up, ProtocolError."""

    def __init__(self, location: Location, seconds: float) -> None:
        """Connects within so many seconds, which also limit each wait from then on."""
        self._socket = _connect(location, seconds)
        self._framer = Framer()

    def watch(self) -> int | None:
        """The socket's descriptor, after which nothing waits any more.

        None under TLS, where bytes that have come may lie out of the kernel's sight.
        """
        if isinstance(self._socket, ssl.SSLSocket):
            return None
        self.never_wait()
        return self._socket.fileno()

    def skim(self, run: Callable[[bytes, int], int]) -> None:
        """Lets ``run`` take packets before they become events: see ``Framer``."""
        self._framer.run = run

    @property
    def garbage(self) -> int:
        """Bytes that meant nothing."""
        return self._framer.garbage

    def wait_at_most(self, seconds: float) -> None:
        """For each receiving and sending from now on; then TimeoutError is raised."""
        self._socket.settimeout(max(seconds, 0.001))

    def never_wait(self) -> None:
        """From now on BlockingIOError is raised where there is nothing, or no room."""
        self._socket.setblocking(False)

    def send(self, data: bytes) -> None:
        """Sends all of it."""
        self._socket.sendall(data)

    def receive(self) -> Iterator[Event]:
        """Waits for something to come; the events that are complete with it."""
        data = self._socket.recv(_CHUNK)
        if not data:
            raise EOFError
        return self._framer.feed(data)

    def interrupt(self) -> None:
        """Ends a ``receive``, and all that follow, with EOFError; for any thread."""
        with contextlib.suppress(OSError):
            # Not SSLSocket's, which would also forget that it is one. Sending stays possible.
            socket.socket.shutdown(self._socket, socket.SHUT_RD)

    def close(self) -> None:
        """Lets go of the socket."""
        self._socket.close()


def _connect(location: Location, seconds: float) -> socket.socket:
    plain = socket.create_connection((location.host, location.port), seconds)
    try:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if not location.secure:
            return plain
        return _any_certificate().wrap_socket(plain, server_hostname=location.host)
    except BaseException:
        plain.close()
        raise


def _any_certificate() -> ssl.SSLContext:
    """Cameras sign their certificates themselves; there is nobody who could vouch for them."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
