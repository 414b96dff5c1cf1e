"""The camera's room among several nodes: claimed elsewhere before it is let go here."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from functools import partial
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from publisher.errors import SignallingError
from publisher.identity import CameraKey, Keyring
from publisher.signalling import connection
from publisher.signalling.claiming import Room
from publisher.signalling.connection import ServerAddress
from publisher.supervisor import membership, nodes, room
from publisher.supervisor.backoff import Backoff
from publisher.supervisor.room import Place, RoomKeeper
from rendezvous.rooms.chains import Chain
from rendezvous.wire import codec, identity
from rendezvous.wire.messages import (
    Candidate,
    Challenge,
    Claim,
    Claimed,
    End,
    Error,
    Goaway,
    Hello,
    Message,
    Offer,
    Ping,
    Resume,
    Session,
    Source,
    SourceState,
    Welcome,
)
from tests.support.peers import SDP
from tests.support.ports import free_port
from tests.support.server import running_server
from tests.support.waiting import PATIENCE, until

REFUSED = Error(code="shutting_down", message="Later.")
CLAIMED = Claimed(room="MyRoom", epoch=1, ttl=15)
LIVE = Source(state=SourceState.LIVE)
SESSION = Session(session="s" * 22, secret="t" * 22, sdp=SDP)
HOUR = 3600.0  # seconds: what waits for so long, never happens here
RESUME = Resume(session="r" * 22, secret="t" * 22, room="MyRoom")


class Node:
    """A rendezvous that answers every claim as the test says, and says what the test says."""

    def __init__(self) -> None:
        self.answers: list[Error | Claimed | None] = []  # None: silence; then claimed
        self.heard: list[Message] = []
        self.asked_at: list[float] = []
        self.address = ServerAddress("127.0.0.1", free_port())
        self._writers: list[asyncio.StreamWriter] = []
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.address.port)

    async def kill(self) -> None:
        """As SIGKILL does: nobody listens any more, and connections are reset."""
        if self._server:
            self._server.close()
        while self._writers:
            self._writers.pop().transport.abort()

    def says(self, message: Message, connection: int = -1) -> None:
        """On the connection that came last, unless another is meant."""
        _say(self._writers[connection], message)

    def of(self, kind: type[Message]) -> list[Message]:
        return [message for message in self.heard if isinstance(message, kind)]

    @property
    def connections(self) -> int:
        return len(self._writers)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        try:
            while line := await reader.readline():
                self._answer(codec.decode_client(line), writer)
        except ConnectionError:
            pass
        finally:
            writer.close()
            if writer in self._writers:
                self._writers.remove(writer)

    def _answer(self, message: Message, writer: asyncio.StreamWriter) -> None:
        self.heard.append(message)
        if isinstance(message, Hello):
            number = f"{len(self.heard):022d}"
            _say(writer, Welcome(version=1, server="node", connection="c" * 22, nonce=number))
        elif isinstance(message, Claim):
            self.asked_at.append(asyncio.get_running_loop().time())
            answer = self.answers.pop(0) if self.answers else CLAIMED
            if answer:
                _say(writer, answer)


def _say(writer: asyncio.StreamWriter, message: Message) -> None:
    writer.write(codec.encode(message) + b"\n")


class Guests:
    """One viewer that watches, and what the server says about viewers."""

    def __init__(self) -> None:
        self.opened: list[Session] = []

    def open(self, opening: Session) -> None:
        self.opened.append(opening)

    def put(self, message: Offer | Candidate | End) -> None:
        raise AssertionError(message)

    def resumptions(self, room: str) -> Iterable[Resume]:
        return [msgspec.structs.replace(RESUME, room=room)]


@pytest.fixture
def key(tmp_path: Path) -> CameraKey:
    return Keyring(tmp_path / "state").camera_key()


@pytest.fixture(autouse=True)
def in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first address first, and no long pauses between rounds."""
    monkeypatch.setattr(nodes, "BACKOFF", (0.02, 0.1))
    monkeypatch.setattr(random, "randrange", lambda _: 0)


@asynccontextmanager
async def two_nodes() -> AsyncIterator[tuple[Node, Node]]:
    both = Node(), Node()
    for node in both:
        await node.start()
    try:
        yield both
    finally:
        for node in both:
            await node.kill()


Running = tuple[RoomKeeper, Guests, asyncio.Task[None]]


@asynccontextmanager
async def kept(key: CameraKey, *servers: ServerAddress) -> AsyncIterator[Running]:
    """A camera that keeps its room at one of these."""
    place, guests = Place(servers, None, key, Room("MyRoom", "", None)), Guests()
    keeper = RoomKeeper(
        place, guests, source=lambda: LIVE, keep_alive=True, on_claimed=lambda _: None
    )
    task = asyncio.create_task(keeper.run())
    try:
        yield keeper, guests, task
    finally:
        task.cancel()
        await asyncio.wait([task])
        await keeper.close()


def resumed(node: Node) -> Callable[[], list[Message]]:
    return lambda: node.of(Resume)


def resumed_times(node: Node, times: int) -> bool:
    return len(node.of(Resume)) == times


async def test_goaway_moves_the_room_before_it_lets_go(key: CameraKey) -> None:
    """The first node carries messages until the second has the room; then it is left."""
    async with two_nodes() as (first, second), kept(key, first.address, second.address) as running:
        _, guests, _ = running
        first.answers, second.answers = [CLAIMED, *[REFUSED] * 1000], [REFUSED] * 1000
        await until(resumed(first))
        first.says(Goaway(after=0.05))
        await until(lambda: len(second.answers) < 998)
        first.says(SESSION, connection=0)
        await until(lambda: guests.opened == [SESSION])
        second.answers.clear()
        await until(resumed(second))
        await until(lambda: (first.connections, second.connections) == (0, 1))
        assert second.of(Resume) == [RESUME]


async def test_a_dead_node_s_camera_goes_to_another(key: CameraKey) -> None:
    """And back, when that one dies as well."""
    async with two_nodes() as (first, second), kept(key, first.address, second.address):
        await until(resumed(first))
        await first.kill()
        await until(resumed(second))
        await first.start()
        await second.kill()
        await until(lambda: len(first.of(Resume)) == 2)


async def test_a_node_that_is_not_there_costs_no_pause(
    key: CameraKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next one is asked at once."""
    monkeypatch.setattr(nodes, "BACKOFF", (HOUR, HOUR))
    async with two_nodes() as (first, second):
        await first.kill()
        async with kept(key, first.address, second.address):
            await until(resumed(second))


async def test_a_challenge_is_answered_with_a_fresh_signature(key: CameraKey) -> None:
    """Over its nonce, on the same connection."""
    async with two_nodes() as (node, _), kept(key, node.address):
        await until(resumed(node))
        node.says(Challenge(nonce="fresh" + "n" * 17))
        await until(lambda: len(node.of(Claim)) == 2)
        claim = node.of(Claim)[1]
        assert isinstance(claim, Claim)
        text = identity.claim_text(
            nonce="fresh" + "n" * 17,
            connection="c" * 22,
            origin=node.address.origin,
            room="MyRoom",
            label="",
            verifier=None,
        )
        Chain.of(claim).verify(signature=identity.decode(claim.signature), text=text)
        assert claim.source == LIVE
        assert len(node.of(Hello)) == 1


async def test_a_server_is_not_asked_again_before_it_wants_to_be(key: CameraKey) -> None:
    """retry_after, and up to half as much again, so that cameras do not come back as one."""
    async with two_nodes() as (node, _):
        node.answers = [Error(code="store_unavailable", message="Later.", retry_after=0.3)] * 2
        async with kept(key, node.address):
            await until(resumed(node))
        pauses = [after - before for before, after in pairwise(node.asked_at)]
        assert len(pauses) == 2
        assert all(pause >= 0.29 for pause in pauses)  # a loop's clock may be a tick early


async def test_a_camera_whose_address_is_gone_claims_from_another_at_once(
    key: CameraKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The earlier connection would be believed in for long."""
    async with two_nodes() as (node, _), kept(key, node.address) as (keeper, _, _):
        await until(resumed(node))
        keeper.network_changed()  # the address is still there: the server is only asked
        await until(lambda: node.of(Ping))
        assert len(node.of(Claim)) == 1
        monkeypatch.setattr(membership, "is_local", lambda _: False)
        keeper.network_changed()
        await until(partial(resumed_times, node, 2))
        instances = {claim.instance for claim in node.of(Claim) if isinstance(claim, Claim)}
        assert len(instances) == 1


async def test_a_claim_that_the_old_network_has_swallowed_is_not_waited_for(
    key: CameraKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be for long."""
    monkeypatch.setattr(connection, "DOUBT_SECONDS", 0.05)
    monkeypatch.setattr(connection, "LOOK_SECONDS", 0.05)
    async with two_nodes() as (node, _):
        node.answers = [None]
        async with kept(key, node.address) as (keeper, _, _):
            await until(lambda: node.asked_at)
            assert not node.of(Ping)
            keeper.network_changed()
            await until(resumed(node))
            assert len(node.asked_at) == 2


async def test_a_pause_of_our_own_ends_when_the_network_changes(
    key: CameraKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was unreachable may be there now."""
    monkeypatch.setattr(nodes, "BACKOFF", (HOUR, HOUR))
    async with two_nodes() as (node, _):
        await node.kill()
        async with kept(key, node.address) as (keeper, _, _):
            await until(lambda: keeper._reported)
            await node.start()
            keeper.network_changed()
            await until(resumed(node))


async def test_a_pause_that_the_server_asked_for_is_kept_whatever_changes(key: CameraKey) -> None:
    """A machine that starts containers all day must not storm it."""
    async with two_nodes() as (node, _):
        node.answers = [Error(code="store_unavailable", message="Later.", retry_after=0.3)]
        async with kept(key, node.address) as (keeper, _, _):

            def resumed_in_a_restless_network() -> list[Message]:
                if not keeper._dialler._attempts:  # of those each change makes another
                    keeper.network_changed()
                return node.of(Resume)

            await until(resumed_in_a_restless_network)
        (first, second) = node.asked_at
        assert second - first >= 0.29


async def test_two_publishers_with_one_key_take_turns_more_and_more_rarely(
    key: CameraKey, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """And say once, to people, what to do."""
    monkeypatch.setattr(room, "RIVAL_BACKOFF", (0.1, 1.0))
    chosen: list[float] = []
    choose = Backoff.next

    def chooses(backoff: Backoff) -> float:
        chosen.append(choose(backoff))
        return chosen[-1]

    monkeypatch.setattr(Backoff, "next", chooses)
    caplog.set_level(logging.WARNING)
    async with two_nodes() as (node, _), kept(key, node.address):
        for turn in (1, 2, 3, 4):
            await until(partial(resumed_times, node, turn))
            node.says(Error(code="superseded", message="Elsewhere."))
        pauses = [after - before for before, after in pairwise(node.asked_at)]
    assert chosen[2] > chosen[0] >= 0.05
    assert all(pause >= wanted - 0.01 for pause, wanted in zip(pauses, chosen, strict=False))
    warnings = [record.message for record in caplog.records]
    assert [text for text in warnings if "Stop one of the two" in text] == warnings


async def test_what_time_cannot_mend_ends_it(key: CameraKey) -> None:
    """With the server's words."""
    async with two_nodes() as (node, _):
        node.answers = [Error(code="room_unavailable", message="You cannot have this room.")]
        async with kept(key, node.address) as (_, _, task):
            with pytest.raises(SignallingError, match="cannot have"):
                await asyncio.wait_for(task, PATIENCE)


async def test_whoever_is_stopped_while_nobody_answers_stops(key: CameraKey) -> None:
    """Also at the very moment when an attempt ends: a lost cancellation would dial for ever."""
    async with two_nodes() as (node, _):
        await node.kill()
        place, guests = Place((node.address,), None, key, Room("MyRoom", "", None)), Guests()
        tasks = [
            asyncio.create_task(
                RoomKeeper(
                    place, guests, source=lambda: LIVE, keep_alive=True, on_claimed=print
                ).run()
            )
            for _ in range(100)
        ]
        for task in tasks:
            await asyncio.sleep(0)  # each is met at another moment of its attempt
            task.cancel()
        done, _ = await asyncio.wait(tasks, timeout=PATIENCE)
        assert len(done) == len(tasks)


async def test_a_drained_server_is_left_for_another_one(key: CameraKey) -> None:
    """The real ones: the room is held all the time."""
    async with running_server() as first, running_server() as second:
        addresses = [ServerAddress(server.host, server.port) for server in (first, second)]
        async with kept(key, *addresses):
            await until(lambda: first.server.core.held_rooms)
            draining = asyncio.create_task(first.server.drain())
            await until(lambda: second.server.core.held_rooms)
            await draining
