"""What an idle connection costs, and how many there may be; PeerJS's server has the same load."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support.bench import Figure, benchmark
from tests.support.certificates import write_certificate
from tests.support.load import load
from tests.support.load_script import Address
from tests.support.peerjs import running_peerjs
from tests.support.processes import processor_seconds, resident
from tests.support.server import Program, running_program

_WARM_UP = 500  # connections, until the allocators have their arenas
_COUNT = 3_000  # more, measured
_MANY = 15_000
_IDLE_SECONDS = 5.0

ROOMY = (
    *("--strangers-per-address", "100000", "--strangers", "100000"),
    *("--viewers-per-room", "1000", "--rooms-per-key", "1000000"),
)
"""Options of a server that takes its load from one address and of one key."""


@asynccontextmanager
async def roomy_server(*options: str) -> AsyncIterator[Program]:
    """One node, without Redis."""
    with tempfile.TemporaryDirectory() as name:
        async with running_program(*ROOMY, *options, state=Path(name) / "r.sqlite") as program:
            yield program


async def _cost(program: Program, kind: str, address: Address) -> float:
    """Kilobytes that one more idle connection costs the server."""
    counts = [_WARM_UP, _WARM_UP + _COUNT]
    async with load("hold", kind=kind, address=address, counts=counts) as run:
        await run.report()
        before = resident(program.process.pid)
        await run.go()
        report = await run.report()
        assert report["held"] == counts[-1], report
        return (resident(program.process.pid) - before) / _COUNT / 1000


@benchmark
async def idle_connection() -> AsyncIterator[Figure]:
    """Cameras over TCP and viewers over WebSocket, in clear, beside PeerJS's peers."""
    costs = {}
    for kind, most in (("camera", 6), ("viewer", 15)):
        async with roomy_server() as program:
            costs[kind] = await _cost(program, kind, Address(program.host, program.port))
        yield Figure(kind, costs[kind], "KB", at_most=most)
    async with running_peerjs(connections=100_000) as program:
        peerjs = await _cost(program, "peer", Address(program.host, program.port))
    yield Figure("peerjs", peerjs, "KB")
    yield Figure("cameras-for-a-peerjs-peer", peerjs / costs["camera"], "", at_least=2)
    yield Figure("viewers-for-a-peerjs-peer", peerjs / costs["viewer"], "", at_least=0.8)


@benchmark
async def idle_tls_connection() -> AsyncIterator[Figure]:
    """The same over TLS; PeerJS's server leaves that to a proxy."""
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "cert.pem"
        write_certificate(file)
        for kind, most in (("camera", 32), ("viewer", 40)):
            async with roomy_server("--tls-cert", str(file)) as program:
                address = Address(program.host, program.port, str(file))
                cost = await _cost(program, kind, address)
            yield Figure(kind, cost, "KB", at_most=most)


@benchmark
async def connections_held() -> AsyncIterator[Figure]:
    """Cameras that one process holds, and what it does while nothing happens but pings."""
    async with roomy_server() as program:
        address = Address(program.host, program.port)
        async with load("hold", kind="camera", address=address, counts=[_MANY]) as run:
            report = await run.report()
            yield Figure("held", report["held"], "", at_least=_MANY)
            yield Figure("claims", report["held"] / report["seconds"], "/s")
            spent = await processor_seconds(program.process.pid, during=_IDLE_SECONDS)
            yield Figure("processor", 100 * spent / _IDLE_SECONDS, "%")
            yield Figure("memory", resident(program.process.pid) / 1e6, "MB")
            await run.go()
            still = (await run.report())["held"]
            yield Figure("still-held", still, "", at_least=_MANY)
