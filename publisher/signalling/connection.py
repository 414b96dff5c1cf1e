"""One connection to a rendezvous: JSON lines over TCP or TLS, alive or gone within seconds."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from publisher.errors import SignallingError
from publisher.signalling.reaching import Find, reach, resolve
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
SILENCE_SECONDS = 10.0  # then the server is gone, whatever TCP believes
DOUBT_SECONDS = 2.0  # for an answer, when there is reason to believe that the server is gone
LOOK_SECONDS = 0.5
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
        self._heard = self._asked = _now()
        self._doubted: float | None = None
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

    @property
    def local_address(self) -> str:
        """Where the connection begins; empty when it is gone."""
        name = self._writer.get_extra_info("sockname")
        return str(name[0]) if name else ""

    def doubt(self) -> None:
        """Something suggests that the server is gone: it is asked, and has to answer soon."""
        if self._doubted is None:
            self._doubted = _now()
            self._ask()

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
        self._heard, self._doubted = _now(), None
        try:
            return codec.decode_server(line)
        except codec.WireError as error:
            if error.code == "unknown_type":
                return None
            raise _not_a_rendezvous() from None

    async def _watch(self) -> None:
        while not self._is_gone():
            if _now() - max(self._heard, self._asked) >= PING_SECONDS:
                self._ask()
            await asyncio.sleep(LOOK_SECONDS)
        self.abort()

    def _is_gone(self) -> bool:
        doubted = self._doubted is not None and _now() - self._doubted >= DOUBT_SECONDS
        return doubted or _now() - self._heard >= SILENCE_SECONDS

    def _ask(self) -> None:
        self._asked = _now()
        with contextlib.suppress(SignallingError):
            self.send(Ping())


def _now() -> float:
    return asyncio.get_running_loop().time()


async def connect(
    address: ServerAddress, context: ssl.SSLContext | None, find: Find = resolve
) -> Connection:
    """Dials; raises SignallingError."""
    try:
        # Not wait_for, which in Python 3.11 loses a cancellation that comes with the result.
        async with asyncio.timeout(CONNECT_SECONDS):
            reader, writer = await _open(address, context, find)
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


async def _open(
    address: ServerAddress, context: ssl.SSLContext | None, find: Find
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reached = await reach(await find(address.host, address.port))
    try:
        return await asyncio.open_connection(
            sock=reached,
            ssl=context,
            server_hostname=address.host if context else None,
            limit=2 * MESSAGE_BYTES,
        )
    except BaseException:
        reached.close()
        raise


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
