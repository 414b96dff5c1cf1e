"""What every store promises; see rendezvous/stores/contract.py."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from rendezvous.program.errors import UnavailableError
from rendezvous.stores.contract import (
    RETENTION,
    RoomTakenError,
    Store,
    StoreUnavailableError,
    TooManyRoomsError,
)
from rendezvous.stores.embedded import EmbeddedStore
from rendezvous.wire.identity import Owner, RoomId

ONE_LOOP = True

ROOM, OTHER_ROOM = RoomId("MyRoom"), RoomId("Other")
ALICE, BOB = Owner("alice"), Owner("bob")
VERIFIER = "v" * 43


class Clock:
    """Seconds since 1970, turned by hand."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


MAKERS: dict[str, Callable[[Path, Clock], Store]] = {
    "memory": lambda _path, clock: EmbeddedStore(None, clock=clock, rooms_per_owner=3),
    "file": lambda path, clock: EmbeddedStore(
        path / "state" / "rooms.sqlite", clock=clock, rooms_per_owner=3
    ),
}


@pytest_asyncio.fixture(params=sorted(MAKERS))
async def store(
    request: pytest.FixtureRequest, tmp_path: Path, clock: Clock
) -> AsyncIterator[Store]:
    made = MAKERS[request.param](tmp_path, clock)
    await made.start()
    yield made
    await made.stop()


async def test_an_unclaimed_room_is_unknown(store: Store) -> None:
    """None, not an error."""
    assert await store.look_up(ROOM) is None


async def test_a_claim_binds_the_room(store: Store) -> None:
    """Owner, verifier and epoch are remembered; another owner is refused and changes nothing."""
    epoch = await store.claim(ROOM, ALICE, VERIFIER)
    with pytest.raises(RoomTakenError):
        await store.claim(ROOM, BOB, None)
    binding = await store.look_up(ROOM)
    assert binding is not None
    assert (binding.owner, binding.verifier, binding.epoch) == (ALICE, VERIFIER, epoch)


async def test_room_ids_differ_in_case(store: Store) -> None:
    """So "myroom" is not "MyRoom"."""
    await store.claim(ROOM, ALICE, VERIFIER)
    await store.claim(RoomId("myroom"), BOB, VERIFIER)


async def test_the_owner_may_change_the_verifier(store: Store) -> None:
    """Also to a public room."""
    await store.claim(ROOM, ALICE, VERIFIER)
    await store.claim(ROOM, ALICE, None)
    binding = await store.look_up(ROOM)
    assert binding is not None
    assert binding.verifier is None


async def test_epochs_only_grow(store: Store, clock: Clock) -> None:
    """Also when the clock stands still or goes back, and after a release."""
    epochs = []
    for step in (0.0, 0.0, -3600.0, 10.0):
        clock.now += step
        epochs.append(await store.claim(ROOM, ALICE, VERIFIER))
        await store.release(ROOM, epochs[-1])
    assert epochs == sorted(set(epochs))
    assert epochs[-1] < 2**53


async def test_a_released_room_stays_its_owners(store: Store) -> None:
    """The camera is away, the name is not free."""
    await store.release(ROOM, await store.claim(ROOM, ALICE, VERIFIER))
    with pytest.raises(RoomTakenError):
        await store.claim(ROOM, BOB, VERIFIER)


async def test_a_name_is_free_thirty_days_after_it_was_last_seen(
    store: Store, clock: Clock
) -> None:
    """Not earlier; being renewed or released is being seen. The epoch still grows."""
    epoch = await store.claim(ROOM, ALICE, VERIFIER)
    clock.now += RETENTION - 1
    await store.renew([ROOM])
    clock.now += RETENTION - 1
    await store.release(ROOM, epoch - 1)
    assert await store.look_up(ROOM) is not None
    await store.release(ROOM, epoch)
    clock.now += RETENTION + 1
    assert await store.look_up(ROOM) is None
    await store.renew([OTHER_ROOM])
    assert await store.claim(ROOM, BOB, VERIFIER) > epoch


async def test_many_rivals_at_once_have_one_winner(store: Store) -> None:
    """Whoever it is, all the others are refused."""
    owners = [Owner(f"owner {number}") for number in range(30)]
    results = await asyncio.gather(
        *(store.claim(ROOM, owner, VERIFIER) for owner in owners), return_exceptions=True
    )
    assert sum(isinstance(result, int) for result in results) == 1
    assert sum(isinstance(result, RoomTakenError) for result in results) == 29


async def test_an_owner_has_a_bounded_number_of_rooms(store: Store, clock: Clock) -> None:
    """Its own it may always claim again; those that nobody has seen for long do not count."""
    rooms = [RoomId(f"room-{number}") for number in range(4)]
    for room in rooms[:3]:
        await store.claim(room, ALICE, VERIFIER)
    with pytest.raises(TooManyRoomsError, match="3 rooms"):
        await store.claim(rooms[3], ALICE, VERIFIER)
    await store.claim(rooms[0], ALICE, VERIFIER)
    await store.claim(rooms[3], BOB, VERIFIER)
    clock.now += RETENTION + 1
    await store.claim(OTHER_ROOM, ALICE, VERIFIER)


async def test_a_stopped_store_says_so(store: Store) -> None:
    """And may be stopped again."""
    await store.stop()
    await store.stop()
    with pytest.raises(StoreUnavailableError):
        await store.look_up(ROOM)


# ── the embedded store's file ────────────────────────────────────────────────────────────────


async def test_names_and_epochs_survive_a_restart(tmp_path: Path, clock: Clock) -> None:
    """Even with a clock that went back."""
    path = tmp_path / "rooms.sqlite"
    store = EmbeddedStore(path, clock=clock)
    await store.start()
    epoch = await store.claim(ROOM, ALICE, VERIFIER)
    await store.stop()
    clock.now -= 86_400
    store = EmbeddedStore(path, clock=clock)
    await store.start()
    with pytest.raises(RoomTakenError):
        await store.claim(ROOM, BOB, VERIFIER)
    assert await store.claim(ROOM, ALICE, VERIFIER) > epoch
    await store.stop()


async def test_two_processes_never_share_a_file(tmp_path: Path) -> None:
    """The second is told; when the first stops it may have it."""
    path = tmp_path / "rooms.sqlite"
    first, second = EmbeddedStore(path), EmbeddedStore(path)
    await first.start()
    with pytest.raises(UnavailableError) as caught:
        await second.start()
    assert caught.value.code == "state_in_use"
    await first.stop()
    await second.start()
    await second.stop()


async def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    """With the cure, and without harming the file."""
    path = tmp_path / "rooms.sqlite"
    path.write_text("This is a diary, not a database. " * 100)
    with pytest.raises(UnavailableError) as caught:
        await EmbeddedStore(path).start()
    assert caught.value.code == "state_unusable"
    assert str(path) in str(caught.value)
    assert path.read_text().startswith("This is a diary")


async def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """A file is in the way."""
    (tmp_path / "file").touch()
    with pytest.raises(UnavailableError):
        await EmbeddedStore(tmp_path / "file" / "rooms.sqlite").start()


async def test_a_file_of_a_later_version_is_left_alone(tmp_path: Path) -> None:
    """Better no start than a wrong one."""
    path = tmp_path / "rooms.sqlite"
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(UnavailableError, match="another version"):
        await EmbeddedStore(path).start()


async def test_a_database_that_fails_is_unavailable(tmp_path: Path) -> None:
    """SQLite's own errors never leave the store."""
    path = tmp_path / "rooms.sqlite"
    store = EmbeddedStore(path)
    await store.start()
    rival = sqlite3.connect(path)
    rival.execute("DROP TABLE room")
    rival.close()
    with pytest.raises(StoreUnavailableError):
        await store.look_up(ROOM)
    await store.stop()
