"""What is done to real processes while people use them; afterwards their history is checked."""

import asyncio
import random
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

from tests.chaos.crowd import Crowd
from tests.chaos.rig import (
    NodeProcess,
    SentinelRig,
    knows_everybody,
    pause,
    running_node_processes,
    running_proxies,
    running_sentinels,
)
from tests.support.chaos_proxy import ChaosProxy
from tests.support.history import Claimed, Record, Violation, check
from tests.support.redis import RedisServer, running_redis
from tests.support.waiting import until

_OPTIONS = ("--strangers-per-address", "10000", "--strangers", "10000")
_NODES = 3
_ROOMS = 4  # owners; each has a key room, with two cameras, and an open room

_MET = 5, 50  # claims, deliveries
_NEVER = ("another room", "efect")  # in the log of a node

Trouble = Callable[[], Awaitable[None]]


@dataclass
class Verdict:
    """What came of a trial."""

    troubles: Counter[str]
    claims: int
    deliveries: int
    violations: list[Violation]

    def __str__(self) -> str:
        done = ", ".join(f"{count} × {name}" for name, count in sorted(self.troubles.items()))
        return (
            f"{done}: {self.claims} claims, {self.deliveries} deliveries, "
            f"{len(self.violations)} violations"
        )


async def _suffer(
    nodes: list[NodeProcess], troubles: list[Trouble], seed: int, seconds: float
) -> Verdict:
    chance, done = random.Random(seed), Counter[str]()
    crowd = Crowd(seed, [node.address for node in nodes], rooms=_ROOMS)
    crowd.comes()
    await until(lambda: _lively(crowd.history))
    end = crowd.now + seconds
    await pause(4, chance)
    for trouble in _endlessly(troubles, chance):
        await trouble()
        done[trouble.__name__.strip("_").replace("_", " ")] += 1
        await pause(3, chance)
        if crowd.now >= end:
            break
    await crowd.goes()
    for node in nodes:
        await node.kill()
    history = crowd.history
    claims = sum(isinstance(record, Claimed) for record in history)
    violations = [*check(history, crowd.owners), *_confessions(nodes)]
    return Verdict(done, claims, len(history) - claims, violations)


def _lively(history: list[Record]) -> bool:
    """Whether people have met, however slow the machine is: else there is nothing to mix up."""
    claims = sum(isinstance(record, Claimed) for record in history)
    return claims > _MET[0] and len(history) - claims > _MET[1]


def _endlessly(troubles: list[Trouble], chance: random.Random) -> Iterator[Trouble]:
    while True:
        yield from chance.sample(troubles, len(troubles))


def _confessions(nodes: list[NodeProcess]) -> list[Violation]:
    # A hub drops what was about to reach another room, and says so.
    said = [line for node in nodes for line in node.errors]
    return [Violation("log", line) for line in said if any(word in line for word in _NEVER)]


def _node_troubles(nodes: list[NodeProcess], chance: random.Random) -> list[Trouble]:
    async def kill_of_a_node() -> None:
        node = chance.choice(nodes)
        await node.kill()
        await pause(2, chance)
        await node.start()

    async def stop_of_a_node() -> None:
        node = chance.choice(nodes)
        node.send(signal.SIGSTOP)
        await pause(8, chance)
        node.send(signal.SIGCONT)

    return [kill_of_a_node, stop_of_a_node]


# ── Sentinel ─────────────────────────────────────────────────────────────────────────────────


async def split_brain(seed: int, seconds: float) -> Verdict:
    """SIGSTOP of the primary, promotion, SIGCONT: for a while there are two."""
    chance = random.Random(seed)
    with running_sentinels() as rig:
        await knows_everybody(rig)
        async with running_node_processes([rig.url] * _NODES, *_OPTIONS) as nodes:
            troubles = [_split(rig, chance), *_node_troubles(nodes, chance)]
            return await _suffer(nodes, troubles, seed, seconds)


def _split(rig: SentinelRig, chance: random.Random) -> Trouble:
    async def split_brain() -> None:
        old = rig.primary
        old.pause()
        try:
            await rig.promoted(old)
            await pause(3, chance)
        finally:
            old.resume()
        await pause(6, chance)

    return split_brain


# ── one Redis, behind proxies ────────────────────────────────────────────────────────────────


async def bad_lines(seed: int, seconds: float) -> Verdict:
    """Delays, silence, cuts; Redis killed and back, empty."""
    chance = random.Random(seed)
    with running_redis() as server:
        async with (
            running_proxies(server, _NODES, chance) as proxies,
            running_node_processes(
                [f"redis://127.0.0.1:{proxy.port}" for proxy in proxies], *_OPTIONS
            ) as nodes,
        ):
            troubles = [*_line_troubles(proxies, server, chance), *_node_troubles(nodes, chance)]
            return await _suffer(nodes, troubles, seed, seconds)


def _line_troubles(
    proxies: list[ChaosProxy], server: RedisServer, chance: random.Random
) -> list[Trouble]:
    async def slow_line() -> None:
        proxy = chance.choice(proxies)
        proxy.slowest = chance.uniform(0.05, 0.5)
        await pause(5, chance)
        proxy.slowest = 0.0

    async def silent_line() -> None:
        proxy = chance.choice(proxies)
        proxy.stall()
        await pause(8, chance)
        proxy.pass_on()

    async def cut_line() -> None:
        for proxy in chance.sample(proxies, 2):
            proxy.cut()

    async def loss_of_all_data() -> None:
        server.stop()
        await pause(2, chance)
        await asyncio.to_thread(server.start)

    return [slow_line, silent_line, cut_line, loss_of_all_data]
