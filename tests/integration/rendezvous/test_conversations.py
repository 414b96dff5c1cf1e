"""One suite of conversations over TCP and WebSocket, in clear and under TLS, on both loops."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from rendezvous.wire.messages import (
    Answer,
    Candidate,
    Claimed,
    End,
    IceCandidate,
    Joined,
    Offer,
    Ping,
    Pong,
    Presence,
    Resumed,
    Session,
    Source,
    SourceState,
    Waiting,
)
from tests.support import peers
from tests.support.peers import SDP, Key, Peer, Transport, claim, negotiate, resume
from tests.support.server import Running, running_server

KEY = Key()
ROOM = "MyRoom"


@dataclass
class Stage:
    """A server, and how this run's viewers and cameras reach it."""

    running: Running
    transport: Transport
    tls: ssl.SSLContext | None

    def peer(self, transport: Transport | None = None) -> AbstractAsyncContextManager[Peer]:
        """A welcomed peer over this run's transport."""
        return peers.connect(
            self.running.host,
            self.running.port,
            transport=transport or self.transport,
            tls=self.tls,
        )


@pytest_asyncio.fixture(params=["tcp", "ws", "tcp+tls", "ws+tls"])
async def stage(
    request: pytest.FixtureRequest, certificate: Path, client_tls: ssl.SSLContext
) -> AsyncIterator[Stage]:
    transport, _, tls = request.param.partition("+")
    async with running_server(tls_cert=certificate if tls else None) as running:
        yield Stage(running, transport, client_tls if tls else None)
        assert running.server.counters.totals["cross_room"] == 0


async def test_a_session_from_join_to_end(stage: Stage) -> None:
    """Offer, answer, candidates both ways, renegotiation, end: every word arrives in order."""
    async with stage.peer("tcp") as camera, stage.peer() as viewer:
        await claim(camera, KEY, ROOM)
        joined = await peers.joined(viewer, ROOM)
        mine = Candidate(session=joined.session, candidate=IceCandidate(candidate="mine"))
        big = "v=0\r\n" + "a" * 32_000
        await viewer.send(mine)
        await viewer.send(Offer(session=joined.session, sdp=big))
        opened = await camera.expect(Session)
        assert (opened.session, opened.secret, opened.sdp) == (joined.session, joined.secret, big)
        assert await camera.expect(Candidate) == mine
        await camera.send(Answer(session=opened.session, sdp=SDP))
        assert await viewer.expect(Answer) == Answer(session=opened.session, sdp=SDP)
        done = Candidate(session=joined.session, candidate=None)
        await camera.send(done)
        assert await viewer.expect(Candidate) == done
        again = Offer(session=joined.session, sdp=SDP)
        await viewer.send(again)
        assert await camera.expect(Offer) == again
        end = End(session=joined.session, reason="left", message="Good night.")
        await viewer.send(end)
        assert await camera.expect(End) == end


async def test_the_camera_comes_and_goes(stage: Stage) -> None:
    """A viewer in negotiation waits and joins again by itself; it hears what the camera does."""
    async with stage.peer() as viewer:
        async with stage.peer() as camera:
            await claim(camera, KEY, ROOM)
            await peers.joined(viewer, ROOM)
            lost = Source(state=SourceState.LOST, code="source_unreachable", message="Nobody.")
            await camera.send(lost)
            assert await viewer.expect(Source) == lost
        await viewer.expect(Waiting)
        async with stage.peer() as camera:
            await claim(camera, KEY, ROOM)
            await viewer.expect(Joined)


async def test_signalling_lost_and_found(stage: Stage) -> None:
    """Each member hears of the other's absence and return; the session goes on."""
    async with stage.peer() as viewer:
        async with stage.peer() as camera:
            await claim(camera, KEY, ROOM)
            session = await negotiate(viewer, camera, ROOM)
        assert await viewer.expect(Presence) == Presence(session=session.session, present=False)
        async with stage.peer() as camera:
            await claim(camera, KEY, ROOM)
            await viewer.expect(Source)
            await camera.send(resume(session, ROOM))
            await camera.expect(Resumed)
            assert await viewer.expect(Presence) == Presence(session=session.session, present=True)
            await viewer.close()
            assert (await camera.expect(Presence)).present is False
            async with stage.peer() as returned:
                await returned.send(resume(session, ROOM))
                await returned.expect(Resumed)
                assert (await camera.expect(Presence)).present is True


async def test_a_camera_serves_many_viewers_over_one_connection(stage: Stage) -> None:
    """Sessions do not mix."""
    async with stage.peer("tcp") as camera:
        await claim(camera, KEY, ROOM)
        viewers = [stage.peer() for _ in range(5)]
        entered = [await viewer.__aenter__() for viewer in viewers]
        sessions = [await negotiate(viewer, camera, ROOM) for viewer in entered]
        for viewer, session in zip(entered, sessions, strict=True):
            await camera.send(Candidate(session=session.session, candidate=None))
            assert (await viewer.expect(Candidate)).session == session.session
        await asyncio.gather(*(v.__aexit__(None, None, None) for v in viewers))
        gone = {(await camera.expect(Presence)).session for _ in viewers}
        assert gone == {session.session for session in sessions}


async def test_takeover(stage: Stage) -> None:
    """The same key claims elsewhere: the earlier connection is told and closed."""
    async with stage.peer() as earlier, stage.peer() as later:
        first = await claim(earlier, KEY, ROOM)
        second = await claim(later, KEY, ROOM)
        assert second.epoch > first.epoch
        await earlier.refused("superseded")
        await earlier.closed()
        async with stage.peer() as thief:
            await thief.send(
                peers.signed_claim(thief.welcome, Key(), room=ROOM, origin=thief.origin)
            )
            await thief.refused("room_unavailable")
        await later.send(Ping())
        await later.expect(Pong)


async def test_localhost_is_a_known_origin_for_neighbours(stage: Stage) -> None:
    """A camera on the same machine may have dialled localhost."""
    async with stage.peer() as camera:
        claimed = await claim(camera, KEY, ROOM, origin=f"LocalHost:{stage.running.port}")
        assert isinstance(claimed, Claimed)


async def test_a_foreign_origin_is_refused(stage: Stage) -> None:
    """The claim was made for another server."""
    async with stage.peer() as camera:
        await camera.send(
            peers.signed_claim(camera.welcome, KEY, room=ROOM, origin="cam.example.org:4545")
        )
        error = await camera.refused("origin_unknown")
        assert "--public-origin cam.example.org:4545" in error.message
        assert stage.running.origin in error.message
