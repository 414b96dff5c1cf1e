"""What the hub guards: defects stay with their connection, the store's failures are named."""

import logging
from typing import NoReturn

import pytest

from rendezvous.rooms import core
from rendezvous.rooms.effects import Send
from rendezvous.stores.contract import Binding, StoreUnavailableError
from rendezvous.stores.embedded import EmbeddedStore
from rendezvous.wire.identity import ConnectionId, Owner, RoomId
from rendezvous.wire.messages import End, Ping, Pong, Source
from tests.support.peers import LIVE, Key, claim, connect, joined, proven_join, signed_claim
from tests.support.server import running_server

ONE_LOOP = True

KEY = Key()
ROOM = "MyRoom"


class FailingStore(EmbeddedStore):
    """A store that can be cut off."""

    failing = False

    def _require_disk(self) -> None:
        if self.failing:
            raise StoreUnavailableError("The disk is gone.")

    async def claim(self, room: RoomId, owner: Owner, verifier: str | None) -> int:
        self._require_disk()
        return await super().claim(room, owner, verifier)

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
