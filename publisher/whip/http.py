"""One HTTP exchange after the other, each on a connection of its own.

A WHIP session has three or four requests in its whole life. For them the standard library's client
on a thread does all that a client from the registry would, and nothing is to be installed beside
a camera. Every wait is bounded, and an exchange that is given up loses its socket, so its thread
ends too.
"""

import asyncio
import contextlib
import http.client
import socket
import ssl
import threading
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from publisher.errors import WhipError

SOCKET_SECONDS = 5.0  # for each step: connecting, TLS, every read
EXCHANGE_SECONDS = 10.0  # for the whole, however slowly the bytes drip
BODY_BYTES = 128 * 1024


@dataclass(frozen=True, slots=True)
class Request:
    """What to ask. Headers and URL may hold secrets and are not shown."""

    method: str
    url: str = field(repr=False)
    headers: dict[str, str] = field(repr=False)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Response:
    """What was answered; ``headers`` as ``http.client`` gives them, case-insensitive."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes


async def exchange(request: Request, tls: ssl.SSLContext) -> Response:
    """Sends the request and reads the whole answer; follows nothing. Raises WhipError."""
    running = _Exchange(request, tls)
    server = origin(request.url)
    try:
        async with asyncio.timeout(EXCHANGE_SECONDS):
            return await asyncio.to_thread(running.run)
    except ssl.SSLCertVerificationError as error:
        raise WhipError(
            "whip_untrusted",
            f"The certificate of {server} is not trusted: {error.verify_message}.",
            "Use the name in the certificate; SSL_CERT_FILE names authorities of your own.",
            mendable=False,
        ) from None
    except TimeoutError:
        raise WhipError("whip_silent", f"{server} does not answer in time.") from None
    except (OSError, UnicodeError):
        raise WhipError(
            "whip_unreachable", f"{server} does not answer.", "Check host, port and scheme."
        ) from None
    except http.client.HTTPException:
        raise WhipError(
            "whip_foreign", f"What answers at {server} does not speak HTTP.", "Check the URL."
        ) from None
    finally:
        running.abandon()


def origin(url: str) -> str:
    """What may be shown of a URL: many servers want a key in the path or in the query."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


class _Exchange:
    """Runs on a thread; ``abandon`` may be called from another one, at any time, repeatedly."""

    def __init__(self, request: Request, tls: ssl.SSLContext) -> None:
        self._request = request
        self._connection = _connection(request.url, tls)
        self._socket: socket.socket | None = None
        self._abandoned = threading.Event()

    def run(self) -> Response:
        request = self._request
        try:
            self._connection.connect()
            # http.client lets go of the socket while the body is still to be read.
            self._socket = self._connection.sock
            if self._abandoned.is_set():
                raise TimeoutError
            self._connection.request(
                request.method, _target(request.url), request.body or None, request.headers
            )
            return _read(self._connection.getresponse())
        finally:
            self._connection.close()

    def abandon(self) -> None:
        self._abandoned.set()
        if self._socket:
            with contextlib.suppress(OSError, ValueError):
                self._socket.shutdown(socket.SHUT_RDWR)


def _connection(url: str, tls: ssl.SSLContext) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme == "https":
        return http.client.HTTPSConnection(host, parts.port, timeout=SOCKET_SECONDS, context=tls)
    return http.client.HTTPConnection(host, parts.port, timeout=SOCKET_SECONDS)


def _target(url: str) -> str:
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _read(response: http.client.HTTPResponse) -> Response:
    with response:
        body = response.read(BODY_BYTES + 1)
    if len(body) > BODY_BYTES:
        raise http.client.HTTPException
    return Response(response.status, response.headers, body)
