"""The embedded store's file: restarts, two processes, and what else can happen to a file."""

import asyncio
import contextlib
import sqlite3
from pathlib import Path

import pytest

from rendezvous.program.errors import UnavailableError
from rendezvous.stores.contract import (
    TTL,
    Claimant,
    Lease,
    Place,
    RoomTakenError,
    StoreUnavailableError,
)
from rendezvous.stores.embedded import EmbeddedStore
from rendezvous.wire.identity import ConnectionId, NodeId, Owner, RoomId
from tests.support.stores import Clock

ONE_LOOP = True

ROOM = RoomId("MyRoom")
ALICE, BOB = (
    Claimant(Owner(name), NodeId("node"), ConnectionId("camera")) for name in ("alice", "bob")
)
VERIFIER = "v" * 43
VIEWER = ConnectionId("viewer")
MANY = [RoomId(f"room-{number}") for number in range(1_000)]


async def test_names_and_epochs_survive_a_restart(tmp_path: Path) -> None:
    """Even with a clock that went back."""
    path = tmp_path / "rooms.sqlite"
    clock = Clock()
    store = EmbeddedStore(path, clock=clock)
    await store.start()
    epoch = (await store.claim(ROOM, ALICE, VERIFIER)).epoch
    await store.stop()
    clock.now -= 86_400
    store = EmbeddedStore(path, clock=clock)
    await store.start()
    with pytest.raises(RoomTakenError):
        await store.claim(ROOM, BOB, VERIFIER)
    assert (await store.claim(ROOM, ALICE, VERIFIER)).epoch > epoch
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


async def test_epochs_grow_while_the_clock_does_not(tmp_path: Path) -> None:
    """It stands still, or is put back by an hour."""
    clock = Clock()
    store = EmbeddedStore(tmp_path / "rooms.sqlite", clock=clock)
    await store.start()
    epochs = []
    for step in (0.0, 0.0, -3600.0, 10.0):
        clock.now += step
        epochs.append((await store.claim(ROOM, ALICE, VERIFIER)).epoch)
        await store.release(Lease(ROOM, epochs[-1]))
    assert epochs == sorted(set(epochs))
    await store.stop()


async def test_a_clock_that_is_centuries_wrong_gives_no_epoch(tmp_path: Path) -> None:
    """Numbers beyond 2**53 are not told apart by JavaScript."""
    clock = Clock()
    clock.now = 1e10
    store = EmbeddedStore(tmp_path / "rooms.sqlite", clock=clock)
    await store.start()
    with pytest.raises(StoreUnavailableError):
        await store.claim(ROOM, ALICE, VERIFIER)
    await store.stop()


async def test_a_disk_that_fails_takes_no_lease(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Renewals go on; that rooms were seen is written down later."""
    path = tmp_path / "rooms.sqlite"
    store = EmbeddedStore(path)
    await store.start()
    lease = Lease(ROOM, (await store.claim(ROOM, ALICE, VERIFIER)).epoch)
    with contextlib.closing(sqlite3.connect(path)) as rival:
        rival.execute("DROP TABLE room")
    assert await store.renew([lease]) == frozenset()
    assert "last seen" in caplog.text
    await store.stop()


async def test_memory_is_held_for_what_lives_only() -> None:
    """A thousand rooms and viewers that came and went leave nothing behind."""
    clock = Clock()
    store = EmbeddedStore(None, clock=clock, monotonic=clock)
    await store.start()
    await asyncio.gather(*(store.take_place(Place(room, VIEWER), 1) for room in MANY))
    clock.now += TTL + 1
    await store.renew([])
    assert store._leases.size == 0
    await store.stop()
