"""How fast cameras and viewers meet: on one node, across two, and through PeerJS's server."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

from rendezvous.stores.contract import Claimant
from rendezvous.stores.redis.address import parse
from rendezvous.stores.redis.store import RedisStore
from rendezvous.wire.identity import ConnectionId, NodeId, Owner, RoomId
from tests.bench.connections import ROOMY, roomy_server
from tests.chaos.rig import running_node_processes
from tests.support.bench import Figure, benchmark, median, percentile
from tests.support.load import load
from tests.support.load_script import Address
from tests.support.peerjs import running_peerjs
from tests.support.redis import running_redis

_RATE = 300.0  # joins a second
_EASY = 50.0
_SECONDS = 10.0
_ROOMS = 50


def _figures(report: dict[str, Any], *, at_most: float) -> Iterator[Figure]:
    pairings = report["pairings"]
    yield Figure("joins", len(pairings) / _SECONDS, "/s", at_least=_RATE * 0.99)
    yield Figure("median", 1000 * median(pairings), "ms")
    yield Figure("p99", 1000 * percentile(pairings, 99), "ms", at_most=at_most)
    yield Figure("failed", sum(report["failures"].values()), "", at_most=0)
    yield Figure("mix-ups", report["mix_ups"], "", at_most=0)


async def _pairs(cameras: Address, viewers: Address, *, rate: float = _RATE) -> dict[str, Any]:
    where = {"camera_address": cameras, "viewer_address": viewers}
    async with load("pairs", **where, rooms=_ROOMS, rate=rate, seconds=_SECONDS) as run:
        return await run.report()


@benchmark
async def joins_on_one_node() -> AsyncIterator[Figure]:
    """300 a second; the pairing is from ``join`` to the camera's answer."""
    async with roomy_server() as program:
        address = Address(program.host, program.port)
        report = await _pairs(address, address)
    for figure in _figures(report, at_most=10):
        yield figure


@benchmark
async def joins_beside_peerjs() -> AsyncIterator[Figure]:
    """From the dial to the camera's answer, at a rate that leaves both servers time."""
    async with roomy_server() as program:
        address = Address(program.host, program.port)
        ours = await _pairs(address, address, rate=_EASY)
    async with running_peerjs(connections=100_000) as program:
        where = {"address": Address(program.host, program.port)}
        async with load("peer_pairs", **where, peers=_ROOMS, rate=_EASY, seconds=_SECONDS) as run:
            theirs = await run.report()
    for name, report in (("ours", ours), ("peerjs", theirs)):
        yield Figure(f"{name}.median", 1000 * median(report["dials"]), "ms")
        yield Figure(f"{name}.p99", 1000 * percentile(report["dials"], 99), "ms")
    ratio = median(theirs["dials"]) / median(ours["dials"])
    yield Figure("times-as-fast", ratio, "", at_least=1)


@benchmark
async def joins_across_nodes() -> AsyncIterator[Figure]:
    """Cameras at one node, viewers at another, over one Redis."""
    with running_redis() as redis:
        async with running_node_processes([redis.url] * 2, *ROOMY) as nodes:
            report = await _pairs(*(Address(*node.address) for node in nodes))
    for figure in _figures(report, at_most=25):
        yield figure


# ── claims ───────────────────────────────────────────────────────────────────────────────────

_CLAIMS = 20_000
_AT_ONCE = 16


@benchmark
async def store_claims() -> AsyncIterator[Figure]:
    """The Redis store alone: rooms that change hands, many at once, from one process."""
    with running_redis() as redis:
        store = RedisStore(parse(redis.url), rooms_per_owner=_CLAIMS, on_confusion=_fail)
        await store.start()
        times: list[float] = []
        numbers = iter(range(_CLAIMS))
        began = time.perf_counter()
        await asyncio.gather(*(_claim(store, numbers, times) for _ in range(_AT_ONCE)))
        seconds = time.perf_counter() - began
        await store.stop()
    yield Figure("claims", _CLAIMS / seconds, "/s", at_least=5_000)
    yield Figure("p99", 1000 * percentile(times, 99), "ms", at_most=10)


def _fail(error: Exception) -> None:
    raise error


async def _claim(store: RedisStore, numbers: Iterator[int], times: list[float]) -> None:
    for number in numbers:
        room = number % 300
        claimant = Claimant(Owner(f"o{room}"), NodeId("n"), ConnectionId(f"c{number}"))
        began = time.perf_counter()
        await store.claim(RoomId(f"Room{room}"), claimant, None)
        times.append(time.perf_counter() - began)


@benchmark
async def signed_claims() -> AsyncIterator[Figure]:
    """Whole claims, with their signatures, by cameras of one node over Redis."""
    with running_redis() as redis:
        async with running_node_processes([redis.url], *ROOMY) as (node,):
            where = {"address": Address(*node.address)}
            async with load("claims", **where, connections=500, rounds=20, at_once=16) as run:
                report = await run.report()
    yield Figure("claims", len(report["times"]) / report["seconds"], "/s", at_least=5_000)
    yield Figure("p99", 1000 * percentile(report["times"], 99), "ms", at_most=10)
