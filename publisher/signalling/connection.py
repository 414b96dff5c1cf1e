"""One connection to a rendezvous: JSON lines over TCP or TLS, alive or gone within seconds."""

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from publisher.errors import SignallingError
from rendezvous.program.sockets import tune
from rendezvous.wire import codec
from rendezvous.wire.messages import (
    MESSAGE_BYTES,
    Error,
    Message,
    Ping,
    Pong,
    ServerMessage,
    Welcome,
)

CONNECT_SECONDS = 5.0
PING_SECONDS = 5.0  # of silence, then we ask
SILENCE_SECONDS = 15.0  # then the server is gone, whatever TCP believes
UNSENT_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """Where a rendezvous listens, as the camera dials it."""

    host: str
    port: int
    tls: bool = False

    @property
    def origin(self) -> str:
        """What a claim signs: host:port, an IPv6 address in brackets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The page that viewers open."""
        return f"{'https' if self.tls else 'http'}://{self.origin}/"


class Connection:
    """Messages to and from one server; made by ``connect``."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._heard = time.monotonic()
        self.welcome: Welcome | None = None
        """What the server said first: claims on this connection are signed with it."""

    def send(self, message: Message) -> None:
        """Queues a message; raises SignallingError when the server has stopped reading."""
        if self._writer.transport.is_closing():  # uvloop raises on it, asyncio is silent
            raise _lost()
        self._writer.write(codec.encode(message) + b"\n")
        if self._writer.transport.get_write_buffer_size() > UNSENT_BYTES:
            raise SignallingError("server_too_slow", "The rendezvous has stopped reading.")

    async def messages(self) -> AsyncGenerator[ServerMessage, None]:
        """What the server says, pings answered; raises SignallingError when it is gone.

        Messages of a newer server that this version does not know are left out.
        """
        watch = asyncio.create_task(self._watch())
        try:
            while True:
                message = await self._receive()
                if isinstance(message, Ping):
                    self.send(Pong())
                elif message is not None and not isinstance(message, Pong):
                    yield message
        finally:
            watch.cancel()

    async def receive(self) -> ServerMessage:
        """The next message, for a conversation of question and answer."""
        async with contextlib.aclosing(self.messages()) as messages:
            async for message in messages:
                return message
        raise _lost()

    def abort(self) -> None:
        """Drops the connection at once; ``messages`` then raises."""
        self._writer.transport.abort()

    async def close(self) -> None:
        """Sends what is queued and closes; idempotent."""
        self._writer.close()
        with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
            async with asyncio.timeout(1.0):
                await self._writer.wait_closed()

    async def _receive(self) -> ServerMessage | None:
        try:
            line = await self._reader.readuntil(b"\n")
        except (OSError, asyncio.IncompleteReadError):
            raise _lost() from None
        except asyncio.LimitOverrunError:
            raise _not_a_rendezvous() from None
        self._heard = time.monotonic()
        try:
            return codec.decode_server(line)
        except codec.WireError as error:
            if error.code == "unknown_type":
                return None
            raise _not_a_rendezvous() from None

    async def _watch(self) -> None:
        while (silence := time.monotonic() - self._heard) < SILENCE_SECONDS:
            if silence >= PING_SECONDS:
                with contextlib.suppress(SignallingError):
                    self.send(Ping())
            await asyncio.sleep(PING_SECONDS)
        self.abort()


async def connect(address: ServerAddress, context: ssl.SSLContext | None) -> Connection:
    """Dials; raises SignallingError."""
    try:
        # Not wait_for, which in Python 3.11 loses a cancellation that comes with the result.
        async with asyncio.timeout(CONNECT_SECONDS):
            reader, writer = await asyncio.open_connection(
                address.host, address.port, ssl=context, limit=2 * MESSAGE_BYTES
            )
    except ssl.SSLCertVerificationError as error:
        raise SignallingError(
            "server_untrusted",
            f"The certificate of {address.origin} is not trusted: {error.verify_message}.",
            "Dial the name in the certificate, or give its issuer with --server-ca.",
        ) from None
    except ssl.SSLError:
        raise SignallingError(
            "server_without_tls",
            f"{address.origin} does not speak TLS.",
            "Leave out --tls (ersOverSsl), or give the server a certificate.",
        ) from None
    except UnicodeError:
        raise SignallingError(
            "server_malformed", f"'{address.host}' is no host name.", retry=False
        ) from None
    except (OSError, TimeoutError):
        raise SignallingError(
            "server_unreachable",
            f"The rendezvous at {address.origin} does not answer.",
            "Check host, port and firewall; it listens on 4545 by default.",
        ) from None
    tune(writer.get_extra_info("socket"))
    return Connection(reader, writer)


def refusal(error: Error) -> SignallingError:
    """What the server refused, as an error of ours; time mends only some."""
    mendable = {"store_unavailable", "too_many_connections", "shutting_down", "internal"}
    mendable |= {"hello_timeout", "idle_timeout", "too_slow", "superseded", "claim_expired"}
    return SignallingError(
        error.code,
        error.message,
        retry=error.code in mendable,
        retry_after=error.retry_after or 0.0,
    )


def _lost() -> SignallingError:
    return SignallingError("server_lost", "The connection to the rendezvous was lost.")


def _not_a_rendezvous() -> SignallingError:
    return SignallingError(
        "server_foreign",
        "What answers there is not a rendezvous.",
        "Check host and port; a TLS port wants --tls (ersOverSsl=1).",
    )
