"""What the hub guards: defects stay with their connection, the store's failures are named."""

import asyncio
import contextlib
import logging
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn

import pytest

from rendezvous.rooms import cameras, connections, core
from rendezvous.rooms.book import Book
from rendezvous.rooms.effects import Send
from rendezvous.rooms.entries import Peer
from rendezvous.stores.contract import Binding, Claimant, Claimed, Lease, StoreUnavailableError
from rendezvous.stores.embedded import EmbeddedStore
from rendezvous.wire.identity import ConnectionId, RoomId
from rendezvous.wire.messages import MESSAGE_BYTES, End, Ping, Pong, Source
from tests.support.peers import (
    LIVE,
    Key,
    Transport,
    claim,
    connect,
    joined,
    proven_join,
    signed_claim,
)
from tests.support.server import only, running_server
from tests.support.waiting import PATIENCE, until

ONE_LOOP = True

KEY = Key()
ROOM = "MyRoom"
HOUR = 3600.0  # seconds


class FailingStore(EmbeddedStore):
    """A store that can be cut off."""

    failing = False

    def _require_disk(self) -> None:
        if self.failing:
            raise StoreUnavailableError("The disk is gone.")

    async def claim(self, room: RoomId, claimant: Claimant, verifier: str | None) -> Claimed:
        self._require_disk()
        return await super().claim(room, claimant, verifier)

    async def look_up(self, room: RoomId) -> Binding | None:
        self._require_disk()
        return await super().look_up(room)


async def test_a_defect_stays_with_its_connection(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The peer gets ``internal`` and is closed; the log has the details; others go on."""

    def defect(*_: object) -> NoReturn:
        raise ZeroDivisionError("a defect made for this test")

    async with (
        running_server() as running,
        connect(running.host, running.port) as camera,
        connect(running.host, running.port) as viewer,
    ):
        await claim(camera, KEY, ROOM)
        await joined(viewer, ROOM)
        monkeypatch.setitem(core._MESSAGES, End, defect)
        await viewer.send(End(session="x" * 22, reason="left"))
        await viewer.refused("internal")
        await viewer.closed()
        await camera.send(Ping())
        await camera.expect(Pong)
    assert "a defect made for this test" in caplog.text


async def test_a_store_that_fails_fails_closed() -> None:
    """No claim, no join; sessions of before go on; all is well when it is back."""
    store = FailingStore(None)
    async with (
        running_server(store=store) as running,
        connect(running.host, running.port) as camera,
        connect(running.host, running.port) as viewer,
        connect(running.host, running.port) as second,
    ):
        await claim(camera, KEY, ROOM)
        session = await joined(viewer, ROOM)
        store.failing = True
        await second.send(proven_join(second.welcome, ROOM))
        assert (await second.refused("store_unavailable")).retry_after
        await second.send(signed_claim(second.welcome, KEY, room=ROOM, origin=second.origin))
        await second.refused("store_unavailable")
        await camera.send(LIVE)
        await viewer.expect(Source)
        store.failing = False
        assert (await joined(second, ROOM)).session != session.session


async def test_a_message_of_another_room_is_never_delivered(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Even if the core were wrong: the hub has its own record, drops and counts."""
    caplog.set_level(logging.ERROR)
    async with (
        running_server() as running,
        connect(running.host, running.port) as camera,
    ):
        await claim(camera, KEY, ROOM)
        hub = running.server._hub
        mistake = Send(ConnectionId(camera.welcome.connection), LIVE, RoomId("Other"))
        hub._perform(mistake)
        await camera.send(Ping())
        await camera.expect(Pong)
        assert running.server.counters.totals["cross_room"] == 1
    assert "dropped" in caplog.text


# ── defects and delays ───────────────────────────────────────────────────────────────────────


async def test_a_defect_in_one_deadline_loses_no_other(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Strangers that expire in the same tick are closed all the same, and it itself is, too."""
    check = connections._check
    broken: list[str] = []

    def defect(book: Book, peer: Peer) -> None:
        if peer.id in broken:
            raise ZeroDivisionError("a defect made for this test")
        check(book, peer)

    monkeypatch.setattr(connections, "_check", defect)
    async with (
        running_server(limits=only(unadmitted=HOUR)) as running,
        connect(running.host, running.port) as first,
        connect(running.host, running.port) as second,
        connect(running.host, running.port) as third,
    ):
        broken.append(second.welcome.connection)
        running.wind(HOUR)
        await second.refused("internal")
        for stranger in (first, third):
            await stranger.refused("hello_timeout")
        for stranger in (first, second, third):
            await stranger.closed()
        assert not running.server.core.book.peers
    assert "a defect made for this test" in caplog.text


@pytest.mark.parametrize("expelled", [True, False], ids=["expelled", "gone"])
@pytest.mark.parametrize("transport", ["tcp", "ws"])
async def test_a_defect_while_somebody_leaves_still_closes_the_connection(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    transport: Transport,
    *,
    expelled: bool,
) -> None:
    """Neither the socket nor an entry in the book stays behind."""

    def defect(*_: object) -> NoReturn:
        raise ZeroDivisionError("a defect made for this test")

    async with running_server() as running:
        async with connect(running.host, running.port, transport=transport) as peer:
            await claim(peer, KEY, ROOM)
            monkeypatch.setattr(cameras, "gone", defect)
            if expelled:
                await peer.send(b"x" * (MESSAGE_BYTES + 1))
                await peer.closed()
        await until(lambda: not running.server.core.book.peers)
        monkeypatch.undo()
    assert "a defect made for this test" in caplog.text


async def test_time_passes_while_the_store_is_slow() -> None:
    """A renewal that hangs keeps no stranger alive, and is not asked for twice."""
    renewals: list[tuple[Lease, ...]] = []

    class SlowStore(EmbeddedStore):
        async def renew(self, leases: Iterable[Lease]) -> frozenset[Lease]:
            renewals.append(tuple(leases))
            await asyncio.Event().wait()
            return frozenset()

    async with (
        running_server(store=SlowStore(None), limits=only(unadmitted=HOUR)) as running,
        connect(running.host, running.port) as stranger,
    ):
        await until(lambda: renewals)
        running.wind(HOUR)
        await stranger.refused("hello_timeout")
        await stranger.closed()
    assert len(renewals) == 1


def _connected(state: Path) -> sqlite3.Connection:
    return sqlite3.connect(state, isolation_level=None, timeout=PATIENCE)


async def test_a_database_that_is_locked_is_not_waited_for_and_still_read(tmp_path: Path) -> None:
    """A backup that holds the lock, for as long as it likes: no claim, and joins as ever."""
    state = tmp_path / "rooms.sqlite"
    async with (
        running_server(state=state) as running,
        connect(running.host, running.port) as camera,
        connect(running.host, running.port) as rival,
        connect(running.host, running.port) as viewer,
    ):
        await claim(camera, KEY, ROOM)
        with contextlib.closing(_connected(state)) as backup:
            backup.execute("BEGIN IMMEDIATE")
            await rival.send(signed_claim(rival.welcome, KEY, room="Other", origin=rival.origin))
            await joined(viewer, ROOM)
            await rival.refused("store_unavailable")
