"""A camera and a viewer that speak the wire and nothing else: no media, no browser.

``connect`` opens TCP or WebSocket, clear or TLS; the messages are the same. Every wait has a
deadline, so a test that hangs says what it waited for.
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias, TypeVar

import aiohttp
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from rendezvous.wire import codec, identity
from rendezvous.wire.messages import (
    Answer,
    Claim,
    Claimed,
    Error,
    Hello,
    IcePolicy,
    Join,
    Joined,
    Offer,
    Ping,
    Pong,
    Predecessor,
    Resume,
    ServerMessage,
    Session,
    Source,
    SourceState,
    Waiting,
    Welcome,
)
from tests.support.waiting import PATIENCE

Transport: TypeAlias = Literal["tcp", "ws"]

DEADLINE = PATIENCE  # for anything that should come
VIEWER_SECRET = "dmlld2VyLXNlY3JldC0wMQ"
SDP = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
LIVE = Source(state=SourceState.LIVE)

_M = TypeVar("_M")


class ClosedError(Exception):
    """The server has closed the connection."""


class Wire(Protocol):
    """Bytes of whole messages, over any transport."""

    async def send(self, data: bytes) -> None:
        """Sends one message."""

    async def receive(self) -> bytes:
        """The next message; raises ClosedError."""

    async def close(self) -> None:
        """Hangs up at once."""


class TcpWire:
    """JSON lines."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, data: bytes) -> None:
        """Sends one line."""
        self.writer.write(data + b"\n")
        await self.writer.drain()

    async def receive(self) -> bytes:
        """The next line."""
        try:
            return (await self.reader.readuntil(b"\n"))[:-1]
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise ClosedError from error

    async def close(self) -> None:
        """Resets the connection: nothing lingers in a test."""
        self.writer.transport.abort()


class WebSocketWire:
    """One text message each."""

    def __init__(
        self, session: aiohttp.ClientSession, socket: aiohttp.ClientWebSocketResponse
    ) -> None:
        self.session, self.socket = session, socket

    async def send(self, data: bytes) -> None:
        """Sends one text message."""
        await self.socket.send_str(data.decode())

    async def receive(self) -> bytes:
        """The next text message."""
        message = await self.socket.receive()
        if message.type is not aiohttp.WSMsgType.TEXT:
            raise ClosedError(str(self.socket.close_code))
        return str(message.data).encode()

    async def close(self) -> None:
        """Drops the TCP connection without a closing handshake."""
        connection = self.socket._response.connection
        if connection is not None and connection.transport is not None:
            connection.transport.abort()
        self.socket._response.close()
        await self.session.close()


async def open_wire(
    transport: Transport, host: str, port: int, tls: ssl.SSLContext | None = None
) -> Wire:
    """A connection that has said nothing yet."""
    if transport == "tcp":
        return TcpWire(*await asyncio.open_connection(host, port, ssl=tls, limit=1 << 20))
    session = aiohttp.ClientSession()
    scheme = "https" if tls else "http"
    shown = f"[{host}]" if ":" in host else host
    try:
        socket = await session.ws_connect(
            f"{scheme}://{shown}:{port}/ws", ssl=tls or True, max_msg_size=1 << 20
        )
    except BaseException:
        await session.close()
        raise
    return WebSocketWire(session, socket)


@dataclass
class Peer:
    """A connection after its welcome. It answers pings as it listens; all else is for the test."""

    wire: Wire
    origin: str
    welcome: Welcome
    seen: list[ServerMessage] = field(default_factory=list)

    async def send(self, message: Any) -> None:
        """Sends a message of the vocabulary, or bytes as they are."""
        await self.wire.send(message if isinstance(message, bytes) else codec.encode(message))

    async def receive(self, *, deadline: float | None = DEADLINE) -> ServerMessage:
        """The next message that is not a ping; raises ClosedError or TimeoutError.

        Without a deadline for who listens all the time.
        """
        async with asyncio.timeout(deadline):
            while True:
                message = codec.decode_server(await self.wire.receive())
                if not isinstance(message, Ping):
                    self.seen.append(message)
                    return message
                with contextlib.suppress(ConnectionError):  # its last words may still be to come
                    await self.send(Pong())

    async def expect(self, kind: type[_M], *, deadline: float = DEADLINE) -> _M:
        """The next message, which must be of this kind."""
        message = await self.receive(deadline=deadline)
        assert isinstance(message, kind), f"expected {kind.__name__}, got {message!r}"
        return message

    async def refused(self, code: str, *, deadline: float = DEADLINE) -> Error:
        """The next message, which must be an error of this code."""
        error = await self.expect(Error, deadline=deadline)
        assert error.code == code, f"expected {code}, got {error!r}"
        return error

    async def closed(self, *, deadline: float = DEADLINE) -> None:
        """Waits until the server has closed; whatever still comes is kept in ``seen``."""
        try:
            async with asyncio.timeout(deadline):
                while True:
                    await self.receive(deadline=deadline)
        except ClosedError:
            return

    async def close(self) -> None:
        """Hangs up without a word."""
        await self.wire.close()


@asynccontextmanager
async def connect(
    host: str,
    port: int,
    *,
    transport: Transport = "tcp",
    tls: ssl.SSLContext | None = None,
    agent: str = "test",
) -> AsyncIterator[Peer]:
    """A peer that has been welcomed."""
    wire = await open_wire(transport, host, port, tls)
    try:
        await wire.send(codec.encode(Hello(version=1, agent=agent)))
        async with asyncio.timeout(DEADLINE):
            welcome = codec.decode_server(await wire.receive())
        assert isinstance(welcome, Welcome), f"expected Welcome, got {welcome!r}"
        origin = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        yield Peer(wire, origin, welcome)
    finally:
        await wire.close()


# ── cameras ──────────────────────────────────────────────────────────────────────────────────


@dataclass
class Key:
    """A camera's key."""

    private: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    chain: tuple[Predecessor, ...] = ()

    @property
    def root(self) -> bytes:
        """The first key of the chain, DER: what rooms are bound to."""
        return identity.decode(self.chain[0].key) if self.chain else self.spki

    @property
    def owner(self) -> identity.Owner:
        """The root's thumbprint."""
        return identity.thumbprint(self.root)

    def rotated(self) -> "Key":
        """A new key that this one has named as its successor."""
        new = Key()
        number = len(self.chain) + 1
        text = identity.rotation_text(root=self.owner, number=number, old=self.spki, new=new.spki)
        link = Predecessor(key=identity.encode(self.spki), signature=self.sign(text))
        return Key(new.private, (*self.chain, link))

    @property
    def spki(self) -> bytes:
        """The DER SubjectPublicKeyInfo."""
        public = self.private.public_key()
        return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def sign(self, text: bytes) -> str:
        """``r ‖ s`` in base64url."""
        r, s = decode_dss_signature(self.private.sign(text, ec.ECDSA(hashes.SHA256())))
        return identity.encode(r.to_bytes(32) + s.to_bytes(32))


def signed_claim(
    welcome: Welcome,
    key: Key,
    *,
    room: str,
    origin: str,
    label: str = "",
    secret: str | None = VIEWER_SECRET,
    source: Source = LIVE,
    ice_policy: IcePolicy = IcePolicy.ALL,
    instance: str | None = None,
) -> Claim:
    """A claim in order; ``secret`` None makes the room public."""
    verifier = None if secret is None else identity.viewer_verifier(room, secret)
    text = identity.claim_text(
        nonce=welcome.nonce,
        connection=welcome.connection,
        origin=origin,
        room=room,
        label=label,
        verifier=verifier,
        root=key.owner if key.chain else None,
    )
    return Claim(
        room=room,
        key=identity.encode(key.spki),
        origin=origin,
        signature=key.sign(text),
        label=label,
        verifier=verifier,
        chain=key.chain,
        source=source,
        ice_policy=ice_policy,
        instance=instance,
    )


async def claim(peer: Peer, key: Key, room: str, **options: Any) -> Claimed:
    """Claims the room over this connection."""
    options.setdefault("origin", peer.origin)
    await peer.send(signed_claim(peer.welcome, key, room=room, **options))
    return await peer.expect(Claimed)


async def answer(camera: Peer, sdp: str = SDP) -> Session:
    """Waits for a session and answers it."""
    session = await camera.expect(Session)
    await camera.send(Answer(session=session.session, sdp=sdp))
    return session


# ── viewers ──────────────────────────────────────────────────────────────────────────────────


def proven_join(welcome: Welcome, room: str, secret: str | None = VIEWER_SECRET) -> Join:
    """A join in order; ``secret`` None shows no proof."""
    if secret is None:
        return Join(room=room)
    verifier = identity.viewer_verifier(room, secret)
    proof = identity.join_proof(
        verifier, nonce=welcome.nonce, connection=welcome.connection, room=room
    )
    return Join(room=room, proof=proof)


async def join(peer: Peer, room: str, secret: str | None = VIEWER_SECRET) -> Joined | Waiting:
    """Joins the room over this connection."""
    await peer.send(proven_join(peer.welcome, room, secret))
    message = await peer.receive()
    assert isinstance(message, Joined | Waiting), f"expected Joined or Waiting, got {message!r}"
    return message


async def joined(peer: Peer, room: str, secret: str | None = VIEWER_SECRET) -> Joined:
    """Joins the room, whose camera must be there."""
    message = await join(peer, room, secret)
    assert isinstance(message, Joined), f"expected Joined, got {message!r}"
    return message


async def negotiate(viewer: Peer, camera: Peer, room: str) -> Joined:
    """A session from join to answer."""
    session = await joined(viewer, room)
    await viewer.send(Offer(session=session.session, sdp=SDP))
    await answer(camera)
    await viewer.expect(Answer)
    return session


def resume(session: Joined | Session, room: str) -> Resume:
    """The message that brings a member back."""
    return Resume(session=session.session, secret=session.secret, room=room)
