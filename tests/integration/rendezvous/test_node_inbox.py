"""A node's inbox in Redis: emptied as it is read, bounded if it is not, whatever is in it."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio
import redis

from rendezvous.relay.inbox import RedisMail, inbox_of
from rendezvous.stores.contract import Claimant
from rendezvous.stores.redis.address import parse
from rendezvous.stores.redis.stream import Entry, StreamReader
from rendezvous.wire.identity import ConnectionId, NodeId, Owner, RoomId
from tests.support.redis import RedisServer, running_redis
from tests.support.stores import opened, unexpected
from tests.support.waiting import PATIENCE, until

ONE_LOOP = True

HERE, THERE = NodeId("here"), NodeId("there")
MB = 2**20
LARGEST = b"x" * (256 * 2**10)  # frame


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with running_redis("--maxmemory", "64mb") as running:
        yield running


@pytest.fixture
def client(server: RedisServer) -> Iterator[redis.Redis]:
    with server.client() as made:
        made.flushall()
        yield made


@pytest.fixture
def got() -> list[bytes]:
    """What was delivered to this node."""
    return []


@asynccontextmanager
async def running_mail(server: RedisServer, got: list[bytes]) -> AsyncIterator[RedisMail]:
    made = RedisMail(parse(server.url), deadline=PATIENCE, on_confusion=unexpected)
    await made.start(HERE, got.append)
    try:
        yield made
    finally:
        await made.stop()


@pytest_asyncio.fixture
async def mail(
    server: RedisServer, client: redis.Redis, got: list[bytes]
) -> AsyncIterator[RedisMail]:
    del client  # which emptied the server
    async with running_mail(server, got) as made:
        yield made


async def has_come(got: list[bytes], count: int) -> None:
    """Waits until so many frames were delivered."""
    await until(lambda: len(got) == count)


async def test_nothing_is_kept_that_was_read(
    mail: RedisMail, client: redis.Redis, got: list[bytes]
) -> None:
    """More than fits into Redis goes through it, and in the end it is empty."""
    for portion in range(1, 11):
        for _ in range(30):  # an inbox has its bounds, and its node may be slower than we are
            await mail.send([(HERE, LARGEST)])
        await has_come(got, 30 * portion)
    await until(lambda: client.xlen(inbox_of(HERE)) == 0)
    assert 0 < client.pttl(inbox_of(HERE)) <= 60_000


async def test_a_node_that_does_not_read_takes_no_room_from_others(
    mail: RedisMail, client: redis.Redis, server: RedisServer
) -> None:
    """Its inbox has a size; the newest frames are in it, and claims are granted."""
    frames = [(THERE, LARGEST)] * 300
    await mail.send(frames)
    assert client.info("memory")["used_memory"] < 56 * MB
    assert client.xlen(inbox_of(THERE)) >= 100
    async with opened(server.url) as store:
        claimant = Claimant(Owner("alice"), HERE, ConnectionId("camera"))
        assert await store.claim(RoomId("MyRoom"), claimant, None)


async def test_frames_are_forgotten_after_a_minute(mail: RedisMail, client: redis.Redis) -> None:
    """Their writer has given them up, and they may hold secrets."""
    client.xadd(inbox_of(THERE), {"frame": "x" * 5_000}, id="1-1")
    await mail.send([(THERE, b"now")])
    entries = client.xrange(inbox_of(THERE))
    assert entries is not None
    assert [fields for _, fields in entries] == [{"frame": "now"}]


async def test_what_cannot_be_read_is_stepped_over(
    mail: RedisMail, client: redis.Redis, got: list[bytes]
) -> None:
    """Bytes that are no text, entries that are no frames: the link counts them as malformed."""
    client.xadd(inbox_of(HERE), {b"frame": b"\xff\xfe"})
    client.xadd(inbox_of(HERE), {"another": "field"})
    await mail.send([(HERE, b"a frame")])
    await until(lambda: len(got) == 3)
    assert got == [b"\xff\xfe", b"", b"a frame"]


async def test_a_defect_does_not_end_the_reading(
    server: RedisServer,
    client: redis.Redis,
    got: list[bytes],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is logged, and the inbox is read again: a node that beats and is deaf would be worse."""
    del client
    read, defects = StreamReader.read, [ValueError("a defect")]

    async def sometimes(self: StreamReader, *, most: int = 32) -> list[Entry]:
        if defects:
            raise defects.pop()
        return await read(self, most=most)

    monkeypatch.setattr(StreamReader, "read", sometimes)
    async with running_mail(server, got) as mail:
        await mail.send([(HERE, b"a frame")])
        await until(lambda: got == [b"a frame"])
    assert "A defect while the inbox was read" in caplog.text
