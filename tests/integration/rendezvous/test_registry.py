"""What the registry asks of a store that lets only so many calls wait."""

import asyncio
import random

import pytest

from rendezvous.relay import registry as module
from rendezvous.relay.counters import Counters
from rendezvous.relay.registry import Registry
from rendezvous.rooms.effects import ReleaseRoom
from rendezvous.stores.contract import Claimant
from rendezvous.wire.identity import ConnectionId, NodeId, Owner, RoomId
from tests.support.redis import running_redis
from tests.support.stores import opened
from tests.support.waiting import PATIENCE

ONE_LOOP = True

HERE = NodeId("here")
MANY = 12_000  # more than the line to Redis holds


async def test_however_many_cameras_leave_each_room_is_released(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As when a large node stops: nobody waits for leases to run out."""
    monkeypatch.setattr(module, "_FAREWELL", PATIENCE)
    counters, rooms = Counters(), [RoomId("first"), RoomId("last")]
    with running_redis() as server:
        async with opened(server.url) as store:
            registry = Registry(
                store,
                counters,
                node=HERE,
                clock=asyncio.get_running_loop().time,
                chance=random.Random(1),
                hear=lambda _: None,
            )
            claimant = Claimant(Owner("alice"), HERE, ConnectionId("camera"))
            first, last = [(await store.claim(room, claimant, None)).epoch for room in rooms]
            registry.release(ReleaseRoom(rooms[0], first))
            for number in range(MANY):
                registry.release(ReleaseRoom(RoomId(f"room-{number}"), 1))
            registry.release(ReleaseRoom(rooms[1], last))
            await registry.stop()
            found = [await store.look_up(room) for room in rooms]
    assert not counters.totals
    assert [binding is not None and binding.holder is None for binding in found] == [True, True]
