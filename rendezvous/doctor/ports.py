"""The server's doors: the ports that it listens on, and the names under which they are dialled."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, TypeVar

from rendezvous.probes import dialling, web
from rendezvous.probes.channels import PATIENCE, SilentError, connect
from rendezvous.probes.dialling import NOBODY, Door
from rendezvous.probes.findings import Finding, Report, fault, note, warning, well
from rendezvous.probes.names import resolve
from rendezvous.wire import codec, identity
from rendezvous.wire.messages import (
    VERSION,
    Claim,
    Error,
    ErrorCode,
    Hello,
    Message,
    ServerMessage,
    Welcome,
)

_AGENT: Final = "porthole-doctor/0.1"
_EVERYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # what to dial for it
_M = TypeVar("_M", bound=Message)


# ── ports ────────────────────────────────────────────────────────────────────────────────────


async def examine_port(host: str, port: int, *, tls: bool) -> Finding:
    """Whether this server, or something else, is behind a port that it shall listen on."""
    here = (_EVERYWHERE.get(host, host), port)
    try:
        async with _greeted(here, unverified() if tls else None) as (welcome, _):
            return well("listening", f"{welcome.server} listens on {host}:{port}.")
    except SilentError as silence:
        if silence.refused:
            return _bindable(host, port)
    except (ssl.SSLError, ForeignError):
        pass
    return fault(
        "port_taken",
        f"Something else answers on {host}:{port}, or a server with other settings.",
        NOBODY,
        "See ss -tlnp whose port it is; stop that, or choose another with --listen.",
    )


def _bindable(host: str, port: int) -> Finding:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return fault(
                "port_unavailable",
                f"It cannot listen on {host}:{port}: {error.strerror}.",
                NOBODY,
                "Choose another address or port; below 1024 it needs CAP_NET_BIND_SERVICE.",
            )
    return warning(
        "not_running",
        f"Nothing listens on {host}:{port}; it could be listened on.",
        NOBODY,
        "Start the server: systemctl start rendezvous.",
    )


# ── names ────────────────────────────────────────────────────────────────────────────────────


async def examine_origin(host: str, port: int, report: Report) -> None:
    """From this machine along the road that cameras and viewers take."""
    tls = await _tls_at(host, port)
    if not await dialling.reach(Door(host, port, tls), report):
        return
    origin = Door(host, port, tls).origin
    answer = await _claim(origin, host, port, tls)
    if answer is None:
        report.add(_foreign(origin))
    else:
        report.add(_known(origin, answer), await web.websocket(host, port, tls))


async def _claim(origin: str, host: str, port: int, tls: ssl.SSLContext | None) -> Error | None:
    """How a camera's claim would be refused there; None: it is no rendezvous."""
    for address in await resolve(host, port):
        try:
            async with _greeted(address, tls, host) as (_, line):
                return await line.ask(_nobodys(origin), Error)
        except (SilentError, ssl.SSLError):
            continue
        except ForeignError:
            break
    return None


async def _tls_at(host: str, port: int) -> ssl.SSLContext | None:
    """Whether it speaks TLS, as a proxy before us may do."""
    for address in await resolve(host, port):
        try:
            _, writer = await connect(address, unverified(), host)
        except (ssl.SSLError, SilentError):
            continue
        writer.transport.abort()
        return ssl.create_default_context()
    return None


def _known(origin: str, answer: Error) -> Finding:
    """A claim that cannot be right is refused; if for its origin, cameras are refused, too."""
    if answer.code == ErrorCode.ORIGIN_UNKNOWN:
        return fault("origin_unknown", answer.message, "Cameras that dial this name are refused.")
    if answer.code == ErrorCode.CLAIM_INVALID:
        return well("origin", f"The server there knows itself as {origin}.")
    return note(str(answer.code), answer.message)


def _foreign(origin: str) -> Finding:
    return fault(
        "server_foreign",
        f"What answers at {origin} is not a rendezvous.",
        NOBODY,
        "Lead the name, or the proxy's TCP, to this server's port.",
    )


def _nobodys(origin: str) -> Claim:
    """A claim with a signature of zeros, of a key that there is none of: it changes nothing."""
    nothing = identity.encode(bytes(64))
    return Claim(room="doctor", key=nothing, origin=origin, signature=nothing)


# ── a conversation ───────────────────────────────────────────────────────────────────────────


class ForeignError(Exception):
    """What answers does not speak our protocol."""


class _Line:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def ask(self, message: Message, kind: type[_M]) -> _M:
        """The answer of that kind; raises ForeignError."""
        self._writer.write(codec.encode(message) + b"\n")
        answer = await self._hear()
        if not isinstance(answer, kind):
            raise ForeignError
        return answer

    async def _hear(self) -> ServerMessage:
        try:
            async with asyncio.timeout(PATIENCE):
                return codec.decode_server(await self._reader.readuntil(b"\n"))
        except (OSError, TimeoutError, EOFError, asyncio.LimitOverrunError, codec.WireError):
            raise ForeignError from None


@asynccontextmanager
async def _greeted(
    address: tuple[str, int], tls: ssl.SSLContext | None, name: str = ""
) -> AsyncIterator[tuple[Welcome, _Line]]:
    """Raises SilentError, ssl.SSLError or ForeignError."""
    reader, writer = await connect(address, tls, name)
    line = _Line(reader, writer)
    try:
        yield await line.ask(Hello(version=VERSION, agent=_AGENT), Welcome), line
    finally:
        writer.transport.abort()


def unverified() -> ssl.SSLContext:
    """For looking who is there; the certificate is judged apart."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
