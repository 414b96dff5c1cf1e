"""The server goes and comes back on the same file: names stay, running sessions are resumed."""

import asyncio
import errno
from pathlib import Path

import pytest

from rendezvous import server
from rendezvous.program.errors import UnavailableError
from rendezvous.rooms.limits import Limits
from rendezvous.settings import split_address
from rendezvous.transports.port import _cannot_listen
from rendezvous.wire.messages import Answer, Goaway, Joined, Offer, Resumed, Session, Waiting
from tests.support import peers
from tests.support.peers import SDP, ClosedError, Key, claim, connect, join, negotiate, resume
from tests.support.server import running_server

KEY = Key()
ROOM = "MyRoom"


async def test_names_and_sessions_outlive_the_server(tmp_path: Path) -> None:
    """Another key is refused; both members resume; the rebuilt session carries on and counts."""
    state = tmp_path / "rooms.sqlite"
    async with (
        running_server(state=state) as first,
        connect(first.host, first.port) as camera,
        connect(first.host, first.port) as viewer,
    ):
        before = await claim(camera, KEY, ROOM)
        session = await negotiate(viewer, camera, ROOM)
    async with running_server(state=state, limits=Limits(viewers_per_room=1)) as second:
        host, port = second.host, second.port
        async with connect(host, port, transport="ws") as viewer, connect(host, port) as camera:
            await viewer.send(resume(session, ROOM))
            async with connect(host, port) as thief:
                await thief.send(
                    peers.signed_claim(thief.welcome, Key(), room=ROOM, origin=thief.origin)
                )
                await thief.refused("room_unavailable")
            assert (await claim(camera, KEY, ROOM)).epoch > before.epoch
            await camera.send(resume(session, ROOM))
            await camera.expect(Resumed)
            await viewer.expect(Resumed)
            await viewer.send(Offer(session=session.session, sdp=SDP))
            await camera.expect(Offer)
            async with connect(host, port) as late:
                await late.send(peers.proven_join(late.welcome, ROOM))
                await late.refused("room_full")


async def test_a_viewer_of_a_room_that_is_away_waits_also_after_a_restart(tmp_path: Path) -> None:
    """The store knows the room and its verifier."""
    state = tmp_path / "rooms.sqlite"
    async with (
        running_server(state=state) as first,
        connect(first.host, first.port) as camera,
    ):
        await claim(camera, KEY, ROOM)
    async with (
        running_server(state=state) as second,
        connect(second.host, second.port) as viewer,
        connect(second.host, second.port) as camera,
    ):
        assert isinstance(await join(viewer, ROOM), Waiting)
        await claim(camera, KEY, ROOM)
        await viewer.expect(Joined)


async def test_draining_lets_a_negotiation_finish(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Goaway to everybody; the answer still arrives; then the server is free to stop."""
    monkeypatch.setattr(server, "_DRAIN_PATIENCE", 3600.0)
    async with running_server(state=tmp_path / "rooms.sqlite") as running:
        host, port = running.host, running.port
        async with connect(host, port) as camera, connect(host, port, transport="ws") as viewer:
            await claim(camera, KEY, ROOM)
            joined = await peers.joined(viewer, ROOM)
            draining = asyncio.create_task(running.server.drain())
            for peer in (camera, viewer):
                assert (await peer.expect(Goaway)).after == 1.0
            await viewer.send(Offer(session=joined.session, sdp=SDP))
            session = await camera.expect(Session)
            async with asyncio.timeout(peers.DEADLINE):
                await _refused_hello(host, port)
            assert not draining.done()
            await camera.send(Answer(session=session.session, sdp=SDP))
            await viewer.expect(Answer)
            async with asyncio.timeout(peers.DEADLINE):
                await draining
            await running.server.stop()
            await camera.closed()
            await viewer.closed()


async def _refused_hello(host: str, port: int) -> None:
    wire = await peers.open_wire("tcp", host, port)
    await wire.send(b'{"type":"hello","version":1}')
    assert b"shutting_down" in await wire.receive()
    await wire.close()


async def test_stopping_is_idempotent_and_closes_everybody(tmp_path: Path) -> None:
    """Also those who have not said anything."""
    async with running_server(state=tmp_path / "rooms.sqlite") as running:
        wire = await peers.open_wire("tcp", running.host, running.port)
        undecided = await peers.open_wire("tcp", running.host, running.port)
        assert isinstance(undecided, peers.TcpWire)
        undecided.writer.write(b"GE")
        async with connect(running.host, running.port, transport="ws") as peer:
            await running.server.stop()
            await running.server.stop()
            await peer.closed()
        for silent in (wire, undecided):
            with pytest.raises(ClosedError):
                await asyncio.wait_for(silent.receive(), peers.DEADLINE)
            await silent.close()


async def test_a_server_may_listen_on_several_addresses() -> None:
    """They are one server: a camera on one, its viewer on the other."""
    async with running_server(listen=("127.0.0.1:0", "127.0.0.2:0")) as running:
        (host, port), (other_host, other_port) = running.server.addresses
        assert (host, other_host) == ("127.0.0.1", "127.0.0.2")
        async with connect(host, port) as camera, connect(other_host, other_port) as viewer:
            await claim(camera, KEY, ROOM)
            await negotiate(viewer, camera, ROOM)


async def test_a_server_that_cannot_start_leaves_nothing_open(tmp_path: Path) -> None:
    """The second port is taken: the first is free again, and so is the state file."""
    state = tmp_path / "rooms.sqlite"
    async with running_server() as other:
        for _ in range(2):
            with pytest.raises(UnavailableError, match="already in use"):
                async with running_server(state=state, listen=("127.0.0.1:0", other.origin)):
                    pass


async def test_the_cure_for_a_port_in_use_can_be_followed() -> None:
    """Brackets around IPv6, and no port beyond the last."""
    error = OSError(errno.EADDRINUSE, "Address already in use")
    for host, port in (("::1", 4545), ("0.0.0.0", 65_535), ("127.0.0.1", 1)):
        cure = _cannot_listen(host, port, error).cure
        address = cure.split("--listen ")[1].rstrip(".")
        assert split_address(address)[0] == host
