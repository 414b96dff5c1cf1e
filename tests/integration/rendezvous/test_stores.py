"""What every store promises; see rendezvous/stores/contract.py."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager

import pytest
import pytest_asyncio

from rendezvous.stores.contract import (
    Claimant,
    Claimed,
    Holder,
    Lease,
    Place,
    RoomTakenError,
    Store,
    StoreUnavailableError,
    TooManyRoomsError,
)
from rendezvous.wire.identity import ConnectionId, NodeId, Owner, RoomId
from tests.support.redis import RedisServer, running_redis, running_shard
from tests.support.stores import (
    MOMENT,
    RETENTION,
    ROOMS,
    TTL,
    StoreUnderTest,
    embedded,
    in_redis,
)

ONE_LOOP = True

ROOM, OTHER_ROOM = RoomId("MyRoom"), RoomId("Other")
ALICE, BOB = Owner("alice"), Owner("bob")
HERE, THERE = NodeId("here"), NodeId("there")
VERIFIER = "v" * 43


def by(owner: Owner = ALICE, node: NodeId = HERE, connection: str = "camera") -> Claimant:
    """Somebody who claims."""
    return Claimant(owner, node, ConnectionId(connection))


def place(viewer: str, room: RoomId = ROOM) -> Place:
    """A viewer's."""
    return Place(room, ConnectionId(viewer))


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with running_redis() as running:
        yield running


@pytest.fixture(scope="module")
def shard() -> Iterator[RedisServer]:
    with running_shard() as running:
        yield running


MAKERS: dict[str, Callable[[pytest.FixtureRequest], AbstractAsyncContextManager[StoreUnderTest]]]
MAKERS = {
    "memory": lambda _request: embedded(None),
    "file": lambda request: embedded(
        request.getfixturevalue("tmp_path") / "state" / "rooms.sqlite"
    ),
    "redis": lambda request: in_redis(request.getfixturevalue("server")),
    "cluster": lambda request: in_redis(request.getfixturevalue("shard")),
}


@pytest_asyncio.fixture(params=sorted(MAKERS))
async def tested(request: pytest.FixtureRequest) -> AsyncIterator[StoreUnderTest]:
    async with MAKERS[request.param](request) as made:
        yield made


@pytest.fixture
def store(tested: StoreUnderTest) -> Store:
    return tested.store


# ── names ────────────────────────────────────────────────────────────────────────────────────


async def test_an_unclaimed_room_is_unknown(store: Store) -> None:
    """None, not an error."""
    assert await store.look_up(ROOM) is None


async def test_a_claim_binds_the_room(store: Store) -> None:
    """Owner, verifier, epoch and holder are known; another owner is refused, changing nothing."""
    claimed = await store.claim(ROOM, by(ALICE), VERIFIER)
    with pytest.raises(RoomTakenError):
        await store.claim(ROOM, by(BOB, THERE), None)
    binding = await store.look_up(ROOM)
    assert binding is not None
    assert (binding.room, binding.owner, binding.verifier) == (ROOM, ALICE, VERIFIER)
    assert binding.epoch == claimed.epoch
    assert binding.holder == Holder(HERE, ConnectionId("camera"), claimed.epoch)
    assert claimed == Claimed(claimed.epoch, TTL)


async def test_room_ids_differ_in_case(store: Store) -> None:
    """So "myroom" is not "MyRoom"."""
    await store.claim(ROOM, by(ALICE), VERIFIER)
    await store.claim(RoomId("myroom"), by(BOB), VERIFIER)


async def test_the_owner_may_change_the_verifier(store: Store) -> None:
    """Also to a public room, and with the connection that it has."""
    first = await store.claim(ROOM, by(ALICE), VERIFIER)
    second = await store.claim(ROOM, by(ALICE), None)
    binding = await store.look_up(ROOM)
    assert binding is not None
    assert binding.verifier is None
    assert first.epoch == second.epoch == binding.epoch


async def test_a_released_room_stays_its_owners(store: Store) -> None:
    """The camera is away, the name is not free."""
    epoch = (await store.claim(ROOM, by(ALICE), VERIFIER)).epoch
    await store.release(Lease(ROOM, epoch))
    binding = await store.look_up(ROOM)
    assert binding is not None
    assert (binding.holder, binding.epoch) == (None, epoch)
    with pytest.raises(RoomTakenError):
        await store.claim(ROOM, by(BOB), VERIFIER)


async def test_a_name_is_free_when_it_was_not_seen_for_long(tested: StoreUnderTest) -> None:
    """Not earlier. The epoch still grows."""
    store = tested.store
    epoch = (await store.claim(ROOM, by(ALICE), VERIFIER)).epoch
    await tested.advance(RETENTION - MOMENT)
    assert await store.look_up(ROOM) is not None
    await tested.advance(2 * MOMENT)
    assert await store.look_up(ROOM) is None
    await store.renew([])
    assert (await store.claim(ROOM, by(BOB), VERIFIER)).epoch > epoch


@pytest.mark.parametrize("seen", ["renewed", "claimed", "released"])
async def test_what_counts_as_seen(tested: StoreUnderTest, seen: str) -> None:
    """A camera that is there for a month does not lose its name."""
    store = tested.store
    lease = Lease(ROOM, (await store.claim(ROOM, by(ALICE), VERIFIER)).epoch)
    for _ in range(10):
        await tested.advance(TTL - MOMENT)
        assert await store.renew([lease]) == frozenset()
    if seen == "claimed":
        await store.claim(ROOM, by(ALICE), VERIFIER)
    elif seen == "released":
        await store.release(lease)
    await tested.advance(RETENTION - 5 * TTL)
    assert await store.look_up(ROOM) is not None


async def test_many_rivals_at_once_have_one_winner(store: Store) -> None:
    """Whoever it is, all the others are refused."""
    rivals = [by(Owner(f"owner {number}"), connection=f"c{number}") for number in range(30)]
    results = await asyncio.gather(
        *(store.claim(ROOM, rival, VERIFIER) for rival in rivals), return_exceptions=True
    )
    assert sum(isinstance(result, Claimed) for result in results) == 1
    assert sum(isinstance(result, RoomTakenError) for result in results) == 29


async def test_an_owner_has_a_bounded_number_of_rooms(tested: StoreUnderTest) -> None:
    """Its own it may always claim again; those that nobody has seen for long do not count."""
    store = tested.store
    rooms = [RoomId(f"room-{number}") for number in range(ROOMS + 1)]
    for room in rooms[:-1]:
        await store.claim(room, by(ALICE), VERIFIER)
    with pytest.raises(TooManyRoomsError, match=f"{ROOMS} rooms"):
        await store.claim(rooms[-1], by(ALICE), VERIFIER)
    assert await store.look_up(rooms[-1]) is None
    await store.claim(rooms[0], by(ALICE), VERIFIER)
    await store.claim(rooms[-1], by(BOB), VERIFIER)
    await tested.advance(1.1 * RETENTION)  # Redis counts a name for a while after it is free
    await store.claim(OTHER_ROOM, by(ALICE), VERIFIER)


async def test_an_owner_asks_for_many_rooms_at_once(store: Store) -> None:
    """It gets as many as it may have, and not one more."""
    rooms = [RoomId(f"room-{number}") for number in range(3 * ROOMS)]
    results = await asyncio.gather(
        *(store.claim(room, by(connection=room), None) for room in rooms), return_exceptions=True
    )
    assert sum(isinstance(result, Claimed) for result in results) == ROOMS
    assert sum(isinstance(result, TooManyRoomsError) for result in results) == 2 * ROOMS


async def test_a_room_that_was_refused_is_not_counted(store: Store) -> None:
    """Whoever asks for many names of others can still have names of its own."""
    others = [RoomId(f"other-{number}") for number in range(ROOMS)]
    for room in others:
        await store.claim(room, by(BOB), VERIFIER)
    for room in others:
        with pytest.raises(RoomTakenError):
            await store.claim(room, by(ALICE), VERIFIER)
    for number in range(ROOMS):
        await store.claim(RoomId(f"own-{number}"), by(ALICE), VERIFIER)


# ── leases ───────────────────────────────────────────────────────────────────────────────────


async def test_epochs_only_grow(store: Store) -> None:
    """Also after a release."""
    epochs = []
    for number in range(4):
        claimed = await store.claim(ROOM, by(connection=f"c{number}"), VERIFIER)
        epochs.append(claimed.epoch)
        await store.release(Lease(ROOM, claimed.epoch - number % 2))
    assert epochs == sorted(set(epochs))
    assert epochs[-1] < 2**53


async def test_the_same_owner_takes_over_at_once(store: Store) -> None:
    """With a higher epoch, and learns whom to tell; the earlier lease is lost."""
    first = await store.claim(ROOM, by(node=HERE, connection="old"), VERIFIER)
    second = await store.claim(ROOM, by(node=THERE, connection="new"), VERIFIER)
    assert second.epoch > first.epoch
    assert second.previous == Holder(HERE, ConnectionId("old"), first.epoch)
    lost = Lease(ROOM, first.epoch)
    assert await store.renew([lost, Lease(ROOM, second.epoch)]) == {lost}


async def test_the_same_connection_may_ask_again(store: Store) -> None:
    """Its first answer may have been lost: everything that was in it is said again."""
    await store.claim(ROOM, by(connection="old"), VERIFIER)
    first = await store.claim(ROOM, by(connection="new"), VERIFIER)
    assert await store.claim(ROOM, by(connection="new"), VERIFIER) == first
    assert first.previous is not None


async def test_the_same_connection_of_another_node_is_another(store: Store) -> None:
    """Names of connections are compared within a node only."""
    first = await store.claim(ROOM, by(node=HERE), VERIFIER)
    second = await store.claim(ROOM, by(node=THERE), VERIFIER)
    assert second.epoch > first.epoch
    assert second.previous is not None


async def test_an_epoch_is_above_what_the_claimant_has_seen(store: Store) -> None:
    """A store that has lost its data, and whose clock is behind, is told by those who have not."""
    seen = (await store.claim(ROOM, by(), VERIFIER)).epoch + 10**12
    again = Claimant(ALICE, HERE, ConnectionId("another"), seen)
    assert (await store.claim(ROOM, again, VERIFIER)).epoch > seen


async def test_an_older_epoch_releases_nothing(store: Store) -> None:
    """The later camera keeps its lease."""
    first = await store.claim(ROOM, by(connection="old"), VERIFIER)
    second = await store.claim(ROOM, by(connection="new"), VERIFIER)
    await store.release(Lease(ROOM, first.epoch))
    assert await store.renew([Lease(ROOM, second.epoch)]) == frozenset()


async def test_a_lease_that_nobody_renews_is_over(tested: StoreUnderTest) -> None:
    """And cannot be brought back but by a claim, which takes it from nobody."""
    store = tested.store
    lease = Lease(ROOM, (await store.claim(ROOM, by(), VERIFIER)).epoch)
    await tested.advance(TTL - MOMENT)
    assert await store.renew([lease]) == frozenset()
    await tested.advance(TTL - MOMENT)
    binding = await store.look_up(ROOM)
    assert binding is not None
    assert binding.holder is not None
    await tested.advance(2 * MOMENT)
    binding = await store.look_up(ROOM)
    assert binding is not None
    assert binding.holder is None
    assert await store.renew([lease]) == {lease}
    claimed = await store.claim(ROOM, by(), VERIFIER)
    assert claimed.epoch > lease.epoch
    assert claimed.previous is None


async def test_a_lease_of_an_unknown_room_is_lost(store: Store) -> None:
    """And made up by nobody."""
    lease = Lease(ROOM, 1)
    await store.release(lease)
    assert await store.renew([lease]) == {lease}
    assert await store.look_up(ROOM) is None


async def test_many_leases_are_renewed_at_once(store: Store) -> None:
    """Each is answered for itself."""
    leases = [
        Lease(room, (await store.claim(room, by(Owner(room)), None)).epoch)
        for room in (RoomId(f"r{number}") for number in range(40))
    ]
    gone = frozenset(leases[::7])
    for lease in gone:
        await store.release(lease)
    assert await store.renew(leases) == gone


# ── watching ─────────────────────────────────────────────────────────────────────────────────


async def test_a_claim_names_the_nodes_that_watch(tested: StoreUnderTest) -> None:
    """Until their watch is over; an unknown room is not watched."""
    store = tested.store
    assert await store.watch([ROOM], THERE) == {}
    claimed = await store.claim(ROOM, by(), VERIFIER)
    assert claimed.watchers == frozenset()
    found = await store.watch([ROOM, OTHER_ROOM], THERE)
    assert found == {ROOM: await store.look_up(ROOM)}
    await store.watch([ROOM], HERE)
    assert (await store.claim(ROOM, by(connection="2"), VERIFIER)).watchers == {HERE, THERE}
    await tested.advance(TTL - MOMENT)
    await store.watch([ROOM], THERE)
    await tested.advance(2 * MOMENT)
    assert (await store.claim(ROOM, by(connection="3"), VERIFIER)).watchers == {THERE}


# ── places ───────────────────────────────────────────────────────────────────────────────────


async def test_places_are_bounded(store: Store) -> None:
    """Also when all come at once; one that is given back is free; rooms do not share."""
    taken = await asyncio.gather(*(store.take_place(place(f"v{n}"), 3) for n in range(10)))
    assert sum(taken) == 3
    winner = taken.index(True)
    assert await store.take_place(place(f"v{winner}"), 3)
    assert not await store.take_place(place("late"), 3)
    assert await store.take_place(place("late", OTHER_ROOM), 3)
    await store.give_place(place(f"v{winner}"))
    await store.give_place(place(f"v{winner}"))
    assert await store.take_place(place("late"), 3)


async def test_a_place_that_nobody_keeps_is_free(tested: StoreUnderTest) -> None:
    """The viewers of a dead node do not fill a room for ever."""
    store = tested.store
    for viewer in ("kept", "left"):
        assert await store.take_place(place(viewer), 2)
    await tested.advance(TTL - MOMENT)
    await store.keep_places([place("kept")])
    assert not await store.take_place(place("third"), 2)
    await tested.advance(2 * MOMENT)
    assert await store.take_place(place("third"), 2)
    assert not await store.take_place(place("left"), 2)


async def test_a_place_that_was_lost_is_kept_nevertheless(tested: StoreUnderTest) -> None:
    """The viewer is there, whatever the store forgot; others wait until there is room again."""
    store = tested.store
    await store.take_place(place("one"), 1)
    await tested.advance(TTL + MOMENT)
    assert await store.take_place(place("two"), 1)
    await store.keep_places([place("one"), place("two")])
    await store.give_place(place("two"))
    assert not await store.take_place(place("three"), 1)


# ── nodes ────────────────────────────────────────────────────────────────────────────────────


async def test_a_node_lives_as_long_as_its_heart_beats(tested: StoreUnderTest) -> None:
    """Nobody was ever heard of who was not."""
    store = tested.store
    assert await store.alive([]) == frozenset()
    await store.beat(HERE)
    await tested.advance(TTL - MOMENT)
    await store.beat(THERE)
    assert await store.alive([HERE, THERE, NodeId("nowhere")]) == {HERE, THERE}
    await tested.advance(2 * MOMENT)
    assert await store.alive([HERE, THERE]) == {THERE}


async def test_a_stopped_store_says_so(store: Store) -> None:
    """And may be stopped again."""
    await store.stop()
    await store.stop()
    for asked in (
        store.look_up(ROOM),
        store.claim(ROOM, by(), None),
        store.renew([Lease(ROOM, 1)]),
        store.release(Lease(ROOM, 1)),
        store.watch([ROOM], HERE),
        store.take_place(place("viewer"), 1),
        store.keep_places([place("viewer")]),
        store.give_place(place("viewer")),
        store.beat(HERE),
        store.alive([HERE]),
    ):
        with pytest.raises(StoreUnavailableError):
            await asked
