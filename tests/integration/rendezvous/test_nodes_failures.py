"""What goes wrong between nodes and Redis, and what does not come of it.

Some of these are failures that others have had; they keep the names that those gave them.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from rendezvous import server
from rendezvous.relay.inbox import inbox_of
from rendezvous.relay.link import Frame
from rendezvous.rooms.letters import Closed, HandedOver, Letter, Moved, Said, Told
from rendezvous.stores.contract import Lease
from rendezvous.wire.identity import ConnectionId, NodeId, RoomId
from rendezvous.wire.messages import (
    Answer,
    Candidate,
    Challenge,
    Claimed,
    End,
    Goaway,
    Joined,
    Offer,
    Ping,
    Pong,
    Resumed,
    Source,
)
from tests.support.nodes import TTL, Node, running_nodes
from tests.support.peers import (
    SDP,
    Key,
    Peer,
    claim,
    connect,
    joined,
    negotiate,
    proven_join,
    resume,
    signed_claim,
)
from tests.support.redis import RedisServer, running_redis
from tests.support.server import DAY, only
from tests.support.waiting import until

ONE_LOOP = True

KEY = Key()
ROOM = "MyRoom"


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with running_redis() as server:
        yield server


@pytest_asyncio.fixture
async def nodes(redis: RedisServer) -> AsyncIterator[list[Node]]:
    """Two of them, and nothing was ever about to be delivered to a wrong room."""
    async with running_nodes(redis.url, limits=only(store_retry=0.2)) as two:
        yield two
        assert [node.counted("defect") for node in two] == [0, 0]


async def reclaimed(camera: Peer, challenge: Challenge, room: str = ROOM) -> Claimed:
    """The camera claims anew, over the nonce that it was asked for."""
    welcome = msgspec.structs.replace(camera.welcome, nonce=challenge.nonce)
    await camera.send(signed_claim(welcome, KEY, room=room, origin=camera.origin))
    return await camera.expect(Claimed)


# ── Redis goes and comes back ────────────────────────────────────────────────────────────────


async def test_redis_restart(redis: RedisServer) -> None:
    """Nobody enters while it is away; running sessions go on; then all is well by itself.

    All data is lost with it, as if it were another Redis.
    """
    async with (
        running_nodes(redis.url, limits=only(store_retry=0.2)) as (a, b),
        connect(a.host, a.port) as camera,
        connect(a.host, a.port) as watching,
        connect(a.host, a.port) as other,
        connect(b.host, b.port) as late,
    ):
        first = await claim(camera, KEY, ROOM)
        session = await negotiate(watching, camera, ROOM)
        redis.stop()
        for node in (a, b):
            async with connect(node.host, node.port) as viewer:
                await viewer.send(proven_join(viewer.welcome, ROOM))
                assert (await viewer.refused("store_unavailable")).retry_after is not None
        await other.send(signed_claim(other.welcome, KEY, room=ROOM, origin=other.origin))
        await other.refused("store_unavailable")
        a.running.wind(TTL)
        await until(lambda: a.running.server.core.book.rooms[RoomId(ROOM)].lapsed)
        await watching.send(Offer(session=session.session, sdp=SDP))
        await camera.expect(Offer)
        redis.start()
        again = await reclaimed(camera, await camera.expect(Challenge))
        assert again.epoch > first.epoch
        await watching.expect(Source)
        await camera.send(Answer(session=session.session, sdp=SDP))
        await watching.expect(Answer)
        await until(lambda: _joins(late))
        assert [node.counted("defect") for node in (a, b)] == [0, 0]


async def _joins(viewer: Peer) -> bool:
    await viewer.send(proven_join(viewer.welcome, ROOM))
    return isinstance(await viewer.receive(), Joined)


async def test_letters_outlive_a_short_absence_of_redis(
    nodes: list[Node], redis: RedisServer
) -> None:
    """What was said meanwhile arrives, once and in order."""
    a, b = nodes
    async with connect(a.host, a.port) as camera, connect(b.host, b.port) as viewer:
        await claim(camera, KEY, ROOM)
        session = await negotiate(viewer, camera, ROOM)
        redis.pause()
        for number in range(20):
            await viewer.send(Offer(session=session.session, sdp=f"{SDP}a={number}\r\n"))
        await until(lambda: b.counted("mail_failed"))
        redis.resume()
        heard = [await camera.expect(Offer) for _ in range(20)]
        assert [offer.sdp for offer in heard] == [f"{SDP}a={n}\r\n" for n in range(20)]


async def test_a_camera_that_does_not_claim_again_is_let_go(redis: RedisServer) -> None:
    """Else its room would look held, and never be served."""
    async with (
        running_nodes(redis.url, number=1, limits=only(challenge=0.2)) as (node,),
        connect(node.host, node.port) as camera,
    ):
        await claim(camera, KEY, ROOM)
        redis.stop()
        node.running.wind(TTL)
        await until(lambda: node.running.server.core.book.rooms[RoomId(ROOM)].lapsed)
        redis.start()
        await camera.expect(Challenge)
        await camera.refused("claim_expired")
        await camera.closed()


# ── fencing ──────────────────────────────────────────────────────────────────────────────────


class Forger:
    """Somebody who can write into inboxes, as a node that was paused for too long could."""

    def __init__(self, redis: RedisServer, name: NodeId, *, after: int = 0) -> None:
        self._redis = redis
        self._name = name
        self._written = after

    def writes(self, node: Node, *letters: Letter) -> None:
        """Puts the letters into the node's inbox."""
        first, self._written = self._written + 1, self._written + len(letters)
        frame = Frame(
            source=self._name,
            link=1,
            first=first,
            floor=first,
            ack=0,
            ack_link=0,
            letters=letters,
        )
        with self._redis.client() as client:
            client.xadd(inbox_of(node.id), {"frame": msgspec.json.encode(frame).decode()})


async def test_forged_letters_reach_nobody(nodes: list[Node], redis: RedisServer) -> None:
    """Not a viewer, not a camera, of whatever room, epoch, seat or node they pretend to be."""
    a, b = nodes
    forger = Forger(redis, NodeId("forger"))
    async with connect(a.host, a.port) as camera, connect(b.host, b.port) as viewer:
        claimed = await claim(camera, KEY, ROOM)
        session = await joined(viewer, ROOM)
        (place,) = b.running.server.core.book.rooms[RoomId(ROOM)].away.values()
        to: dict[str, Any] = {
            "connection": ConnectionId(viewer.welcome.connection),
            "seat": place.seat,
        }
        end = End(session=session.session, reason="left")
        here: dict[str, Any] = {"room": RoomId(ROOM), "epoch": claimed.epoch, **to}
        there = {**here, "room": RoomId("AnotherRoom")}
        forger.writes(
            b,
            Told(**here, message=end, bound=True),
            Told(**there, message=end, bound=True),
            Told(**{**here, "seat": place.seat + 1}, message=end, bound=True),
            Closed(**here),
            Moved(room=RoomId(ROOM), epoch=claimed.epoch - 1, node=NodeId("forger")),
        )
        camera_connection = ConnectionId(camera.welcome.connection)
        message = proven_join(viewer.welcome, ROOM)
        forger.writes(
            a,
            Said(**here, message=end),
            HandedOver(**{**here, "connection": camera_connection}, nonce="n", message=message),
            HandedOver(**{**here, "epoch": claimed.epoch - 1}, nonce="n", message=message),
        )
        await until(lambda: b.counted("stale_epoch") >= 3 and b.counted("cross_room") == 1)
        await until(lambda: a.counted("cross_room") == 2 and a.counted("late") == 1)
        for peer in (viewer, camera):
            await peer.send(Ping())
            await peer.expect(Pong)


async def test_stale_state(nodes: list[Node], redis: RedisServer) -> None:
    """A home that was overtaken reaches nobody any more, though it still believes in itself."""
    a, b = nodes
    async with (
        connect(a.host, a.port) as old,
        connect(b.host, b.port) as viewer,
        connect(b.host, b.port) as new,
    ):
        before = await claim(old, KEY, ROOM)
        session = await negotiate(viewer, old, ROOM)
        (place,) = b.running.server.core.book.rooms[RoomId(ROOM)].away.values()
        seat = place.seat
        await claim(new, KEY, ROOM)
        await new.send(resume(session, ROOM))
        await new.expect(Resumed)
        await viewer.expect(Resumed)
        await viewer.expect(Source)
        told = Told(
            room=RoomId(ROOM),
            epoch=before.epoch,
            connection=ConnectionId(viewer.welcome.connection),
            seat=seat,
            message=Answer(session=session.session, sdp=SDP),
            bound=True,
        )
        late = b.counted("late")
        Forger(redis, a.id, after=1_000).writes(b, told)
        await until(lambda: b.counted("late") > late)
        await viewer.send(Ping())
        await viewer.expect(Pong)


# ── failures that others have had ────────────────────────────────────────────────────────────


async def test_two_rooms_of_one_name(nodes: list[Node]) -> None:
    """At the same moment, at different nodes, with different keys: one of them has it."""
    a, b = nodes
    for number in range(5):
        room = f"Contested{number}"
        async with connect(a.host, a.port) as one, connect(b.host, b.port) as two:
            for peer in (one, two):
                await peer.send(signed_claim(peer.welcome, Key(), room=room, origin=peer.origin))
            heard = [await peer.receive() for peer in (one, two)]
            assert sorted(type(message).__name__ for message in heard) == ["Claimed", "Error"]


async def test_ghost_room_after_node_death(nodes: list[Node]) -> None:
    """Who asks for it waits; it is served again as soon as its camera claims at another node."""
    a, b = nodes
    async with connect(a.host, a.port) as camera, connect(b.host, b.port) as viewer:
        await claim(camera, KEY, ROOM)
        await a.die()
        await viewer.send(proven_join(viewer.welcome, ROOM))  # the store still names the dead node
        async with connect(b.host, b.port) as again:
            await claim(again, KEY, ROOM)
            assert isinstance(await viewer.receive(), Joined)


async def test_one_node_deleting_what_lives_on_another(nodes: list[Node]) -> None:
    """The old home's late goodbye takes nothing from the new one."""
    a, b = nodes
    async with connect(a.host, a.port) as old, connect(b.host, b.port) as new:
        before = await claim(old, KEY, ROOM)
        await claim(new, KEY, ROOM)
        await old.refused("superseded")
        await old.closed()
        store = a.running.server._store
        await store.release(Lease(RoomId(ROOM), before.epoch))
        await a.stop()
        async with connect(b.host, b.port) as viewer:
            await joined(viewer, ROOM)


async def test_leaking_keys(redis: RedisServer) -> None:
    """Whatever nodes leave in Redis ends by itself."""
    async with (
        running_nodes(redis.url) as (a, b),
        connect(a.host, a.port) as camera,
        connect(b.host, b.port) as viewer,
    ):
        await claim(camera, KEY, ROOM)
        await negotiate(viewer, camera, ROOM)
        with redis.client() as client:
            keys = tuple(client.scan_iter())
            assert len(keys) >= 5
            assert all(client.pttl(key) > 0 for key in keys), keys
    with redis.client() as client:
        assert all(client.pttl(key) > 0 for key in client.scan_iter())


# ── going away in order ──────────────────────────────────────────────────────────────────────


async def test_draining_moves_cameras_before_they_are_closed(
    nodes: list[Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Goaway; the camera claims elsewhere; its viewers never notice; then the node is gone."""
    monkeypatch.setattr(server, "_DRAIN_PATIENCE", DAY)
    a, b = nodes
    async with (
        connect(a.host, a.port) as camera,
        connect(b.host, b.port) as new,
        connect(b.host, b.port) as viewer,
    ):
        await claim(camera, KEY, ROOM)
        session = await negotiate(viewer, camera, ROOM)
        draining = asyncio.create_task(a.running.server.drain())
        assert (await camera.expect(Goaway)).after <= 1
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(a.host, a.port)
        assert not draining.done()
        await claim(new, KEY, ROOM)
        await new.send(resume(session, ROOM))
        await camera.refused("superseded")
        await draining
        await a.stop()
        await new.expect(Resumed)
        await viewer.expect(Resumed)
        await viewer.expect(Source)
        await viewer.send(Candidate(session=session.session, candidate=None))
        assert (await new.expect(Candidate)).session == session.session
