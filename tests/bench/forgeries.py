"""Claims with a stolen room ID and no key: how many pass, and how alike refusals take."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from itertools import cycle, islice
from pathlib import Path

from rendezvous.wire.messages import Error
from tests.support.bench import Figure, benchmark, median
from tests.support.forgeries import KINDS, Thief, accepted
from tests.support.peers import Key, Peer, claim, connect, signed_claim
from tests.support.server import running_server

FORGERIES = 100_000
PAIRS = 20  # of refusals of each kind on a connection: within the burst that is read at once
CONNECTIONS = 10


@benchmark
async def forgeries() -> AsyncIterator[Figure]:
    """All kinds in turn through the core's check; then names that are taken, and forbidden."""
    thief = Thief()
    taken = sum(accepted(thief, kind) for kind in islice(cycle(KINDS), FORGERIES))
    yield Figure("claims forged", FORGERIES, f"of {len(KINDS)} kinds", at_least=FORGERIES)
    yield Figure("accepted", taken, "claims", at_most=0)
    times = await _refusals()
    for name, seconds in times.items():
        yield Figure(f"refusal of a {name} name, median", 1000 * median(seconds), "ms")


async def _refusals() -> dict[str, list[float]]:
    times: dict[str, list[float]] = {"Taken": [], "Forbidden": []}
    owner = Key()
    with tempfile.TemporaryDirectory() as folder:
        allowed = Path(folder) / "rooms"
        allowed.write_text("Taken\n")
        async with (
            running_server(allowed_rooms=allowed) as server,
            connect(server.host, server.port) as camera,
        ):
            await claim(camera, owner, "Taken")
            for _ in range(CONNECTIONS):
                async with connect(server.host, server.port) as stranger:
                    for _ in range(PAIRS):
                        for room, seconds in times.items():
                            seconds.append(await _refusal(stranger, room))
    return times


async def _refusal(stranger: Peer, room: str) -> float:
    clock = asyncio.get_running_loop().time
    message = signed_claim(stranger.welcome, Key(), room=room, origin=stranger.origin)
    began = clock()
    await stranger.send(message)
    await stranger.expect(Error)
    return clock() - began
