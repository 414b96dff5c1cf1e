"""Stores whose time passes when a test says so.

Nobody can turn Redis's own clock, so real time passes in it as well. Leases and names last a
hundred times as long as the product's leases do: beside that, what a test takes is nothing.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import redis

from rendezvous.program.errors import ProgramError
from rendezvous.stores.contract import Store, StoreUnavailableError
from rendezvous.stores.embedded import EmbeddedStore
from rendezvous.stores.redis.address import RedisAddress, parse
from rendezvous.stores.redis.store import RedisStore
from rendezvous.wire.identity import RoomId
from tests.support.redis import RedisServer
from tests.support.waiting import PATIENCE

TTL = 1500.0  # seconds; a lease
RETENTION = 40 * TTL  # a month in small
MOMENT = PATIENCE  # seconds; no test takes so long
ROOMS = 3  # that an owner may have


class Clock:
    """Seconds since 1970, turned by hand."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now

    async def advance(self, seconds: float) -> None:
        """Time passes."""
        self.now += seconds


@dataclass(frozen=True, slots=True)
class StoreUnderTest:
    """A store, and how time passes for it (seconds)."""

    store: Store
    advance: Callable[[float], Awaitable[None]]


@asynccontextmanager
async def embedded(path: Path | None) -> AsyncIterator[StoreUnderTest]:
    """The store of a single node, in a file or in memory."""
    clock = Clock()
    store = EmbeddedStore(
        path, clock=clock, monotonic=clock, retention=RETENTION, rooms_per_owner=ROOMS, ttl=TTL
    )
    await store.start()
    try:
        yield StoreUnderTest(store, clock.advance)
    finally:
        await store.stop()


def unexpected(error: ProgramError) -> None:
    """For ``on_confusion`` where Redis has no reason to be confused."""
    raise AssertionError(error)


@asynccontextmanager
async def opened(
    address: RedisAddress | str,
    *,
    on_confusion: Callable[[ProgramError], None] = unexpected,
    replicas: int = 0,
    deadline: float = PATIENCE,
) -> AsyncIterator[RedisStore]:
    """A store in Redis, as a node has one, but for the seconds that it waits and a lease lasts."""
    store = RedisStore(
        parse(address) if isinstance(address, str) else address,
        replicas=replicas,
        ttl=TTL,
        deadline=deadline,
        on_confusion=on_confusion,
    )
    await store.start()
    try:
        yield store
    finally:
        await store.stop()


@asynccontextmanager
async def in_redis(server: RedisServer) -> AsyncIterator[StoreUnderTest]:
    """The store of many nodes, in a server that is emptied first."""
    with server.client() as client:
        client.flushall()
    store = RedisStore(
        parse(server.url),
        retention=RETENTION,
        rooms_per_owner=ROOMS,
        ttl=TTL,
        deadline=PATIENCE,
        on_confusion=unexpected,
    )
    await store.start()

    async def advance(seconds: float) -> None:
        age(server, seconds)

    try:
        yield StoreUnderTest(store, advance)
    finally:
        await store.stop()


def age(server: RedisServer, seconds: float) -> None:
    """Everything in it becomes older."""
    milliseconds = round(seconds * 1000)
    with server.client() as client:
        for key in _texts(client.keys()):
            _age(client, key, milliseconds)


def _texts(found: object) -> Iterable[str]:
    assert isinstance(found, list)
    return map(str, found)


def _age(client: redis.Redis, key: str, milliseconds: int) -> None:
    kind = client.type(key)
    if kind == "zset":  # every sorted set is by the time at which its members leave
        for member in _texts(client.zrange(key, 0, -1)):
            client.zincrby(key, -milliseconds, member)
    elif kind == "hash" and client.hexists(key, "enrolled"):
        client.hincrby(key, "enrolled", -milliseconds)
    left = client.pttl(key)
    assert isinstance(left, int)
    assert left > 0, f"{key} lives for ever"
    client.pexpire(key, left - milliseconds)


async def answers(store: Store) -> bool:
    """Whether it can be asked."""
    try:
        await store.look_up(RoomId("any"))
    except StoreUnavailableError:
        return False
    return True
