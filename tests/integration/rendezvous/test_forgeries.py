"""A stolen room ID is worth nothing without the key, whatever else somebody has heard or made up.

Most forgeries go through the core's own check, which is all that stands between a stranger and a
key room; a share of them over real sockets. `make bench ONLY=forgeries` makes 100,000.
"""

from itertools import cycle, islice
from pathlib import Path

import pytest

from rendezvous.program.errors import SettingsError
from rendezvous.stores.contract import Binding, Claimant, Claimed
from rendezvous.stores.embedded import EmbeddedStore
from rendezvous.wire import identity
from rendezvous.wire.identity import RoomId
from rendezvous.wire.messages import Error
from tests.support import peers
from tests.support.forgeries import KINDS, LABEL, OPEN_ROOM, Thief, accepted
from tests.support.peers import Key, Peer, claim, connect, signed_claim
from tests.support.server import Running, running_server

ONE_LOOP = True

FORGERIES = 18_000
OVER_SOCKETS = 40  # of each connection: within the burst that a server reads at once


def test_no_forgery_passes_the_check() -> None:
    """And what the camera itself sends does: the check is not simply closed."""
    thief = Thief()
    assert not [kind for kind in islice(cycle(KINDS), FORGERIES) if accepted(thief, kind)]
    print(f"{FORGERIES} forged claims of {len(KINDS)} kinds: none accepted")
    assert accepted(thief, "in order")
    assert accepted(thief, "by an earlier key")


@pytest.mark.parametrize("kind", [*KINDS, "open room"])
async def test_no_forgery_passes_over_the_wire(kind: str) -> None:
    """The camera keeps its room, and hears nothing of it."""
    async with running_server() as server, connect(server.host, server.port) as camera:
        thief = Thief(origin=server.origin)
        await claim(camera, thief.victim, thief.room, label=LABEL)
        async with connect(server.host, server.port) as other:
            await claim(other, thief.victim, OPEN_ROOM)
            async with connect(server.host, server.port) as attacker:
                answers = [await _attempt(thief, kind, attacker) for _ in range(OVER_SOCKETS)]
        assert {type(answer) for answer in answers} == {Error}
        held = {room for room, _ in server.server.core.held_rooms}
        assert held == {thief.room, OPEN_ROOM}


async def _attempt(thief: Thief, kind: str, attacker: Peer) -> object:
    welcome = attacker.welcome
    if kind == "open room":
        forged = signed_claim(welcome, thief.own, room=OPEN_ROOM, origin=thief.origin)
    else:
        forged = thief.forge(kind, welcome)
    await attacker.send(forged)
    return await attacker.receive()


# ── refusals that look alike ─────────────────────────────────────────────────────────────────

KEY = Key()


class CountingStore(EmbeddedStore):
    """How often it was asked about a room."""

    asked = 0

    async def claim(self, room: RoomId, claimant: Claimant, verifier: str | None) -> Claimed:
        self.asked += 1
        return await super().claim(room, claimant, verifier)

    async def look_up(self, room: RoomId) -> Binding | None:
        self.asked += 1
        return await super().look_up(room)


async def refusal_of(server: Running, key: Key, room: str) -> Error:
    async with connect(server.host, server.port) as camera:
        await camera.send(signed_claim(camera.welcome, key, room=room, origin=server.origin))
        return await camera.expect(Error)


async def test_taken_unknown_and_forbidden_names_look_alike(tmp_path: Path) -> None:
    """To a camera: one code, one sentence, and the store asked once for each."""
    allowed = tmp_path / "rooms"
    allowed.write_text(f"Taken\nkey:{KEY.owner}\n")
    store = CountingStore(None)
    async with running_server(store=store, allowed_rooms=allowed) as server:
        async with connect(server.host, server.port) as camera:
            await claim(camera, KEY, "Taken")
            await claim(camera, KEY, "Taken")
        thief = Key()
        store.asked = 0
        refusals = []
        for number, room in enumerate(("Taken", "Forbidden", identity.key_room(thief.spki)), 1):
            refusals.append(await refusal_of(server, thief, room))
            assert store.asked == number
    assert refusals[0].code == "room_unavailable"
    assert refusals == [refusals[0]] * 3


async def test_rooms_that_nobody_may_know_look_alike_to_viewers() -> None:
    """Unknown, known with a wrong secret, and known without any."""
    async with running_server() as server, connect(server.host, server.port) as camera:
        await claim(camera, KEY, "Known")
        refusals = []
        for room, secret in (("Unknown", "x"), ("Known", "x"), ("Known", None)):
            async with connect(server.host, server.port) as viewer:
                await viewer.send(peers.proven_join(viewer.welcome, room, secret))
                refusals.append(await viewer.expect(Error))
    assert refusals[0].code == "room_unknown"
    assert refusals == [refusals[0]] * 3


async def test_without_open_rooms_only_keys_make_rooms() -> None:
    """A chosen name is refused as a taken one is."""
    async with running_server(open_rooms=False) as server:
        assert (await refusal_of(server, KEY, "Door")).code == "room_unavailable"
        async with connect(server.host, server.port) as camera:
            await claim(camera, KEY, identity.key_room(KEY.spki))


async def test_the_list_of_rooms_is_read_again(tmp_path: Path) -> None:
    """And kept as it was when it cannot be."""
    allowed = tmp_path / "rooms"
    allowed.write_text("Yard\n")
    async with running_server(allowed_rooms=allowed) as server:
        assert (await refusal_of(server, KEY, "Door")).code == "room_unavailable"
        allowed.write_text("Door\n")
        server.server.reload()
        allowed.write_text("no room at all\n")
        with pytest.raises(SettingsError, match="line 1"):
            server.server.reload()
        async with connect(server.host, server.port) as camera:
            await claim(camera, KEY, "Door")
