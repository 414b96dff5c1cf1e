"""Two nodes are restarted in turn while cameras and viewers go on: nobody fails to join."""

import asyncio
import contextlib
from collections.abc import Iterator

import pytest

from rendezvous.wire.messages import (
    Answer,
    Challenge,
    Claimed,
    End,
    Error,
    Goaway,
    Joined,
    Offer,
    Presence,
    Session,
    Waiting,
)
from tests.support.nodes import Node, running_nodes
from tests.support.peers import SDP, ClosedError, Key, Peer, connect, proven_join, signed_claim
from tests.support.redis import RedisServer, running_redis
from tests.support.waiting import PATIENCE

ONE_LOOP = True

KEY = Key()
ROOM = "MyRoom"
EVERY = 0.02  # seconds: 50 joins a second
ATTEMPT = 5.0  # seconds, after which a player tries again

_AWAY = (ClosedError, OSError, asyncio.IncompleteReadError, AssertionError)


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with running_redis() as server:
        yield server


class Service:
    """The nodes behind one name, as a proxy would have it."""

    def __init__(self, nodes: list[Node]) -> None:
        self.nodes = nodes
        self._turn = 0

    def next(self) -> Node:
        """Round robin."""
        self._turn += 1
        return self.nodes[self._turn % len(self.nodes)]


async def camera(service: Service, ready: asyncio.Event) -> None:
    """Claims at one node after the other, makes before it breaks, answers everybody."""
    async with asyncio.TaskGroup() as connections:
        moved = asyncio.Event()
        connections.create_task(_hold(service, moved, ready))
        while True:
            await moved.wait()
            moved.clear()
            connections.create_task(_hold(service, moved, ready))


async def _hold(service: Service, moved: asyncio.Event, ready: asyncio.Event) -> None:
    try:
        node = service.next()
        async with connect(node.host, node.port) as peer:
            await peer.send(signed_claim(peer.welcome, KEY, room=ROOM, origin=peer.origin))
            while True:
                await _react(peer, await peer.receive(deadline=60), moved, ready)
    except _AWAY:
        moved.set()
    except _SupersededError:
        return


class _SupersededError(Exception):
    pass


async def _react(peer: Peer, message: object, moved: asyncio.Event, ready: asyncio.Event) -> None:
    match message:
        case Claimed():
            ready.set()
        case Session():
            await peer.send(Answer(session=message.session, sdp=SDP))
        case Presence(session=session, present=False):  # as when media is gone, too
            await peer.send(End(session=session, reason="media_lost"))
        case Goaway():
            moved.set()
        case Error(code="superseded"):
            raise _SupersededError
        case Error(session=None):
            raise ClosedError
        case Challenge():
            raise AssertionError("The store was never away.")


async def viewer(service: Service) -> None:
    """From join to answer; sent away or cut off it comes again, as the player does."""
    async with asyncio.timeout(PATIENCE):
        while True:
            with contextlib.suppress(*_AWAY):
                node = service.next()
                async with connect(node.host, node.port) as peer:
                    await peer.send(proven_join(peer.welcome, ROOM))
                    await _watch(peer)
                    return
            await asyncio.sleep(0.05)


async def _watch(peer: Peer) -> None:
    while True:
        match await peer.receive(deadline=ATTEMPT):
            case Joined(session=session):
                await peer.send(Offer(session=session, sdp=SDP))
            case Answer():
                return
            case Error(code=code):
                assert code in {"shutting_down", "session_unknown", "room_full"}
                raise ClosedError
            case Waiting() | _:
                pass


async def test_no_join_fails_while_nodes_are_restarted_in_turn(redis: RedisServer) -> None:
    """Fifty a second, some at the node that goes, some at the one that stays."""
    ready = asyncio.Event()
    async with running_nodes(redis.url, 2) as nodes, running_nodes(redis.url, 2) as fresh:
        service = Service(list(nodes))
        holding = asyncio.create_task(camera(service, ready))
        await ready.wait()
        joins: list[asyncio.Task[None]] = []
        for old, new in zip(nodes, fresh, strict=True):
            joins += [await _joining(service) for _ in range(25)]
            service.nodes = [n for n in service.nodes if n is not old]
            leaving = asyncio.create_task(_leave(old))
            joins += [await _joining(service) for _ in range(25)]
            service.nodes.append(new)
            await leaving
        joins += [await _joining(service) for _ in range(25)]
        await asyncio.gather(*joins)
        holding.cancel()
        await asyncio.gather(holding, return_exceptions=True)
        assert [node.counted("cross_room") for node in (*nodes, *fresh)] == [0] * 4


async def _joining(service: Service) -> asyncio.Task[None]:
    await asyncio.sleep(EVERY)
    return asyncio.create_task(viewer(service))


async def _leave(node: Node) -> None:
    await node.running.server.drain()
    await node.stop()
