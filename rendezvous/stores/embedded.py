"""The store of a single node: one SQLite file, two threads that use it, no other service.

Names and epochs are in the file, so that a restart frees no name. Leases, places and watches are
in memory: they are about connections, which no restart survives.

One thread writes, in the order it was asked to; one reads, so that a look-up need not wait for a
disk that is slow to write (WAL keeps readers and the writer apart). The event loop waits for
neither. A lock on a file beside it keeps a second process out, which would believe that it is the
only node as well.
"""

import asyncio
import fcntl
import logging
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import IO

from rendezvous.program.errors import UnavailableError
from rendezvous.stores.contract import (
    LAST_EPOCH,
    RETENTION,
    ROOMS_PER_OWNER,
    TTL,
    Binding,
    Claimant,
    Claimed,
    Lease,
    Place,
    RoomTakenError,
    StoreUnavailableError,
    too_many_rooms,
)
from rendezvous.stores.lane import Lane
from rendezvous.stores.leases import Leases
from rendezvous.wire.identity import NodeId, Owner, RoomId

log = logging.getLogger(__name__)

_SEE_EVERY = 60.0  # seconds; a card of flash memory need not be written at every renewal
_SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS room (
    id        TEXT PRIMARY KEY,
    owner     TEXT NOT NULL,
    verifier  TEXT,             -- NULL: public
    epoch     INTEGER NOT NULL,
    last_seen REAL NOT NULL     -- seconds since 1970
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS room_last_seen ON room (last_seen);
CREATE INDEX IF NOT EXISTS room_owner ON room (owner);
CREATE TABLE IF NOT EXISTS floor (epoch INTEGER NOT NULL);  -- one row: the highest ever given
INSERT INTO floor SELECT 0 WHERE NOT EXISTS (SELECT * FROM floor);
"""


class EmbeddedStore:
    """Rooms in a SQLite file, or with ``path`` None in memory, for tests and throw-away servers.

    ``clock`` gives seconds since 1970, for names; ``monotonic`` those that leases run by.
    """

    def __init__(
        self,
        path: Path | None,
        *,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        retention: float = RETENTION,
        rooms_per_owner: int = ROOMS_PER_OWNER,
        ttl: float = TTL,
    ) -> None:
        self._path = path
        self._clock = clock
        self._monotonic = monotonic
        self._retention = retention
        self._rooms_per_owner = rooms_per_owner
        self._ttl = ttl
        self._leases = Leases(ttl)
        self._see_at = 0.0
        self._lock: IO[bytes] | None = None
        self._writer: Lane | None = None
        self._reader: Lane | None = None

    async def start(self) -> None:
        """Opens the file; raises UnavailableError when it is in use or cannot be used."""
        try:
            await self._open()
        except (OSError, sqlite3.Error) as error:
            await self.stop()
            raise UnavailableError(
                "state_unusable",
                f"Cannot use the state file {self._path}: {error}.",
                "Mend or move the file, or name another one with --state.",
            ) from None
        except BaseException:
            await self.stop()
            raise

    async def _open(self) -> None:
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._take_lock(self._path.with_name(f"{self._path.name}.lock"))
        self._writer = self._reader = Lane("store")
        await self._writer.open(self._path, _prepare)
        if self._path is not None:  # in memory every connection would have a database of its own
            self._reader = Lane("store-reader")
            await self._reader.open(self._path, lambda _database: None)

    async def stop(self) -> None:
        """Closes the file and gives the lock back."""
        lanes = {lane for lane in (self._reader, self._writer) if lane is not None}
        self._reader = self._writer = None
        await asyncio.gather(*(lane.close() for lane in lanes))
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    # ── rooms ────────────────────────────────────────────────────────────────────────────────

    async def claim(self, room: RoomId, claimant: Claimant, verifier: str | None) -> Claimed:
        """See the contract."""
        held = self._leases.epoch_of(room, claimant, self._monotonic())
        epoch = await _open_lane(self._writer).run(
            lambda database: self._claim(database, room, claimant, verifier, held)
        )
        now = self._monotonic()
        previous = self._leases.grant(room, claimant, epoch, now)
        return Claimed(epoch, self._ttl, previous, self._leases.watchers(room, now))

    async def look_up(self, room: RoomId) -> Binding | None:
        """See the contract."""
        found = await _open_lane(self._reader).run(lambda database: self._look_up(database, room))
        return found and replace(found, holder=self._leases.holder(room, self._monotonic()))

    async def renew(self, leases: Iterable[Lease]) -> frozenset[Lease]:
        """See the contract. What was not seen for too long is forgotten on the way."""
        asked, now = tuple(leases), self._now()
        self._leases.tidy(now)
        lost = frozenset(lease for lease in asked if not self._leases.renew(lease, now))
        if now >= self._see_at:
            self._see_at = now + _SEE_EVERY
            await self._see_all(tuple(lease.room for lease in asked if lease not in lost))
        return lost

    async def release(self, lease: Lease) -> None:
        """See the contract."""
        self._leases.release(lease)
        await _open_lane(self._writer).run(lambda database: self._see(database, lease))

    async def watch(self, rooms: Iterable[RoomId], node: NodeId) -> Mapping[RoomId, Binding]:
        """See the contract."""
        found = {}
        for room in rooms:
            binding = await self.look_up(room)
            if binding is not None:
                self._leases.watch(room, node, now := self._now())
                found[room] = replace(binding, holder=self._leases.holder(room, now))
        return found

    # ── places and nodes ─────────────────────────────────────────────────────────────────────

    async def take_place(self, place: Place, most: int) -> bool:
        """See the contract."""
        return self._leases.take_place(place, most, self._now())

    async def keep_places(self, places: Iterable[Place]) -> None:
        """See the contract."""
        for place in places:
            self._leases.keep_place(place, self._now())

    async def give_place(self, place: Place) -> None:
        """See the contract."""
        _open_lane(self._reader)
        self._leases.give_place(place)

    async def beat(self, node: NodeId) -> None:
        """See the contract."""
        self._leases.beat(node, self._now())

    async def alive(self, nodes: Iterable[NodeId]) -> frozenset[NodeId]:
        """See the contract."""
        return self._leases.alive(nodes, self._now())

    async def _see_all(self, rooms: tuple[RoomId, ...]) -> None:
        # A disk that fails takes no lease from a camera; a name has 30 days to be seen again.
        try:
            await _open_lane(self._writer).run(lambda database: self._seen(database, rooms))
        except StoreUnavailableError as error:
            log.warning("The state file does not take when rooms were last seen: %s", error)

    def _now(self) -> float:
        _open_lane(self._reader)  # a store that was stopped answers nothing
        return self._monotonic()

    def _take_lock(self, path: Path) -> None:
        self._lock = path.open("ab")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UnavailableError(
                "state_in_use",
                f"Another rendezvous server uses the state file {self._path}.",
                "Stop it, or name another file with --state.",
            ) from None

    # ── on the threads ───────────────────────────────────────────────────────────────────────

    def _claim(
        self,
        database: sqlite3.Connection,
        room: RoomId,
        claimant: Claimant,
        verifier: str | None,
        held: int | None,
    ) -> int:
        now, owner = self._clock(), claimant.owner
        binding = self._look_up(database, room)
        if binding is not None and binding.owner != owner:
            raise RoomTakenError(room)
        if binding is None:
            self._require_room(database, owner, now)
        if binding is not None and binding.epoch == held:
            epoch = binding.epoch
        else:
            epoch = self._next_epoch(database, claimant.newest, now)
        database.execute(
            "REPLACE INTO room (id, owner, verifier, epoch, last_seen) VALUES (?, ?, ?, ?, ?)",
            (room, owner, verifier, epoch, now),
        )
        return epoch

    def _require_room(self, database: sqlite3.Connection, owner: Owner, now: float) -> None:
        (held,) = database.execute(
            "SELECT count(*) FROM room WHERE owner = ? AND last_seen >= ?",
            (owner, now - self._retention),
        ).fetchone()
        if held >= self._rooms_per_owner:
            raise too_many_rooms(held)

    @staticmethod
    def _next_epoch(database: sqlite3.Connection, newest: int, now: float) -> int:
        # Time in microseconds, so that it grows even when the file is lost; the floor, so that it
        # grows when the clock does not. Below 2**53 until the year 2255: JavaScript can hold it.
        (floor,) = database.execute("SELECT epoch FROM floor").fetchone()
        epoch = max(int(floor) + 1, newest + 1, int(now * 1_000_000))
        if epoch > LAST_EPOCH:
            raise StoreUnavailableError("There are no epochs left; the clock must have been wrong.")
        database.execute("UPDATE floor SET epoch = ?", (epoch,))
        return epoch

    def _look_up(self, database: sqlite3.Connection, room: RoomId) -> Binding | None:
        row = database.execute(
            "SELECT owner, verifier, epoch FROM room WHERE id = ? AND last_seen >= ?",
            (room, self._clock() - self._retention),
        ).fetchone()
        return Binding(room, Owner(row[0]), row[1], row[2]) if row else None

    def _seen(self, database: sqlite3.Connection, rooms: tuple[RoomId, ...]) -> None:
        now = self._clock()
        database.executemany(
            "UPDATE room SET last_seen = ? WHERE id = ?", [(now, room) for room in rooms]
        )
        database.execute("DELETE FROM room WHERE last_seen < ?", (now - self._retention,))

    def _see(self, database: sqlite3.Connection, lease: Lease) -> None:
        database.execute(
            "UPDATE room SET last_seen = ? WHERE id = ? AND epoch = ?",
            (self._clock(), lease.room, lease.epoch),
        )


def _open_lane(lane: Lane | None) -> Lane:
    if lane is None:
        raise StoreUnavailableError("The store is not open.")
    return lane


def _prepare(database: sqlite3.Connection) -> None:
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if version not in (0, _SCHEMA_VERSION):
        raise sqlite3.DatabaseError(f"it was written by another version ({version})")
    # WAL: a claim costs one append, and readers do not wait for it. NORMAL: a power cut may lose
    # the last claims, which the cameras make again, but never damages the file.
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = NORMAL")
    database.executescript(_SCHEMA)
    database.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
    database.commit()
