"""A viewer without a browser: the wire and aiortc. It counts packets and decodes nothing.

``python -m tests.support.light_viewer URL`` watches until it is killed, and says when it does.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiortc import (
    RTCBundlePolicy,
    RTCConfiguration,
    RTCPeerConnection,
    RTCSessionDescription,
)

from rendezvous.wire.messages import Answer, Candidate, End, Offer
from tests.support import peers
from tests.support.waiting import until


@dataclass(frozen=True, slots=True)
class Link:
    """A link to watch, taken apart."""

    host: str
    port: int
    room: str
    secret: str

    @classmethod
    def parse(cls, url: str) -> "Link":
        """From ``http://host:port/#room.secret``."""
        origin, _, fragment = url.partition("/#")
        host, _, port = origin.rpartition("/")[2].rpartition(":")
        room, _, secret = fragment.partition(".")
        return cls(host, int(port), room, secret)


class LightViewer:
    """One running session."""

    def __init__(self) -> None:
        # An empty list of servers, never None: aiortc would ask a public one.
        configuration = RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
        self.connection = RTCPeerConnection(configuration)
        for kind in ("video", "audio"):
            self.connection.addTransceiver(kind, direction="recvonly")

    async def watch(
        self,
        peer: peers.Peer,
        link: Link,
        on_described: Callable[[RTCPeerConnection], object] = lambda _: None,
    ) -> str:
        """Joins and connects; returns the session's id.

        ``on_described`` may do something to the connection before it connects.
        """
        joined = await peers.joined(peer, link.room, link.secret)
        await self.connection.setLocalDescription(await self.connection.createOffer())
        sdp = self.connection.localDescription.sdp
        await peer.send(Offer(session=joined.session, sdp=sdp, trickle=False))
        answer = await peer.expect(Answer)
        await self.connection.setRemoteDescription(RTCSessionDescription(answer.sdp, "answer"))
        on_described(self.connection)
        await peer.expect(Candidate)
        await until(lambda: self.connection.connectionState == "connected")
        return joined.session

    async def packets(self, count: int) -> None:
        """Waits until so many have come, of media and its control."""
        await until(lambda: self.received >= count)

    @property
    def received(self) -> int:
        """Packets so far, of media and its control."""
        transport: Any = self.connection.getTransceivers()[0].receiver.transport
        (stats,) = transport._get_stats().values()
        return int(stats.packetsReceived)


@asynccontextmanager
async def watching(link: Link) -> AsyncIterator[LightViewer]:
    """A viewer that receives; at the end it leaves as a closed page does."""
    viewer = LightViewer()
    async with peers.connect(link.host, link.port, transport="ws") as peer:
        try:
            session = await viewer.watch(peer, link)
            async with answering_pings(peer):
                await viewer.packets(20)
                yield viewer
            await peer.send(End(session=session, reason="left"))
        finally:
            await viewer.connection.close()


@asynccontextmanager
async def answering_pings(peer: peers.Peer) -> AsyncIterator[None]:
    """Until the end, or that of the connection; who does not is taken for gone."""
    answering = asyncio.create_task(_answer_pings(peer))
    try:
        yield
    finally:
        answering.cancel()
        await asyncio.gather(answering, return_exceptions=True)


async def _answer_pings(peer: peers.Peer) -> None:
    while True:
        await peer.receive(deadline=None)


async def come_and_go(link: Link, times: int) -> None:
    """Joins, receives and leaves so many times, four at once."""
    turns = iter(range(times))

    async def one_after_the_other() -> None:
        for _ in turns:
            async with watching(link):
                pass

    async with asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(one_after_the_other())


async def _watch_for_ever(url: str) -> None:
    async with watching(Link.parse(url)):
        print("WATCHING", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_watch_for_ever(sys.argv[1]))
