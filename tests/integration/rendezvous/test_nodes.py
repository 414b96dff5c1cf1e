"""A camera at one node, its viewer at another: the same conversations as on one."""

from collections.abc import AsyncIterator, Iterator
from typing import TypeVar

import pytest
import pytest_asyncio

from rendezvous.rooms.facts import NodeLost
from rendezvous.rooms.limits import Limits
from rendezvous.wire.messages import (
    Answer,
    Candidate,
    End,
    IceCandidate,
    Joined,
    Offer,
    Presence,
    Resumed,
    Session,
    Source,
    SourceState,
    Waiting,
)
from tests.support.nodes import Node, running_nodes
from tests.support.peers import (
    LIVE,
    SDP,
    Key,
    Peer,
    Transport,
    answer,
    claim,
    connect,
    join,
    joined,
    negotiate,
    proven_join,
    resume,
    signed_claim,
)
from tests.support.redis import RedisServer, running_redis
from tests.support.waiting import until

ONE_LOOP = True

_M = TypeVar("_M")

KEY = Key()
ROOM = "MyRoom"
CANDIDATE = IceCandidate(candidate="candidate:1 1 udp 1 127.0.0.1 9 typ host", sdp_mid="0")


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with running_redis() as server:
        yield server


@pytest_asyncio.fixture
async def nodes(redis: RedisServer) -> AsyncIterator[list[Node]]:
    """Two of them; nothing was ever delivered to a wrong room."""
    with redis.client() as client:
        client.flushall()
    async with running_nodes(redis.url) as two:
        yield two
        assert [node.counted("cross_room") for node in two] == [0, 0]
        assert [node.counted("defect") for node in two] == [0, 0]


async def hears(peer: Peer, kind: type[_M]) -> _M:
    """What it was waiting for; that it waits, and that the other is absent, may come before."""
    while isinstance(message := await peer.receive(), Waiting | Presence):
        pass
    assert isinstance(message, kind), message
    return message


@pytest.mark.parametrize("transport", ["tcp", "ws"])
async def test_a_session_runs_across_two_nodes(nodes: list[Node], transport: Transport) -> None:
    """Join, offer, answer, candidates of both, the source, the end."""
    a, b = nodes
    async with (
        connect(a.host, a.port) as camera,
        connect(b.host, b.port, transport=transport) as viewer,
    ):
        await claim(camera, KEY, ROOM)
        session = await joined(viewer, ROOM)
        assert session.source == LIVE
        await viewer.send(Candidate(session=session.session, candidate=CANDIDATE))
        await viewer.send(Offer(session=session.session, sdp=SDP))
        opened = await answer(camera)
        assert (opened.session, opened.secret) == (session.session, session.secret)
        assert (await camera.expect(Candidate)).candidate == CANDIDATE
        assert (await viewer.expect(Answer)).sdp == SDP
        await camera.send(Candidate(session=session.session, candidate=None))
        assert (await viewer.expect(Candidate)).candidate is None
        lost = Source(state=SourceState.LOST, code="source_interrupted")
        await camera.send(lost)
        assert await viewer.expect(Source) == lost
        await viewer.send(End(session=session.session, reason="left"))
        assert (await camera.expect(End)).reason == "left"
        await until(lambda: not a.running.server.core.book.sessions)
        assert len(a.running.server.core.book.peers) == 1


async def test_who_may_not_enter_learns_no_more_than_on_one_node(nodes: list[Node]) -> None:
    """A wrong secret and an unknown room get the same words; the connection may try again."""
    a, b = nodes
    async with connect(a.host, a.port) as camera, connect(b.host, b.port) as viewer:
        await claim(camera, KEY, ROOM)
        await viewer.send(proven_join(viewer.welcome, ROOM, "d3Jvbmctc2VjcmV0LTAwMQ"))
        wrong = await viewer.refused("room_unknown")
        await viewer.send(proven_join(viewer.welcome, "NoSuchRoom"))
        assert await viewer.refused("room_unknown") == wrong
        await joined(viewer, ROOM)
        await viewer.close()
        await until(lambda: len(a.running.server.core.book.peers) == 1)


async def test_places_are_the_rooms_not_the_nodes(redis: RedisServer) -> None:
    """Its home counts them, wherever the viewers are connected; a place that is left is free."""
    async with (
        running_nodes(redis.url, limits=Limits(viewers_per_room=1)) as (a, b),
        connect(a.host, a.port) as camera,
        connect(a.host, a.port) as first,
        connect(b.host, b.port) as second,
    ):
        await claim(camera, KEY, "Small")
        session = await joined(first, "Small")
        await second.send(proven_join(second.welcome, "Small"))
        assert (await second.refused("room_full")).retry_after == 5.0
        await first.send(End(session=session.session, reason="left"))
        await until(lambda: not a.running.server.core.book.sessions)
        await joined(second, "Small")


@pytest.mark.parametrize("home", [0, 1])
async def test_a_viewer_waits_for_a_camera_that_comes_to_any_node(
    nodes: list[Node], home: int
) -> None:
    """It is told once that it waits, and joins by itself."""
    async with (
        connect(nodes[0].host, nodes[0].port) as before,
        connect(nodes[1].host, nodes[1].port) as viewer,
    ):
        await claim(before, KEY, ROOM)
        await before.close()
        await until(lambda: not nodes[0].running.server.core.book.peers)
        assert isinstance(await until(lambda: join(viewer, ROOM)), Waiting)
        async with connect(nodes[home].host, nodes[home].port) as camera:
            await claim(camera, KEY, ROOM)
            session = await viewer.expect(Joined)
            await viewer.send(Offer(session=session.session, sdp=SDP))
            await answer(camera)
            await viewer.expect(Answer)


async def test_members_see_each_other_come_and_go(nodes: list[Node]) -> None:
    """Presence crosses nodes; the camera comes back to its node and resumes."""
    a, b = nodes
    async with connect(a.host, a.port) as camera, connect(b.host, b.port) as viewer:
        await claim(camera, KEY, ROOM)
        session = await negotiate(viewer, camera, ROOM)
        await camera.close()
        assert not (await viewer.expect(Presence)).present
        async with connect(a.host, a.port) as again:
            await claim(again, KEY, ROOM)
            await again.send(resume(session, ROOM))
            await viewer.expect(Source)
            assert (await viewer.expect(Presence)).present
            await again.expect(Resumed)
            await viewer.close()
            assert not (await again.expect(Presence)).present


@pytest.mark.parametrize(("before", "after"), [(1, 0), (0, 1), (1, 1)])
async def test_a_viewer_resumes_at_any_node(nodes: list[Node], before: int, after: int) -> None:
    """Also while its earlier connection still seems to be there: that one is superseded."""
    async with (
        connect(nodes[0].host, nodes[0].port) as camera,
        connect(nodes[before].host, nodes[before].port) as viewer,
        connect(nodes[after].host, nodes[after].port) as again,
    ):
        await claim(camera, KEY, ROOM)
        session = await negotiate(viewer, camera, ROOM)
        await again.send(resume(session, ROOM))
        await again.expect(Resumed)
        await again.expect(Source)
        await viewer.refused("superseded")
        await viewer.closed()
        assert (await camera.expect(Presence)).present
        await again.send(Offer(session=session.session, sdp=SDP))
        await camera.expect(Offer)


@pytest.mark.parametrize("viewers_node", [0, 1])
async def test_a_camera_moves_and_its_sessions_with_it(
    nodes: list[Node], viewers_node: int
) -> None:
    """One that runs is resumed, one that was being negotiated begins anew; nobody does anything."""
    a, b = nodes
    at = nodes[viewers_node]
    async with (
        connect(a.host, a.port) as camera,
        connect(at.host, at.port) as watching,
        connect(at.host, at.port) as joining,
        connect(b.host, b.port) as moved,
    ):
        first = await claim(camera, KEY, ROOM)
        session = await negotiate(watching, camera, ROOM)
        early = await joined(joining, ROOM)
        assert (await claim(moved, KEY, ROOM)).epoch > first.epoch
        await moved.send(resume(session, ROOM))
        await moved.expect(Resumed)
        await camera.refused("superseded")
        await camera.closed()
        await hears(watching, Resumed)
        await watching.expect(Source)
        late = await hears(joining, Joined)
        assert late.session != early.session
        await joining.send(Offer(session=late.session, sdp=SDP))
        assert isinstance(await moved.receive(), Session)
        await watching.send(Offer(session=session.session, sdp=SDP))
        assert (await moved.expect(Offer)).session == session.session


async def test_a_node_dies_and_its_cameras_sessions_live_on_elsewhere(nodes: list[Node]) -> None:
    """As after a restart: the camera claims and resumes, the viewer's node does it for it."""
    a, b = nodes
    async with connect(a.host, a.port) as camera, connect(b.host, b.port) as viewer:
        await claim(camera, KEY, ROOM)
        session = await negotiate(viewer, camera, ROOM)
        await a.die()
        async with connect(b.host, b.port) as again:
            await claim(again, KEY, ROOM)
            await again.send(resume(session, ROOM))
            await again.expect(Resumed)
            assert {type(await viewer.receive()) for _ in range(2)} == {Resumed, Source}
            await viewer.send(Offer(session=session.session, sdp=SDP))
            await again.expect(Offer)


async def test_a_node_dies_with_viewers_and_the_camera_is_told(nodes: list[Node]) -> None:
    """Their places are free; a session whose viewer is gone is the camera's to end."""
    a, b = nodes
    async with connect(a.host, a.port) as camera, connect(b.host, b.port) as viewer:
        await claim(camera, KEY, ROOM)
        await negotiate(viewer, camera, ROOM)
        await b.die()
        gone = NodeLost(b.id)  # as when its beat is missed; that takes half a minute
        a.running.server._hub.hear(gone)
        assert not (await camera.expect(Presence)).present


async def test_two_live_cameras_are_one_at_a_time(nodes: list[Node]) -> None:
    """The newest claim wins at whatever node; the other is told and closed."""
    a, b = nodes
    async with connect(a.host, a.port) as one, connect(b.host, b.port) as two:
        await claim(one, KEY, ROOM)
        await claim(two, KEY, ROOM)
        await one.refused("superseded")
        await one.closed()
        async with connect(a.host, a.port) as thief:
            await thief.send(signed_claim(thief.welcome, Key(), room=ROOM, origin=thief.origin))
            await thief.refused("room_unavailable")
        async with connect(a.host, a.port) as viewer:
            await joined(viewer, ROOM)
