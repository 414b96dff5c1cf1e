"""Real processes, and what is done to them: Redis with Sentinels, nodes, and proxies in between."""

import asyncio
import random
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import redis

from tests.support.chaos_proxy import ChaosProxy, chaos_proxy
from tests.support.ports import free_port
from tests.support.redis import RedisServer, running_redis, running_replica
from tests.support.server import Program, running_program
from tests.support.waiting import until

_SERVICE = "rooms"
_DOWN_AFTER = 1_000  # ms


class NodeProcess:
    """``rendezvous`` on one port, killed and started again at will."""

    def __init__(self, redis_address: str, *options: str) -> None:
        self.port = free_port()
        self._options = ("--redis", redis_address, "--log-level", "error", *options)
        self._stack = AsyncExitStack()
        self._program: Program | None = None
        self.errors: list[str] = []
        """What it wrote to its log, over all its lives."""

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens, when it lives."""
        return "127.0.0.1", self.port

    @property
    def pid(self) -> int:
        """Of the process that lives."""
        assert self._program is not None
        return self._program.process.pid

    async def start(self) -> None:
        """Once it listens."""
        running = running_program(*self._options, state=None, port=self.port)
        self._program = await self._stack.enter_async_context(running)

    async def kill(self) -> None:
        """SIGKILL. Idempotent."""
        if self._program is not None:
            self.send(signal.SIGKILL)
            await self._end()

    async def _end(self) -> None:
        program, self._program = self._program, None
        assert program is not None
        _, errors = await program.ended()
        self.errors += errors.splitlines()
        await self._stack.aclose()

    async def terminate(self) -> None:
        """As a rolling restart does: it drains, and ends by itself."""
        self.send(signal.SIGTERM)
        await self._end()

    def send(self, number: signal.Signals) -> None:
        """A signal."""
        assert self._program is not None
        self._program.process.send_signal(number)


@asynccontextmanager
async def running_node_processes(
    redis_addresses: list[str], *options: str
) -> AsyncIterator[list[NodeProcess]]:
    """A node for each address of their Redis."""
    nodes = [NodeProcess(address, *options) for address in redis_addresses]
    try:
        for node in nodes:
            await node.start()
        yield nodes
    finally:
        for node in nodes:
            await node.kill()


class SentinelRig:
    """A primary, two replicas, three Sentinels of which two decide."""

    def __init__(self, servers: list[RedisServer], ports: list[int]) -> None:
        self._servers = servers
        self._ports = ports

    @property
    def url(self) -> str:
        """What --redis takes."""
        hosts = ",".join(f"127.0.0.1:{port}" for port in self._ports)
        return f"redis+sentinel://{hosts}/{_SERVICE}"

    @property
    def primary(self) -> RedisServer:
        """The one that the Sentinels agree on."""
        with redis.Redis(port=self._ports[0], protocol=2, decode_responses=True) as client:
            found = client.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", _SERVICE)
        assert isinstance(found, list)
        return next(server for server in self._servers if server.port == int(found[1]))

    async def promoted(self, old: RedisServer) -> None:
        """Waits until another one is the primary."""
        await until(lambda: self.primary is not old)


@contextmanager
def running_sentinels() -> Iterator[SentinelRig]:
    """Once each Sentinel knows all the others."""
    with ExitStack() as stack:
        primary = stack.enter_context(running_redis("--repl-backlog-size", "10mb"))
        replicas = [stack.enter_context(running_replica(primary)) for _ in range(2)]
        ports = [stack.enter_context(_sentinel(primary)) for _ in range(3)]
        yield SentinelRig([primary, *replicas], ports)


@contextmanager
def _sentinel(primary: RedisServer) -> Iterator[int]:
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "sentinel.conf"
        file.write_text(
            f"port {port}\nbind 127.0.0.1\n"
            f"sentinel monitor {_SERVICE} 127.0.0.1 {primary.port} 2\n"
            f"sentinel down-after-milliseconds {_SERVICE} {_DOWN_AFTER}\n"
            f"sentinel failover-timeout {_SERVICE} 3000\n"
        )
        process = subprocess.Popen(("redis-sentinel", file), cwd=folder, stdout=subprocess.DEVNULL)
        try:
            yield port
        finally:
            process.kill()
            process.wait()


async def knows_everybody(rig: SentinelRig) -> None:
    """Waits until every Sentinel has found the other two and both replicas."""
    await until(lambda: all(_known(port) == (2, 2) for port in rig._ports))


def _known(port: int) -> tuple[int, int]:
    try:
        with redis.Redis(port=port, protocol=2) as client:
            answers = [
                client.execute_command("SENTINEL", what, _SERVICE)
                for what in ("SENTINELS", "REPLICAS")
            ]
    except redis.RedisError:
        return 0, 0
    return len(answers[0]), len(answers[1])


@asynccontextmanager
async def running_proxies(
    server: RedisServer, number: int, chance: random.Random
) -> AsyncIterator[list[ChaosProxy]]:
    """Each node has a way of its own to the same Redis."""
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(chaos_proxy(server.port, chance)) for _ in range(number)
        ]


async def pause(seconds: float, chance: random.Random) -> None:
    """Some time between half and the whole of it."""
    await asyncio.sleep(chance.uniform(seconds / 2, seconds))
