"""The loads themselves, each a coroutine that reports through its ``Control``."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Protocol, TypeVar

from tests.support import load_script
from tests.support.load_peers import Gone, Talker
from tests.support.load_script import Address, MixUpError, RefusedError

_AT_ONCE = 100  # dials that are under way
_T = TypeVar("_T")

FAILURES = (OSError, Gone, RefusedError, TimeoutError)


class Control(Protocol):
    """How a load speaks with who started it."""

    def say(self, **report: Any) -> None:
        """Reports."""

    async def told(self) -> None:
        """Waits until it may go on."""


async def each(items: Iterable[_T], work: Callable[[_T], Awaitable[Any]]) -> Counter[str]:
    """Does the work for each, a hundred at a time; how often it failed, by reason."""
    failures: Counter[str] = Counter()
    waiting = iter(items)

    async def worker() -> None:
        for item in waiting:
            try:
                await work(item)
            except FAILURES as error:
                failures[getattr(error, "code", type(error).__name__)] += 1

    await asyncio.gather(*(worker() for _ in range(_AT_ONCE)))
    return failures


# ── idle connections ─────────────────────────────────────────────────────────────────────────

_VIEWERS_PER_ROOM = 1_000  # as many as the server can be told to admit

KINDS: dict[str, Callable[[Address, int], Awaitable[Talker]]] = {
    "camera": lambda address, n: _camera(address, f"Held{n}"),
    "viewer": lambda address, n: load_script.waiting_viewer(
        address, f"Held{n // _VIEWERS_PER_ROOM}"
    ),
    "peer": lambda address, n: load_script.peer(address, f"held-{n}"),
}


async def _camera(address: Address, room: str) -> Talker:
    return (await load_script.camera(address, room)).talker


async def hold(control: Control, *, kind: str, address: Address, counts: list[int]) -> None:
    """Opens connections until there are so many, reports, and goes on to the next number."""
    held: list[Talker] = []
    if kind == "viewer":
        await _found_rooms(address, max(counts))

    async def dial(number: int) -> None:
        held.append(await KINDS[kind](address, number))

    for count in counts:
        began = time.monotonic()
        failures = await each(range(len(held), count), dial)
        control.say(
            seconds=time.monotonic() - began,
            held=sum(talker.open for talker in held),
            failures=failures,
        )
        await control.told()
    control.say(held=sum(talker.open for talker in held))
    await control.told()


async def _found_rooms(address: Address, viewers: int) -> None:
    # Viewers can wait in rooms that the store knows, whose cameras have gone.
    for number in range(-(-viewers // _VIEWERS_PER_ROOM)):
        (await _camera(address, f"Held{number}")).hang_up()


# ── pairing ──────────────────────────────────────────────────────────────────────────────────


class _Pairs:
    """Pairs at a steady rate, whatever they take: nobody waits for the one before (open loop)."""

    def __init__(self, once: Callable[[int], Awaitable[tuple[float, float]]]) -> None:
        self._once = once
        self.dials: list[float] = []
        self.pairings: list[float] = []
        self.failures: Counter[str] = Counter()
        self.mix_ups = 0

    async def run(self, rate: float, seconds: float) -> None:
        """``rate`` pairs a second."""
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for number in range(int(rate * seconds)):
                await asyncio.sleep(began + number / rate - time.monotonic())
                group.create_task(self._try(number))

    async def _try(self, number: int) -> None:
        try:
            dial, pairing = await self._once(number)
        except MixUpError:
            self.mix_ups += 1
        except FAILURES as error:
            self.failures[getattr(error, "code", type(error).__name__)] += 1
        else:
            self.dials.append(dial)
            self.pairings.append(pairing)

    def report(self, control: Control) -> None:
        """All of it, times in seconds."""
        control.say(
            dials=self.dials,
            pairings=self.pairings,
            failures=self.failures,
            mix_ups=self.mix_ups,
        )


async def pairs(
    control: Control,
    *,
    camera_address: Address,
    viewer_address: Address,
    rooms: int,
    rate: float,
    seconds: float,
) -> None:
    """Viewers come to one server, are paired with cameras of the same or another one, and go."""
    answering = []
    for number in range(rooms):
        camera = await load_script.camera(camera_address, f"Pair{number}")
        answering.append(asyncio.create_task(camera.attend()))

    async def once(number: int) -> tuple[float, float]:
        began = time.perf_counter()
        talker = await viewer_address.frames()
        try:
            welcome = await load_script.greet(talker)
            ready = time.perf_counter()
            await load_script.pair(talker, welcome, f"Pair{number % rooms}")
            return time.perf_counter() - began, time.perf_counter() - ready
        finally:
            talker.hang_up()

    await _measure(control, once, rate, seconds)


async def peer_pairs(
    control: Control, *, address: Address, peers: int, rate: float, seconds: float
) -> None:
    """The same with PeerJS's server."""
    answering = []
    for number in range(peers):
        talker = await load_script.peer(address, f"camera-{number}")
        answering.append(asyncio.create_task(load_script.attend_peers(talker)))

    async def once(number: int) -> tuple[float, float]:
        began = time.perf_counter()
        talker = await load_script.peer(address, await load_script.peer_name(address))
        try:
            ready = time.perf_counter()
            await load_script.pair_peers(talker, f"camera-{number % peers}")
            return time.perf_counter() - began, time.perf_counter() - ready
        finally:
            talker.hang_up()

    await _measure(control, once, rate, seconds)


async def _measure(
    control: Control,
    once: Callable[[int], Awaitable[tuple[float, float]]],
    rate: float,
    seconds: float,
) -> None:
    await _Pairs(once).run(rate, 1)  # warms both ends up
    measured = _Pairs(once)
    await measured.run(rate, seconds)
    measured.report(control)
    await control.told()


# ── claims ───────────────────────────────────────────────────────────────────────────────────


async def claims(
    control: Control, *, address: Address, connections: int, rounds: int, at_once: int
) -> None:
    """So many claims are under way at any time; each connection makes its own again and again."""
    peers = []
    for number in range(connections):
        talker = await address.lines()
        welcome = await load_script.greet(talker)
        peers.append((talker, load_script.claim_of(welcome, address, f"Claimed{number}")))
    times: list[float] = []
    waiting = iter([peer for _ in range(rounds) for peer in peers])

    async def worker() -> None:
        for talker, claim in waiting:
            began = time.perf_counter()
            await load_script.claim_again(talker, claim)
            times.append(time.perf_counter() - began)

    began = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(at_once)))
    control.say(times=times, seconds=time.perf_counter() - began)
    await control.told()
