"""Several rendezvous nodes in this process, over one real Redis."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from rendezvous.program.errors import ProgramError
from rendezvous.relay.inbox import RedisMail
from rendezvous.rooms.limits import Limits
from rendezvous.stores.redis.address import parse
from rendezvous.stores.redis.store import RedisStore
from rendezvous.wire.identity import NodeId
from tests.support.server import Running, running_server
from tests.support.waiting import PATIENCE

TTL = 15.0  # seconds; a lease


def _fail(error: ProgramError) -> None:
    raise error


@dataclass
class Node:
    """One of them."""

    running: Running
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    @property
    def host(self) -> str:
        """Where it listens."""
        return self.running.host

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.running.port

    @property
    def id(self) -> NodeId:
        """Its name among nodes."""
        node = self.running.server.core.book.node
        assert node is not None
        return node

    def counted(self, name: str) -> int:
        """How often this was counted."""
        return self.running.server.counters.totals[name]

    async def stop(self) -> None:
        """It leaves in order. Idempotent."""
        await self.stack.aclose()

    async def die(self) -> None:
        """It is gone without a word, to peers and to nodes alike. Idempotent."""
        hub = self.running.server._hub
        nodes = hub._nodes
        assert nodes is not None
        for task in nodes._tasks:
            task.cancel()
        nodes._tasks = []
        await nodes._mail.stop()
        for name in ("release", "renew"):
            setattr(hub._registry, name, lambda *_: None)
        await self.stop()


@asynccontextmanager
async def running_nodes(
    redis: str, number: int = 2, *, ttl: float = TTL, limits: Limits | None = None, **more: Any
) -> AsyncIterator[list[Node]]:
    """Nodes that share the Redis at this address."""
    address = parse(redis)
    nodes: list[Node] = []
    async with AsyncExitStack() as all_of_them:
        for _ in range(number):
            store = RedisStore(address, ttl=ttl, deadline=PATIENCE, on_confusion=_fail)
            mail = RedisMail(address, on_confusion=_fail)
            context = running_server(store=store, mail=mail, limits=limits, **more)
            stack = await all_of_them.enter_async_context(AsyncExitStack())
            nodes.append(Node(await stack.enter_async_context(context), stack))
        yield nodes
