"""How a store gets to Redis: replicas, Sentinels, passwords, TLS; and which Redis will do."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from rendezvous.program.errors import SettingsError, UnavailableError
from rendezvous.stores.contract import Claimant, Store, StoreUnavailableError
from rendezvous.stores.redis import keys
from rendezvous.stores.redis.address import parse
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
from tests.support.waiting import until

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


async def test_a_claim_is_granted_when_a_replica_has_it() -> None:
    """Not while it is silent; what needs no copy goes on."""
    with running_redis() as primary, running_replica(primary) as replica:
        async with opened(primary.url, replicas=1) as store:
            epoch = await epoch_of(store)
            with replica.client() as client:
                assert client.hget(keys.of_room(ROOM).lease, "epoch") == str(epoch)
            replica.pause()
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


async def test_the_next_primary_is_found_through_sentinels() -> None:
    """Names and epochs are there, and nobody has to be told."""
    with (
        running_redis() as primary,
        running_replica(primary),
        running_sentinel(primary, down_after=0.3) as url,
    ):
        async with opened(url, replicas=1) as store:
            first = await epoch_of(store)
            primary.stop()
            assert not await answers(store)
            await until(lambda: answers(store))
            binding = await store.look_up(ROOM)
            assert binding is not None
            assert binding.epoch == first


# ── the way there ────────────────────────────────────────────────────────────────────────────


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
        store = RedisStore(parse(url, password="s3cret", ca=certificate), on_confusion=unexpected)
        await store.start()
        assert await epoch_of(store)
        await store.stop()
        for address in (
            parse(url, password="s3cret"),
            parse(url, password="wrong", ca=certificate),
        ):
            with pytest.raises(UnavailableError) as caught:
                await RedisStore(address, on_confusion=unexpected).start()
            assert caught.value.code == "redis_unavailable"
            assert "s3cret" not in str(caught.value)


async def test_nobody_there() -> None:
    """A sentence with the cure, and no password in it."""
    address = parse(f"redis://me:s3cret@127.0.0.1:{free_port()}")
    with pytest.raises(UnavailableError) as caught:
        await RedisStore(address, on_confusion=unexpected).start()
    assert caught.value.code == "redis_unavailable"
    assert "s3cret" not in f"{caught.value} {address!r}"


async def test_a_redis_that_evicts_is_refused() -> None:
    """It would forget who owns a room."""
    with running_redis("--maxmemory-policy", "allkeys-lru") as server:
        store = RedisStore(parse(server.url), on_confusion=unexpected)
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
    with running_redis("--replicaof", "127.0.0.1 1") as replica:
        store = RedisStore(parse(replica.url), on_confusion=unexpected)
        with pytest.raises(SettingsError, match="replica"):
            await store.start()


# ── streams ──────────────────────────────────────────────────────────────────────────────────


async def test_a_stream_is_emptied_as_it_is_read(server: RedisServer) -> None:
    """What is there at once, what comes later when it comes, and nothing after a while."""
    stream = "porthole:{test}:stream"
    reader = StreamReader(parse(server.url), stream, block=0.2)
    with server.client() as client:
        client.xadd(stream, {"body": "first"})
        (first,) = await reader.read()
        assert first.fields == {b"body": b"first"}
        assert client.xlen(stream) == 1
        assert await reader.read() == []
        assert client.xlen(stream) == 0
        waiting = asyncio.create_task(reader.read())
        await until(lambda: "cmd=xread" in str(client.execute_command("CLIENT", "LIST")))
        client.xadd(stream, {"body": "second"})
        (second,) = await waiting
        assert second.fields == {b"body": b"second"}
        client.delete(stream)
    await reader.close()


async def test_what_cannot_be_removed_is_not_given_twice(server: RedisServer) -> None:
    """While Redis takes no writes nothing is read; then it goes on where it was."""
    stream = "porthole:{test}:stuck"
    reader = StreamReader(parse(server.url), stream, block=0.2)
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
    await reader.close()


async def test_a_reader_may_be_cancelled(server: RedisServer) -> None:
    """Its connection is not used again, so the next reply is the next call's."""
    stream = "porthole:{test}:mine"
    reader = StreamReader(parse(server.url), stream, block=5.0)
    with server.client() as client:
        for _ in range(3):
            waiting = asyncio.create_task(reader.read())
            await until(lambda: "cmd=xread" in str(client.execute_command("CLIENT", "LIST")))
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
        client.xadd(stream, {"body": "mine"})
        (entry,) = await reader.read()
        assert entry.fields == {b"body": b"mine"}
        client.delete(stream)
    await reader.close()


def test_every_script_says_what_it_is() -> None:
    """Keys, arguments, and no key but those declared."""
    folder = Path(keys.__file__).parent / "scripts"
    for path in folder.glob("*.lua"):
        text = path.read_text()
        assert "-- KEYS " in text
        assert "-- ARGV nonce" in text
        assert "'porthole" not in text
        assert Script(path).by_hash(("key",), ("nonce",))[2:] == (1, "key", "nonce")
