"""Letters between two nodes whose connections to Redis are cut all the time: how many are lost."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise

from rendezvous.program.errors import ProgramError
from rendezvous.relay.counters import Counters
from rendezvous.relay.inbox import RedisMail
from rendezvous.relay.nodes import Nodes
from rendezvous.rooms.effects import Post
from rendezvous.rooms.facts import Fact, LetterReceived
from rendezvous.rooms.letters import Moved
from rendezvous.stores.redis.address import parse
from rendezvous.stores.redis.store import RedisStore
from rendezvous.wire.identity import NodeId, RoomId
from tests.support.bench import Figure, benchmark
from tests.support.chaos_proxy import ChaosProxy, chaos_proxy
from tests.support.redis import running_redis
from tests.support.waiting import until

_LETTERS = 100_000
_AT_ONCE = 100  # letters
_UNREAD = 500  # letters, so that with those whose acknowledgement is lost a link has room for them
_BETWEEN_CUTS = 0.1, 0.5  # seconds
_PATIENCE = 30.0  # seconds, for one portion
_WRITER, _READER = NodeId("writer"), NodeId("reader")


class _Cutter:
    """Resets every connection of the proxy, again and again; ``cuts`` counts."""

    def __init__(self, proxy: ChaosProxy, chance: random.Random) -> None:
        self._proxy, self._chance = proxy, chance
        self.cuts = 0

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            await asyncio.sleep(self._chance.uniform(*_BETWEEN_CUTS))
            self._proxy.cut()
            self.cuts += 1


@benchmark
async def letters_through_resets() -> AsyncIterator[Figure]:
    """In order and each once, over connections that live for a third of a second."""
    read: list[int] = []
    chance = random.Random(1)
    with running_redis() as redis:
        async with chaos_proxy(redis.port, chance) as proxy:
            cutter = _Cutter(proxy, chance)
            async with _node(_READER, proxy.port, read), _node(_WRITER, proxy.port, []) as writer:
                cutting = asyncio.create_task(cutter.run())
                await _write(writer, read)
                cutting.cancel()
    lost = _LETTERS - len(set(read))
    yield Figure("resets", cutter.cuts, "", at_least=10)
    yield Figure("lost", lost, f"of {_LETTERS}", at_most=0)
    yield Figure("read-twice", len(read) + lost - _LETTERS, "", at_most=0)
    yield Figure("overtaken", sum(a > b for a, b in pairwise(read)), "", at_most=0)


async def _write(writer: Nodes, read: list[int]) -> None:
    for first in range(0, _LETTERS, _AT_ONCE):
        for number in range(first, first + _AT_ONCE):
            letter = Moved(room=RoomId("Room"), epoch=number, node=_WRITER)
            writer.post(Post(_READER, letter))
        await until(_has(read, first + _AT_ONCE - _UNREAD), _PATIENCE)
    with contextlib.suppress(TimeoutError):  # what has not come by then is lost
        await until(_has(read, _LETTERS), _PATIENCE)


def _has(read: list[int], number: int) -> Callable[[], bool]:
    return lambda: len(read) >= number


@asynccontextmanager
async def _node(node: NodeId, port: int, read: list[int]) -> AsyncIterator[Nodes]:
    address = parse(f"redis://127.0.0.1:{port}")
    store = RedisStore(address, on_confusion=_fail)
    await store.start()
    made = Nodes(
        node,
        RedisMail(address, on_confusion=_fail),
        store,
        counters=Counters(),
        clock=asyncio.get_running_loop().time,
        chance=random.Random(2),
        sought=tuple,
        hear=lambda fact: _note(fact, read),
    )
    made.start()
    try:
        yield made
    finally:
        await made.stop()
        await store.stop()


def _note(fact: Fact, read: list[int]) -> None:
    if isinstance(fact, LetterReceived):
        read.append(fact.letter.epoch)


def _fail(error: ProgramError) -> None:
    raise error
