"""A server is reached at whichever address answers, and looked for anew in a new network."""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from select import select

import pytest

from publisher.errors import SignallingError
from publisher.signalling import connection as wire
from publisher.signalling import dialling, reaching
from publisher.signalling.connection import Connection, ServerAddress
from publisher.signalling.dialling import Dialler
from publisher.signalling.reaching import Info, Memory, reach
from rendezvous.wire import codec
from rendezvous.wire.messages import Ping, Pong
from tests.support.waiting import PATIENCE, until


class Host:
    """Something that listens, or only takes what is sent to it."""

    def __init__(self) -> None:
        self.taken: list[asyncio.StreamWriter] = []
        self.heard: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.taken.append(writer)
        try:
            while line := await reader.readline():
                self.heard.append(line)
        finally:
            writer.close()


@asynccontextmanager
async def listening() -> AsyncIterator[tuple[Host, Info]]:
    host = Host()
    server = await asyncio.start_server(host.serve, "127.0.0.1", 0)
    async with server:
        yield host, (socket.AF_INET, server.sockets[0].getsockname())


@asynccontextmanager
async def deaf() -> AsyncIterator[Info]:
    """A port whose queue is full: SYNs are dropped there, as in a network that is gone.

    Full it is with the first connection, once that is in the queue.
    """
    with socket.socket() as listener, socket.socket() as first:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        first.connect(listener.getsockname())
        assert select([listener], [], [], PATIENCE)[0]
        yield (socket.AF_INET, listener.getsockname())


async def test_the_address_that_answers_is_taken_and_the_others_are_let_go() -> None:
    async with listening() as (host, there), deaf() as silent:
        refused = (socket.AF_INET, ("127.0.0.1", 1))
        async with asyncio.timeout(PATIENCE):
            reached = await reach([refused, silent, there])
        assert reached.getpeername() == there[1]
        reached.close()
        await until(lambda: host.taken)
        assert len(host.taken) == 1


async def test_when_none_answers_it_says_so() -> None:
    with pytest.raises(OSError, match="none of 2 addresses"):
        await reach([(socket.AF_INET, ("127.0.0.1", 1))] * 2)


async def test_a_name_means_what_it_meant_before_while_no_name_server_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A network that has just come back often has none for seconds."""
    there: list[Info] = [(socket.AF_INET, ("192.0.2.1", 1))]
    answers: list[Sequence[Info] | OSError | None] = [there, OSError("down"), None]

    async def find(_host: str, _port: int) -> Sequence[Info]:
        answer = answers.pop(0)
        if answer is None:
            await asyncio.Event().wait()
        if isinstance(answer, OSError):
            raise answer
        assert answer
        return answer

    memory = Memory(find)
    monkeypatch.setattr(reaching, "RESOLVE_SECONDS", 0.1)
    async with asyncio.timeout(PATIENCE):
        assert [await memory.find("host", 1) for _ in range(3)] == [there] * 3
    answers = [OSError("down")]
    with pytest.raises(OSError, match="down"):
        await memory.find("another", 1)


async def test_a_network_that_changes_brings_another_attempt_beside_the_first() -> None:
    """The first one's SYN was lost; TCP would send it again seconds later."""
    async with listening() as (host, there), deaf() as silent:
        dialler, changed = Dialler(None), asyncio.Event()
        found = [[silent], [there]]

        async def in_turn(_host: str, _port: int) -> Sequence[Info]:
            return found.pop(0)

        dialler._memory = Memory(in_turn)
        running = asyncio.create_task(dialler.dial(ServerAddress("name", 1), changed))
        await until(lambda: len(found) == 1)
        changed.set()
        async with asyncio.timeout(PATIENCE):
            connection = await running
        assert connection.local_address == "127.0.0.1"
        await connection.close()
        assert dialler._attempts == []
        await until(lambda: host.taken)


async def test_attempts_that_all_fail_are_one_failure_and_their_number_is_bounded() -> None:
    async with deaf() as silent:
        dialler, changed = Dialler(None), asyncio.Event()
        address = ServerAddress(*silent[1])
        running = asyncio.create_task(dialler.dial(address, changed))
        for _ in range(10):
            await until(lambda: not changed.is_set() and dialler._attempts)
            assert len(dialler._attempts) <= 3
            changed.set()
        running.cancel()
        await asyncio.wait([running])
        assert running.cancelled()
        assert dialler._attempts == []
    with pytest.raises(SignallingError, match="does not answer"):
        await dialler.dial(ServerAddress("127.0.0.1", 1), changed)


async def test_an_attempt_that_is_cancelled_by_a_timeout_of_its_own_is_a_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And stops nobody who waits for it."""

    async def cancelled(*_: object) -> Connection:
        raise asyncio.CancelledError

    monkeypatch.setattr(dialling, "connect", cancelled)
    with pytest.raises(SignallingError) as caught:
        await Dialler(None).dial(ServerAddress("127.0.0.1", 1), asyncio.Event())
    assert caught.value.retry


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[Host, Connection]]:
    async with listening() as (host, there):
        connection = await wire.connect(ServerAddress(*there[1]), None)
        try:
            yield host, connection
        finally:
            await connection.close()


async def test_a_server_that_is_doubted_is_asked_and_left_when_it_says_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Long before its silence alone would say so."""
    monkeypatch.setattr(wire, "DOUBT_SECONDS", 0.2)
    monkeypatch.setattr(wire, "LOOK_SECONDS", 0.02)
    async with connected() as (host, connection):
        listening = asyncio.create_task(connection.receive())
        connection.doubt()
        connection.doubt()
        await until(lambda: host.heard)
        with pytest.raises(SignallingError, match="lost"):
            await asyncio.wait_for(listening, PATIENCE)
        assert [codec.decode_client(line) for line in host.heard] == [Ping()]


async def test_a_server_that_answers_is_not_doubted_any_more() -> None:
    async with connected() as (host, connection):
        listening = asyncio.create_task(connection.receive())
        connection.doubt()
        await until(lambda: host.heard)
        assert connection._doubted is not None
        host.taken[0].write(codec.encode(Pong()) + b"\n")
        await until(lambda: connection._doubted is None)
        assert not listening.done()
        listening.cancel()
        await asyncio.wait([listening])
