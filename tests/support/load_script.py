"""What the peers of a load say: to our server, and to PeerJS's, which pairs peers as well.

Every answer names its room or peer, and who asked checks it: a load that runs is a proof, too.
"""

import asyncio
import ssl
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TypeVar

import msgspec

from rendezvous.wire import codec
from rendezvous.wire.messages import (
    Answer,
    Challenge,
    Claim,
    Claimed,
    Error,
    Hello,
    Joined,
    Message,
    Offer,
    ServerMessage,
    Session,
    Waiting,
    Welcome,
)
from tests.support import load_peers
from tests.support.load_peers import DEADLINE, Gone, Talker
from tests.support.peers import SDP, Key, proven_join, signed_claim

_KEYS = 512  # hold all rooms of a load, as many each as a big house has

_M = TypeVar("_M")


class RefusedError(Exception):
    """The server has answered with an error; ``code`` is its code."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class MixUpError(Exception):
    """Somebody has heard what belongs to another room."""


@dataclass(frozen=True)
class Address:
    """Where a server is, and the certificate that it is to show, if any."""

    host: str
    port: int
    cafile: str | None = None

    @cached_property
    def tls(self) -> ssl.SSLContext | None:
        """What to dial it with."""
        return ssl.create_default_context(cafile=self.cafile) if self.cafile else None

    async def lines(self) -> Talker:
        """A raw TCP connection."""
        return await load_peers.lines(self.host, self.port, self.tls)

    async def frames(self, target: str = "/ws") -> Talker:
        """A WebSocket."""
        return await load_peers.frames(self.host, self.port, target, self.tls)


@cache
def key_of(room: str) -> Key:
    """Whose the room is: in this process always the same key."""
    return _key(zlib.crc32(room.encode()) % _KEYS)


@cache
def _key(_number: int) -> Key:
    return Key()


# ── Porthole ─────────────────────────────────────────────────────────────────────────────────


def say(talker: Talker, message: Message) -> None:
    """Sends a message of the vocabulary."""
    talker.say(codec.encode(message))


async def hear(talker: Talker, kind: type[_M]) -> _M:
    """The next message of this kind, others aside; raises RefusedError and Gone."""
    while not isinstance(message := await hear_any(talker), kind):
        if isinstance(message, Error):
            raise RefusedError(message.code)
    return message


async def hear_any(talker: Talker) -> ServerMessage:
    """The next message; raises Gone."""
    return codec.decode_server(await talker.hear())


async def greet(talker: Talker) -> Welcome:
    """Says hello."""
    say(talker, Hello(version=1))
    return await hear(talker, Welcome)


def claim_of(welcome: Welcome, address: Address, room: str) -> Claim:
    """A signed claim for this connection."""
    origin = f"{address.host}:{address.port}"
    return signed_claim(welcome, key_of(room), room=room, origin=origin)


async def claim_again(talker: Talker, claim: Claim) -> None:
    """Makes the claim, for the first time or not."""
    say(talker, claim)
    await hear(talker, Claimed)


@dataclass(frozen=True, slots=True)
class Camera:
    """One that holds its room."""

    talker: Talker
    welcome: Welcome
    address: Address
    room: str

    async def attend(self) -> None:
        """Answers every session with the room's name, until the connection is gone."""
        try:
            while True:
                self._answer(await hear_any(self.talker))
        except Gone:
            return

    def _answer(self, message: ServerMessage) -> None:
        if isinstance(message, Session):
            say(self.talker, Answer(session=message.session, sdp=SDP + self.room))
        elif isinstance(message, Challenge):
            welcome = msgspec.structs.replace(self.welcome, nonce=message.nonce)
            say(self.talker, claim_of(welcome, self.address, self.room))


async def camera(address: Address, room: str) -> Camera:
    """A camera that has claimed."""
    async with _closed_on_failure(address, websocket=False) as talker:
        welcome = await greet(talker)
        await claim_again(talker, claim_of(welcome, address, room))
        return Camera(talker, welcome, address, room)


async def waiting_viewer(address: Address, room: str) -> Talker:
    """A viewer that waits for its camera."""
    async with _closed_on_failure(address, websocket=True) as talker:
        say(talker, proven_join(await greet(talker), room))
        await hear(talker, Waiting)
        return talker


@asynccontextmanager
async def _closed_on_failure(address: Address, *, websocket: bool) -> AsyncIterator[Talker]:
    async with asyncio.timeout(DEADLINE):
        talker = await (address.frames() if websocket else address.lines())
        try:
            yield talker
        except BaseException:
            talker.hang_up()
            raise


async def pair(talker: Talker, welcome: Welcome, room: str) -> None:
    """The viewer joins the room and has its camera's answer; raises MixUpError if another's."""
    say(talker, proven_join(welcome, room))
    joined = await hear(talker, Joined)
    say(talker, Offer(session=joined.session, sdp=SDP))
    answer = await hear(talker, Answer)
    if answer.session != joined.session or answer.sdp != SDP + room:
        raise MixUpError(room)


# ── PeerJS ───────────────────────────────────────────────────────────────────────────────────


async def peer_name(address: Address) -> str:
    """A name from PeerJS's server: its client asks for one first, when its user has none."""
    reader, writer = await asyncio.open_connection(address.host, address.port)
    writer.write(
        b"GET /peerjs/id?ts=1&version=1.5.4 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )
    answer = await reader.read()
    writer.close()
    return answer.rpartition(b"\r\n\r\n")[2].decode()


async def peer(address: Address, name: str) -> Talker:
    """A peer that PeerJS's server knows by that name."""
    async with asyncio.timeout(DEADLINE):
        talker = await address.frames(f"/peerjs?key=peerjs&id={name}&token=t&version=1.5.4")
        opened = msgspec.json.decode(await talker.hear())
        if opened.get("type") != "OPEN":
            talker.hang_up()
            raise RefusedError(str(opened))
        return talker


def say_to(talker: Talker, name: str, kind: str) -> None:
    """Sends an offer or an answer through PeerJS's server."""
    payload = {"sdp": {"type": kind.lower(), "sdp": SDP}, "type": "media", "connectionId": "mc_1"}
    talker.say(msgspec.json.encode({"type": kind, "dst": name, "payload": payload}))


async def attend_peers(talker: Talker) -> None:
    """Answers every offer."""
    try:
        while True:
            message = msgspec.json.decode(await talker.hear())
            if message["type"] == "OFFER":
                say_to(talker, message["src"], "ANSWER")
    except Gone:
        return


async def pair_peers(talker: Talker, name: str) -> None:
    """Has the answer of the peer of that name."""
    say_to(talker, name, "OFFER")
    while (answer := msgspec.json.decode(await talker.hear()))["type"] != "ANSWER":
        pass
    if answer["src"] != name:
        raise MixUpError(name)
