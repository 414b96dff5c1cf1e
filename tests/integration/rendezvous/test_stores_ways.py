"""How a store gets to Redis: replicas, Sentinels, passwords, TLS; and which Redis will do."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import redis
from redis.asyncio import Redis

from rendezvous.program.errors import SettingsError, UnavailableError
from rendezvous.stores.contract import Claimant, Store, StoreUnavailableError
from rendezvous.stores.redis import client as client_of_redis
from rendezvous.stores.redis import keys, link
from rendezvous.stores.redis.address import RedisAddress, parse
from rendezvous.stores.redis.script import Script
from rendezvous.stores.redis.store import RedisStore
from rendezvous.stores.redis.stream import StreamReader
from rendezvous.wire.identity import ConnectionId, NodeId, Owner, RoomId
from tests.support.ports import free_port
from tests.support.redis import (
    RedisServer,
    running_redis,
    running_replica,
    running_sentinel,
)
from tests.support.stores import answers, opened, unexpected
from tests.support.waiting import PATIENCE, until

ONE_LOOP = True

ROOM = RoomId("MyRoom")


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with running_redis() as running:
        yield running


async def epoch_of(store: Store, connection: str = "camera") -> int:
    """A claim's."""
    claimant = Claimant(Owner("alice"), NodeId("here"), ConnectionId(connection))
    return (await store.claim(ROOM, claimant, None)).epoch


# ── replicas ─────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replicas and Sentinels may be as slow as the machine is."""
    monkeypatch.setattr(link, "_WAIT_MS", round(1000 * PATIENCE))
    monkeypatch.setattr(client_of_redis, "_SENTINEL_TIMEOUT", PATIENCE)


@pytest.mark.usefixtures("unhurried")
async def test_a_claim_is_granted_when_a_replica_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not while it is silent; what needs no copy goes on."""
    with running_redis() as primary, running_replica(primary) as replica:
        async with opened(primary.url, replicas=1) as store:
            epoch = await epoch_of(store)
            with replica.client() as client:
                assert client.hget(keys.of_room(ROOM).lease, "epoch") == str(epoch)
            replica.pause()
            monkeypatch.setattr(link, "_WAIT_MS", 100)
            with pytest.raises(StoreUnavailableError, match="replicas"):
                await epoch_of(store, "second")
            assert await store.look_up(ROOM) is not None
            replica.resume()


async def test_a_primary_without_replicas_takes_no_claims() -> None:
    """If its operator said so: it may be the one that was cut off."""
    with running_redis("--min-replicas-to-write", "1") as server:
        async with opened(server.url) as store:
            with pytest.raises(StoreUnavailableError, match="replicas"):
                await epoch_of(store)


@pytest.mark.usefixtures("unhurried")
async def test_the_next_primary_is_found_through_sentinels() -> None:
    """Names and epochs are there, and nobody has to be told."""
    with (
        running_redis() as primary,
        running_replica(primary),
        running_sentinel(primary) as sentinel,
    ):
        async with opened(sentinel.url, replicas=1) as store:
            first = await epoch_of(store)
            primary.stop()
            assert not await answers(store)
            sentinel.watches()
            await until(lambda: answers(store))
            binding = await store.look_up(ROOM)
            assert binding is not None
            assert binding.epoch == first


# ── the way there ────────────────────────────────────────────────────────────────────────────


def unopened(address: RedisAddress) -> RedisStore:
    """One that waits as long as a slow machine needs."""
    return RedisStore(address, deadline=PATIENCE, on_confusion=unexpected)


async def test_a_password_and_tls(certificate: Path) -> None:
    """Both are used; a certificate of nobody known is not trusted."""
    tls_port = free_port()
    options = ("--tls-port", tls_port, "--tls-auth-clients", "no", "--requirepass", "s3cret")
    files = ("--tls-cert-file", "--tls-key-file", "--tls-ca-cert-file")
    given = [str(option) for option in options]
    for file in files:
        given += [file, str(certificate)]
    url = f"rediss://localhost:{tls_port}"
    with running_redis(*given):
        async with opened(parse(url, password="s3cret", ca=certificate)) as store:
            assert await epoch_of(store)
        for address in (
            parse(url, password="s3cret"),
            parse(url, password="wrong", ca=certificate),
        ):
            with pytest.raises(UnavailableError) as caught:
                await unopened(address).start()
            assert caught.value.code == "redis_unavailable"
            assert "s3cret" not in str(caught.value)


async def test_a_connection_that_does_not_close_in_time_holds_up_nobody(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the other end is gone under TLS: who stops has stopped."""
    close, late = Redis.aclose, []

    async def aclose(self: Redis) -> None:
        await close(self)
        late.append(self)
        raise redis.TimeoutError("Timed out closing connection")

    monkeypatch.setattr(Redis, "aclose", aclose)
    async with opened(server.url) as store:
        assert await answers(store)
    assert late


async def test_nobody_there() -> None:
    """A sentence with the cure, and no password in it."""
    address = parse(f"redis://me:s3cret@127.0.0.1:{free_port()}")
    with pytest.raises(UnavailableError) as caught:
        await unopened(address).start()
    assert caught.value.code == "redis_unavailable"
    assert "s3cret" not in f"{caught.value} {address!r}"


async def test_a_redis_that_evicts_is_refused() -> None:
    """It would forget who owns a room."""
    with running_redis("--maxmemory-policy", "allkeys-lru") as server:
        store = unopened(parse(server.url))
        with pytest.raises(SettingsError, match="noeviction"):
            await store.start()


async def test_a_redis_whose_memory_is_full_takes_no_claims() -> None:
    """And says so, instead of forgetting something else."""
    with running_redis("--maxmemory", "1mb") as server:
        async with opened(server.url) as store:
            with pytest.raises(StoreUnavailableError, match="maxmemory"):
                await epoch_of(store)


async def test_a_replica_is_refused() -> None:
    """It cannot be written to."""
    with running_redis("--replicaof", "127.0.0.1 1") as server:
        replica = unopened(parse(server.url))
        with pytest.raises(SettingsError, match="replica"):
            await replica.start()


# ── streams ──────────────────────────────────────────────────────────────────────────────────


@asynccontextmanager
async def reading(
    server: RedisServer, stream: str, *, block: float = PATIENCE
) -> AsyncIterator[StreamReader]:
    """A reader that waits for so many seconds."""
    reader = StreamReader(parse(server.url), stream, block=block, timeout=PATIENCE)
    try:
        yield reader
    finally:
        await reader.close()


def waits(client: redis.Redis) -> bool:
    """Whether somebody's call waits in Redis."""
    return int(client.info("clients")["blocked_clients"]) > 0


async def test_a_stream_is_emptied_as_it_is_read(server: RedisServer) -> None:
    """What is there at once, what comes later when it comes, and nothing after a while."""
    stream = "porthole:{test}:stream"
    with server.client() as client:
        async with reading(server, stream, block=0.2) as reader:
            client.xadd(stream, {"body": "first"})
            (first,) = await reader.read()
            assert first.fields == {b"body": b"first"}
            assert client.xlen(stream) == 1
            assert await reader.read() == []
            assert client.xlen(stream) == 0
        async with reading(server, stream) as reader:
            waiting = asyncio.create_task(reader.read())
            await until(lambda: waits(client))
            client.xadd(stream, {"body": "second"})
            (second,) = await waiting
            assert second.fields == {b"body": b"second"}
        client.delete(stream)


async def test_what_cannot_be_removed_is_not_given_twice(server: RedisServer) -> None:
    """While Redis takes no writes nothing is read; then it goes on where it was."""
    stream = "porthole:{test}:stuck"
    async with reading(server, stream) as reader:
        with server.client() as client:
            for body in ("first", "second"):
                client.xadd(stream, {"body": body})
            (first,) = await reader.read(most=1)
            client.config_set("min-replicas-to-write", 1)
            with pytest.raises(StoreUnavailableError, match="replicas"):
                await reader.read(most=1)
            client.config_set("min-replicas-to-write", 0)
            (second,) = await reader.read(most=1)
            assert [first.fields[b"body"], second.fields[b"body"]] == [b"first", b"second"]
            client.delete(stream)


async def test_a_reader_may_be_cancelled(server: RedisServer) -> None:
    """Its connection is not used again, so the next reply is the next call's."""
    stream = "porthole:{test}:mine"
    async with reading(server, stream) as reader:
        with server.client() as client:
            for _ in range(3):
                waiting = asyncio.create_task(reader.read())
                await until(lambda: waits(client))
                waiting.cancel()
                await asyncio.gather(waiting, return_exceptions=True)
                await until(lambda: not waits(client))
            client.xadd(stream, {"body": "mine"})
            (entry,) = await reader.read()
            assert entry.fields == {b"body": b"mine"}
            client.delete(stream)


def test_every_script_says_what_it_is() -> None:
    """Keys, arguments, and no key but those declared."""
    folder = Path(keys.__file__).parent / "scripts"
    for path in folder.glob("*.lua"):
        text = path.read_text()
        assert "-- KEYS " in text
        assert "-- ARGV nonce" in text
        assert "'porthole" not in text
        assert Script(path).by_hash(("key",), ("nonce",))[2:] == (1, "key", "nonce")
