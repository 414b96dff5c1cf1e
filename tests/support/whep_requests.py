"""WHEP requests for tests, and a camera that speaks the wire and answers them."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import msgspec
from multidict import CIMultiDictProxy

from rendezvous.wire.messages import (
    Answer,
    End,
    ServerMessage,
    Session,
)
from tests.support import peers
from tests.support.peers import VIEWER_SECRET, Key, Peer, claim, connect
from tests.support.server import Running
from tests.support.whep_offers import FRAGMENT, SDP, UDP, fragment, offer

ROOM = "MyRoom"
ENDPOINT = f"/whep/{ROOM}"
ANSWER = offer("sendonly")
WRONG = "d3Jvbmctc2VjcmV0LTAwMQ"
TURN: dict[str, Any] = {
    "stun": ("stun:s.example:1",),
    "turn": ("turn:t.example:2",),
    "turn_secret": "s3cret",
}


def bearer(secret: str | None = VIEWER_SECRET) -> dict[str, str]:
    """The header field of a token, if there is one."""
    return {} if secret is None else {"Authorization": f"Bearer {secret}"}


@dataclass
class Camera:
    """Answers every session while ``reply`` is an answer, ends it with it, or lets it wait."""

    peer: Peer
    reply: str | End | None = ANSWER
    heard: list[ServerMessage] = field(default_factory=list)

    async def run(self) -> None:
        """Until it is cancelled, or the server closes."""
        with contextlib.suppress(peers.ClosedError):
            while True:
                await self._handle(await self.peer.receive(deadline=None))

    async def _handle(self, message: ServerMessage) -> None:
        self.heard.append(message)
        if isinstance(message, Session) and self.reply is not None:
            await self.peer.send(self._replied(self.reply, message.session))

    @staticmethod
    def _replied(reply: str | End, session: str) -> Answer | End:
        if isinstance(reply, str):
            return Answer(session=session, sdp=reply)
        return msgspec.structs.replace(reply, session=session)

    def of(self, kind: type[Any]) -> list[Any]:
        """What was heard of a kind."""
        return [message for message in self.heard if isinstance(message, kind)]

    async def end_all(self, reason: str = "connect_timeout") -> None:
        """Ends every session, as a camera does whose viewers never connected."""
        for session in self.of(Session):
            await self.peer.send(End(session=session.session, reason=reason))


@contextlib.asynccontextmanager
async def camera_of(running: Running, room: str = ROOM, **claimed: Any) -> AsyncIterator[Camera]:
    """A camera of its own key that holds the room."""
    async with connect(running.host, running.port) as peer:
        await claim(peer, Key(), room, **claimed)
        made = Camera(peer)
        task = asyncio.create_task(made.run())
        try:
            yield made
        finally:
            task.cancel()
            await asyncio.wait((task,))


@dataclass(frozen=True, slots=True)
class Reply:
    """A response that has been read."""

    status: int
    headers: CIMultiDictProxy[str]
    content_type: str
    body: bytes

    @classmethod
    async def read(cls, response: aiohttp.ClientResponse) -> "Reply":
        """All of it."""
        body = await response.read()
        return cls(response.status, response.headers, response.content_type, body)


async def post(
    http: aiohttp.ClientSession,
    url: str = ENDPOINT,
    body: str | bytes = "",
    *,
    secret: str | None = VIEWER_SECRET,
    **fields: str,
) -> Reply:
    """Watches."""
    headers = {"Content-Type": SDP, **bearer(secret), **fields}
    async with http.post(url, data=body or offer(), headers=headers) as response:
        return await Reply.read(response)


async def patch(
    http: aiohttp.ClientSession,
    session: str,
    body: str = "",
    *,
    secret: str | None = VIEWER_SECRET,
    **fields: str,
) -> Reply:
    """Trickles."""
    headers = {"Content-Type": FRAGMENT, **bearer(secret), **fields}
    async with http.patch(session, data=body or fragment(UDP), headers=headers) as response:
        return await Reply.read(response)


async def delete(
    http: aiohttp.ClientSession, session: str, *, secret: str | None = VIEWER_SECRET, **fields: str
) -> Reply:
    """Ends."""
    async with http.delete(session, headers={**bearer(secret), **fields}) as response:
        return await Reply.read(response)


async def watch(http: aiohttp.ClientSession) -> str:
    """A session's URL."""
    response = await post(http)
    assert response.status == 201, response.body
    return response.headers["Location"]


def refused(reply: Reply, status: int, code: str) -> dict[str, Any]:
    """The problem that a response describes."""
    assert reply.status == status, reply.body
    assert reply.content_type == "application/problem+json"
    problem = json.loads(reply.body)
    assert (problem["status"], problem["code"]) == (status, code)
    assert problem["detail"].endswith((".", "!"))
    assert isinstance(problem, dict)
    return problem


def nothing_is_left(running: Running, *, connections: int = 1) -> bool:
    """No session anywhere, and no connection but so many."""
    book, hub = running.server.core.book, running.server._hub
    return (
        running.server.whep.sessions == 0
        and not book.sessions
        and len(book.peers) == len(hub.sockets.connections) == len(hub.sockets.bound) == connections
    )
