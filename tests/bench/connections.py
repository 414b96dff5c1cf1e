"""What an idle connection costs, beside PeerJS's server under the same load."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support.bench import Figure, benchmark
from tests.support.load import load
from tests.support.load_script import Address
from tests.support.peerjs import running_peerjs
from tests.support.processes import resident
from tests.support.server import Program, running_program

WARM_UP = 500  # connections, until the allocators have their arenas
COUNT = 3_000  # more, measured


@asynccontextmanager
async def roomy_server(*arguments: str) -> AsyncIterator[Program]:
    """A server that takes a load from one address and of one key."""
    words = ("--strangers-per-address", "100000", "--strangers", "100000")
    places = ("--viewers-per-room", "1000", "--rooms-per-key", "1000000")
    with tempfile.TemporaryDirectory() as name:
        state = Path(name) / "r.sqlite"
        async with running_program(*words, *places, *arguments, state=state) as program:
            yield program


async def cost(program: Program, kind: str, *, count: int = COUNT) -> float:
    """Bytes that one more idle connection costs the server."""
    address = Address(program.host, program.port)
    async with load("hold", kind=kind, address=address, counts=[WARM_UP, WARM_UP + count]) as run:
        await run.report()
        before = resident(program.process.pid)
        await run.go()
        report = await run.report()
        assert report["held"] == WARM_UP + count, report
        return (resident(program.process.pid) - before) / count


@benchmark
async def idle_connection() -> AsyncIterator[Figure]:
    for kind in ("camera", "viewer", "websocket_camera"):
        async with roomy_server() as program:
            yield Figure(kind, await cost(program, kind) / 1000, "KB")
    async with running_peerjs(connections=100_000) as program:
        yield Figure("peerjs", await cost(program, "peer") / 1000, "KB")
