"""What only Redis can do to a store: go away, forget, be slow, be mistaken, be confused."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
import redis

from rendezvous.program.errors import ProgramError
from rendezvous.stores.contract import (
    Binding,
    Claimant,
    Claimed,
    Lease,
    Place,
    RoomTakenError,
    Store,
    StoreUnavailableError,
    TooManyRoomsError,
)
from rendezvous.stores.redis import keys
from rendezvous.stores.redis.address import parse
from rendezvous.stores.redis.enrolment import Enrolments
from rendezvous.stores.redis.link import RedisLink
from rendezvous.wire.identity import ConnectionId, NodeId, Owner, RoomId
from tests.support.redis import (
    RedisServer,
    running_redis,
)
from tests.support.redis_middleman import cut_once, late, middleman, swapped
from tests.support.stores import (
    MOMENT,
    RETENTION,
    ROOMS,
    TTL,
    age,
    answers,
    in_redis,
    opened,
    unexpected,
)
from tests.support.waiting import PATIENCE, until

ONE_LOOP = True

ROOM = RoomId("MyRoom")
HERE = NodeId("here")
ALICE = Claimant(Owner("alice"), HERE, ConnectionId("camera"))
FAR = 9_000_000_000_000_000  # an epoch: microseconds in the year 2255


@pytest.fixture(scope="module")
def started() -> Iterator[RedisServer]:
    with running_redis() as running:
        yield running


@pytest.fixture
def server(started: RedisServer) -> RedisServer:
    """Empty: which test was here before, differs from run to run."""
    with started.client() as client:
        client.flushall()
    return started


@pytest_asyncio.fixture
async def store(server: RedisServer) -> AsyncIterator[Store]:
    async with in_redis(server) as made:
        yield made.store


async def epoch_of(store: Store, connection: str = "camera") -> int:
    """A claim's."""
    claimant = Claimant(Owner("alice"), HERE, ConnectionId(connection))
    return (await store.claim(ROOM, claimant, None)).epoch


def enrolled(client: redis.Redis) -> bool:
    """Whether the owner's list has its rooms for good; a claim's caller does not wait for that."""
    return client.pttl(keys.of_owner(ALICE.owner)) > RETENTION * 1000


# ── rivals ───────────────────────────────────────────────────────────────────────────────────


async def test_many_rivals_of_many_nodes(server: RedisServer, store: Store) -> None:
    """300 rooms, four keys each, two nodes: one owner a room, and no epoch is given twice."""
    del store  # which emptied the server
    async with opened(server.url) as one, opened(server.url) as other:
        claims, results = [], []
        chance = random.Random(1)
        for first in range(0, 300, 50):  # no more at once than a busy machine does in a second
            some = [
                (RoomId(f"room-{n}"), Claimant(Owner(f"{n}.{key}"), HERE, ConnectionId(f"{c}")))
                for n in range(first, first + 50)
                for key in range(4)
                for c in range(2)
            ]
            chance.shuffle(some)
            claims += some
            results += await asyncio.gather(
                *(chance.choice((one, other)).claim(room, who, None) for room, who in some),
                return_exceptions=True,
            )
        winners: dict[RoomId, set[Owner]] = {}
        for (room, who), result in zip(claims, results, strict=True):
            if isinstance(result, Claimed):
                winners.setdefault(room, set()).add(who.owner)
            else:
                assert isinstance(result, RoomTakenError)
        assert [len(owners) for owners in winners.values()] == [1] * 300
        granted = [
            (c[0], r.epoch) for c, r in zip(claims, results, strict=True) if isinstance(r, Claimed)
        ]
        assert len(set(granted)) == len(granted) == 600


async def test_cancelled_callers_leave_no_reply_to_others(store: Store) -> None:
    """Everybody gets the answer to their own question, whoever gave up before."""
    rooms = [RoomId(f"room-{number}") for number in range(20)]
    for room in rooms:
        await store.claim(room, Claimant(Owner(room), HERE, ConnectionId(room)), None)
    chance = random.Random(2)

    async def ask(room: RoomId) -> tuple[RoomId, Binding | None]:
        return room, await store.look_up(room)

    for _ in range(30):
        tasks = [asyncio.create_task(ask(chance.choice(rooms))) for _ in range(20)]
        for _ in range(chance.randrange(8)):
            await asyncio.sleep(0)
        for task in chance.sample(tasks, 10):
            task.cancel()
        for found in await asyncio.gather(*tasks, return_exceptions=True):
            if not isinstance(found, asyncio.CancelledError):
                assert isinstance(found, tuple)
                room, binding = found
                assert binding is not None
                assert (binding.room, binding.owner) == (room, Owner(room))


async def test_a_claim_whose_answer_was_lost_is_asked_for_again(
    server: RedisServer, store: Store
) -> None:
    """By the link, once; it is the same claim, so it has one epoch and supersedes as before."""
    first = await epoch_of(store, "old")
    async with middleman(server.port) as (man, url), opened(url) as other:
        await other.look_up(ROOM)
        with server.client() as client:
            await until(lambda: enrolled(client))  # nobody else asks for anything from here on
            client.config_resetstat()
        man.tampering = cut_once()
        claimed = await other.claim(ROOM, ALICE, None)
    assert claimed.previous is not None
    assert claimed.previous.epoch == first
    with server.client() as client:
        assert client.info("commandstats")["cmdstat_evalsha"]["calls"] == 2
    assert await epoch_of(store, "camera") == claimed.epoch


async def test_it_stops_at_any_moment(server: RedisServer) -> None:
    """Redis's client swallows a cancellation now and then; nobody waits for it for ever."""
    chance = random.Random(3)
    for _ in range(50):
        async with asyncio.timeout(PATIENCE), opened(server.url) as store:
            asked = [asyncio.create_task(store.look_up(ROOM)) for _ in range(3)]
            for _ in range(chance.randrange(40)):
                await asyncio.sleep(0)
        answers = await asyncio.gather(*asked, return_exceptions=True)
        assert all(a is None or isinstance(a, StoreUnavailableError | Binding) for a in answers)


# ── Redis goes away ──────────────────────────────────────────────────────────────────────────


async def test_killed_and_back() -> None:
    """Refused at once while it is away, never decided here; it is used again without help."""
    with running_redis() as server:
        async with opened(server.url) as store:
            first = await epoch_of(store)
            server.stop()
            for asked in (epoch_of(store), store.look_up(ROOM), store.renew([Lease(ROOM, first)])):
                with pytest.raises(StoreUnavailableError):
                    await asked
            server.start()
            assert await store.look_up(ROOM) is None
            assert await epoch_of(store) > first


async def test_paused_and_back() -> None:
    """Nobody waits for longer than the deadline, however many wait; then all is as before."""
    with running_redis() as server:
        async with opened(server.url) as patient, opened(server.url, deadline=1.0) as store:
            first = await epoch_of(patient)
            await until(lambda: answers(store))
            server.pause()
            async with asyncio.timeout(PATIENCE):  # one after the other would take minutes
                results = await asyncio.gather(
                    *(store.look_up(ROOM) for _ in range(500)), return_exceptions=True
                )
            assert all(isinstance(result, StoreUnavailableError) for result in results)
            server.resume()
            await until(lambda: answers(store))
            assert await patient.renew([Lease(ROOM, first)]) == frozenset()


async def test_a_line_that_is_too_long_is_refused() -> None:
    """Memory is bounded while Redis stands still."""
    with running_redis() as server:
        async with opened(server.url, deadline=1.0) as store:
            await until(lambda: answers(store))
            server.pause()
            results = await asyncio.gather(
                *(store.look_up(ROOM) for _ in range(11_000)), return_exceptions=True
            )
            refused = [r for r in results if "calls wait" in str(r)]
            assert 800 <= len(refused) <= 1_000
            server.resume()


async def test_what_does_not_fit_into_the_line_is_not_begun() -> None:
    """A run of calls is refused as one: none of them is left in line without its caller."""
    with running_redis() as server:
        async with opened(server.url) as store:
            await store.look_up(ROOM)
            server.pause()
            asked = [asyncio.create_task(store.look_up(ROOM)) for _ in range(9_900)]
            await asyncio.sleep(0)
            with pytest.raises(StoreUnavailableError, match="9900 calls wait"):
                await store.watch([RoomId(f"room-{n}") for n in range(200)], HERE)
            assert store._link._calls.qsize() == 9_900
            for task in asked:
                task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)
            server.resume()


async def test_scripts_that_were_forgotten_are_sent_again(
    server: RedisServer, store: Store
) -> None:
    """After a restart, a failover, or SCRIPT FLUSH; also many at a time."""
    await store.claim(ROOM, ALICE, None)
    with server.client() as client:
        client.script_flush()
    found = await asyncio.gather(*(store.look_up(ROOM) for _ in range(20)))
    assert all(binding is not None and binding.room == ROOM for binding in found)


# ── Redis forgets ────────────────────────────────────────────────────────────────────────────


async def test_epochs_grow_after_all_data_was_lost(server: RedisServer, store: Store) -> None:
    """They are microseconds, of which some have passed."""
    first = await epoch_of(store)
    with server.client() as client:
        client.flushall()
    assert await store.renew([Lease(ROOM, first)]) == {Lease(ROOM, first)}
    assert await epoch_of(store) > first


async def test_epochs_grow_while_the_clock_is_behind(server: RedisServer, store: Store) -> None:
    """The newest is known to the room; and when that is lost, to the nodes. Steps are random."""
    await epoch_of(store)
    with server.client() as client:
        client.hset(keys.of_room(ROOM).name, "epoch", str(FAR))
    second = await epoch_of(store, "second")
    assert FAR < second <= FAR + 1_000
    with server.client() as client:
        client.flushall()
    assert second < await epoch_of(store, "third") <= second + 1_000


async def test_epochs_that_cannot_be_told_apart_are_not_given(
    server: RedisServer, store: Store
) -> None:
    """Beyond 2**53 a claim is refused."""
    await epoch_of(store)
    with server.client() as client:
        client.hset(keys.of_room(ROOM).name, "epoch", str(2**53 - 1))
    with pytest.raises(StoreUnavailableError, match="epochs"):
        await epoch_of(store, "second")


async def test_no_key_lives_for_ever(server: RedisServer, store: Store) -> None:
    """Each has a time to live, and when all are over nothing is left."""
    lease = Lease(ROOM, (await store.claim(ROOM, ALICE, "v" * 43)).epoch)
    await store.watch([ROOM], HERE)
    await store.take_place(Place(ROOM, ConnectionId("viewer")), 10)
    await store.keep_places([Place(ROOM, ConnectionId("another"))])
    await store.beat(HERE)
    await store.renew([lease])
    with server.client() as client:
        found = client.keys()
        assert isinstance(found, list)
        assert len(found) == 6
        assert all(0 < client.pttl(key) <= 1.1 * RETENTION * 1000 for key in found)
        age(server, 1.2 * RETENTION)
        assert client.dbsize() == 0


async def test_a_room_counts_for_as_long_as_its_camera_is_there(
    server: RedisServer, store: Store
) -> None:
    """Its owner's list is in another slot; a lease that is renewed renews that as well."""
    leases = []
    for number in range(ROOMS):
        room = RoomId(f"room-{number}")
        leases.append(Lease(room, (await store.claim(room, ALICE, None)).epoch))
    for _ in range(round(1.5 * RETENTION / TTL) + 1):
        age(server, TTL - MOMENT)
        assert await store.renew(leases) == frozenset()
    with pytest.raises(TooManyRoomsError):
        await store.claim(RoomId("one-more"), ALICE, None)


async def test_enrolling_costs_no_renewal(server: RedisServer, store: Store) -> None:
    """Once a day every room is due: it is done in few exchanges, and what fails is not missed."""
    rooms = [RoomId(f"room-{number}") for number in range(400)]
    owners = [Owner(f"owner-{number}") for number in range(400)]
    claims = (
        store.claim(room, Claimant(owner, HERE, ConnectionId(room)), None)
        for room, owner in zip(rooms, owners, strict=True)
    )
    leases = [
        Lease(room, claimed.epoch)
        for room, claimed in zip(rooms, await asyncio.gather(*claims), strict=True)
    ]
    with server.client() as client:
        for room, owner in zip(rooms, owners, strict=True):
            client.hset(keys.of_room(room).name, "enrolled", "0")
            client.set(keys.of_owner(owner), "of another kind")
        assert await store.renew(leases) == frozenset()
        for owner in owners:
            client.delete(keys.of_owner(owner))
        for room in rooms:
            client.hset(keys.of_room(room).name, "enrolled", "0")
        assert await store.renew(leases) == frozenset()
        await until(lambda: all(client.exists(keys.of_owner(owner)) for owner in owners))


def test_rooms_that_were_claimed_together_are_enrolled_one_after_the_other(
    server: RedisServer,
) -> None:
    """Over a quarter of a day; each room has a rhythm of its own, so they do not meet again."""
    enrolments = Enrolments(RedisLink(parse(server.url), on_confusion=unexpected), 30_000, 1)
    due = {enrolments.due_after(RoomId(f"room-{number}")) for number in range(10_000)}
    assert (min(due), max(due)) == (750, 1_000)
    assert len(due) == 251


async def test_an_owners_list_that_was_lost_takes_no_room_from_it(
    server: RedisServer, store: Store
) -> None:
    """What is bound is its owner's, though it has as many others as it may have."""
    lease = Lease(ROOM, (await store.claim(ROOM, ALICE, None)).epoch)
    with server.client() as client:
        await until(lambda: enrolled(client))
        client.delete(keys.of_owner(ALICE.owner))
        client.hset(keys.of_room(ROOM).name, "enrolled", "0")
    for number in range(ROOMS):
        await store.claim(RoomId(f"room-{number}"), ALICE, None)
    assert await store.renew([lease]) == frozenset()
    with pytest.raises(TooManyRoomsError, match=f"{ROOMS + 1} rooms"):
        await store.claim(RoomId("one-more"), ALICE, None)


# ── Redis is confused ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", ["late", "swapped"])
async def test_replies_that_were_swapped_end_everything(server: RedisServer, kind: str) -> None:
    """Nobody gets another's answer: all are refused, from then on, and the program is told."""
    failures: list[ProgramError] = []
    other = RoomId("Other")
    async with (
        middleman(server.port) as (man, url),
        opened(url, on_confusion=failures.append) as store,
    ):
        await store.claim(ROOM, ALICE, None)
        await store.claim(other, ALICE, None)
        man.tampering = late if kind == "late" else swapped
        results = await asyncio.gather(
            *(store.look_up(room) for room in (ROOM, other)), return_exceptions=True
        )
        assert all(isinstance(result, StoreUnavailableError) for result in results)
        assert [failure.code for failure in failures] == ["store_confused"]
        assert failures[0].exit_status == 76
        with pytest.raises(StoreUnavailableError, match="confused"):
            await store.look_up(ROOM)
