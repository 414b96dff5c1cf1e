"""How soon rooms are back when something dies, counted from the moment of its death."""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from tests.bench.connections import ROOMY
from tests.chaos.rig import knows_everybody, running_node_processes, running_sentinels
from tests.support.bench import Figure, benchmark, percentile
from tests.support.load import Load, load
from tests.support.load_script import Address
from tests.support.redis import running_redis
from tests.support.server import running_program

_CAMERAS = 300
_JOINS = 20.0  # a second, while Redis dies
_AWAY = 3.0  # seconds
_AT_ONCE = 1.0  # seconds that a join may take
_CROWD = 5_000  # cameras, and as many viewers
_STORM_SECONDS = 40.0  # that are waited for them


async def _events(run: Load) -> dict[str, Any]:
    await run.go()
    return await run.report()


@benchmark
async def node_killed() -> AsyncIterator[Figure]:
    """Kill -9 of one of two nodes: when its cameras have claimed at the other one."""
    with running_redis() as redis:
        async with running_node_processes([redis.url] * 2, *ROOMY) as nodes:
            addresses = [Address(*node.address) for node in nodes]
            async with load("fleet", addresses=addresses, cameras=_CAMERAS) as run:
                await run.report()
                died = time.monotonic()
                await nodes[0].kill()
                await asyncio.sleep(8)
                events = await _events(run)
    lost = {room for room, at in events["lost"] if at >= died}
    back = {room: at - died for room, at in events["claimed"] if at >= died}
    yield Figure("cameras", len(lost), "")
    yield Figure("p99", percentile((back.get(room, 99.0) for room in lost), 99), "s", at_most=3)


@benchmark
async def sentinel_failover() -> AsyncIterator[Figure]:
    """Kill -9 of the primary: when joins succeed again, and whether any peer lost its socket."""
    with running_sentinels() as rig:
        await knows_everybody(rig)
        async with _visited(rig.url) as run:
            died = time.monotonic()
            rig.primary.stop()
            await asyncio.sleep(12)
            events = await _events(run)
    for figure in _resumed(events, died, at_most=5):
        yield figure


@benchmark
async def redis_killed() -> AsyncIterator[Figure]:
    """Redis dies with all its data and is back, empty, three seconds later."""
    with running_redis() as redis:
        async with _visited(redis.url) as run:
            redis.stop()
            await asyncio.sleep(_AWAY)
            back = time.monotonic()
            await asyncio.to_thread(redis.start)
            await asyncio.sleep(10)
            events = await _events(run)
    for figure in _resumed(events, back, at_most=5):
        yield figure


@benchmark
async def rolling_restart() -> AsyncIterator[Figure]:
    """Each of two nodes is told to stop and started again, under fifty joins a second."""
    with running_redis() as redis:
        async with running_node_processes([redis.url] * 2, *ROOMY) as nodes:
            addresses = [Address(*node.address) for node in nodes]
            async with load("fleet", addresses=addresses, cameras=100, rate=50.0) as run:
                await run.report()
                for node in nodes:
                    await asyncio.sleep(2)
                    await node.terminate()
                    await node.start()
                await asyncio.sleep(2)
                until = time.monotonic()
                await asyncio.sleep(11)  # so long a person tries
                events = await _events(run)
    joins = [took for began, took in events["joins"] if began < until]
    yield Figure("joins", len(joins), "")
    yield Figure("failed", sum(took is None for took in joins), "", at_most=0)
    yield Figure("p99", percentile((took or 99.0 for took in joins), 99), "s")
    yield Figure("mix-ups", events["mix_ups"], "", at_most=0)


@benchmark
async def reconnect_storm() -> AsyncIterator[Figure]:
    """Five thousand cameras and as many viewers; their server is killed and started again."""
    async with AsyncExitStack() as stack:
        state = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "r.sqlite"
        program = await stack.enter_async_context(running_program(*ROOMY, state=state))
        run = await stack.enter_async_context(_crowd([Address(program.host, program.port)]))
        program.process.kill()
        await program.process.wait()
        died = time.monotonic()
        again = running_program(*ROOMY, state=state, port=program.port)
        await stack.enter_async_context(again)
        async for figure in _return(run, died):
            yield figure


@benchmark
async def reconnect_storm_of_two_nodes() -> AsyncIterator[Figure]:
    """The same crowd at two nodes, which die and are started again at once: half of it across."""
    async with AsyncExitStack() as stack:
        redis = stack.enter_context(running_redis())
        nodes = await stack.enter_async_context(running_node_processes([redis.url] * 2, *ROOMY))
        addresses = [Address(*node.address) for node in nodes]
        run = await stack.enter_async_context(_crowd(addresses))
        await asyncio.gather(*(node.kill() for node in nodes))
        died = time.monotonic()
        await asyncio.gather(*(node.start() for node in nodes))
        async for figure in _return(run, died):
            yield figure


@asynccontextmanager
async def _crowd(addresses: list[Address]) -> AsyncIterator[Load]:
    """Ten thousand, and all are there."""
    async with load("fleet", addresses=addresses, cameras=_CROWD, viewers=_CROWD) as run:
        await run.report()
        yield run


async def _return(run: Load, died: float) -> AsyncIterator[Figure]:
    events = await _events(run)
    while not (back := _all_back(events, died)) and time.monotonic() - died < _STORM_SECONDS:
        await asyncio.sleep(1)
        events = await _events(run)
    yield Figure("cameras-back", _last(events["claimed"], died), "s")
    yield Figure("all-back", back or 99.0, "s", at_most=30)
    yield Figure("mix-ups", events["mix_ups"], "", at_most=0)


def _all_back(events: dict[str, Any], died: float) -> float:
    back = [_last(events[kind], died) for kind in ("claimed", "watched")]
    return max(back) if all(back) else 0.0


def _last(events: list[tuple[str, float]], died: float) -> float:
    """Seconds until the last room was back for good; 0: not all are."""
    since = {room: at - died for room, at in events if at > died}
    return max(since.values()) if len(since) == _CROWD else 0.0


@asynccontextmanager
async def _visited(redis: str) -> AsyncIterator[Load]:
    """Two nodes, and people who come all the time."""
    async with running_node_processes([redis] * 2, *ROOMY) as nodes:
        addresses = [Address(*node.address) for node in nodes]
        async with load("fleet", addresses=addresses, cameras=50, viewers=50, rate=_JOINS) as run:
            await run.report()
            yield run


def _resumed(events: dict[str, Any], since: float, *, at_most: float) -> Iterator[Figure]:
    # When the last one is in who had to wait, and nobody waits any more.
    waited = [(began, took) for began, took in events["joins"] if (took or 99.0) > _AT_ONCE]
    resumed = max(began + (took or 99.0) for began, took in waited) - since
    yield Figure("joins-that-waited", len(waited), "", at_least=1)
    yield Figure("joins-resume", resumed, "s", at_most=at_most)
    dropped = sum(at >= since for _, at in events["lost"])
    yield Figure("cameras-dropped", dropped, "", at_most=0)
    yield Figure("mix-ups", events["mix_ups"], "", at_most=0)
