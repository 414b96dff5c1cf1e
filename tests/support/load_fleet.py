"""A load that comes back: cameras and viewers whose servers die, and people who join meanwhile."""

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable

from publisher.supervisor.backoff import Backoff
from tests.support import load_script
from tests.support.load_peers import Gone, Talker
from tests.support.load_runs import FAILURES, Control
from tests.support.load_script import Address, MixUpError

_BACKOFF = 0.25, 5.0  # seconds
_STAYED = 2.0  # seconds after which a connection was a success
_PATIENCE = 10.0  # seconds that a person tries
_ATTEMPT = 3.0  # seconds that one try may take


class _Fleet:
    """Cameras that come back to any of the servers, and viewers who join them all the time.

    Times are those of CLOCK_MONOTONIC, which all processes share.
    """

    def __init__(self, addresses: list[Address], chance: random.Random) -> None:
        self._addresses = addresses
        self._chance = chance
        self.claimed: list[tuple[str, float]] = []
        self.lost: list[tuple[str, float]] = []
        self.watched: list[tuple[str, float]] = []
        self.joins: list[tuple[float, float | None]] = []
        self.mix_ups = 0

    async def camera(self, room: str) -> None:
        """Claims, answers, comes back: for ever."""
        await self._keep(room, self._serve)

    async def viewer(self, room: str) -> None:
        """Joins, stays, comes back: for ever."""
        await self._keep(room, self._watch)

    async def _keep(self, room: str, once: Callable[[Address, str], Awaitable[None]]) -> None:
        backoff = Backoff(*_BACKOFF)
        address = self._chance.choice(self._addresses)
        while True:
            began = time.monotonic()
            with contextlib.suppress(*FAILURES):
                await once(address, room)
            if time.monotonic() - began > _STAYED:
                backoff.reset()
            await asyncio.sleep(backoff.next())
            address = self._addresses[(self._addresses.index(address) + 1) % len(self._addresses)]

    async def _serve(self, address: Address, room: str) -> None:
        camera = await load_script.camera(address, room)
        self.claimed.append((room, time.monotonic()))
        await camera.attend()
        self.lost.append((room, time.monotonic()))
        camera.talker.hang_up()

    async def _watch(self, address: Address, room: str) -> None:
        async with asyncio.timeout(_PATIENCE):
            talker = await address.frames()
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._pair(talker, room)
            self.watched.append((room, time.monotonic()))
            with contextlib.suppress(Gone):
                while True:
                    await talker.hear()
        finally:
            talker.hang_up()

    async def _pair(self, talker: Talker, room: str) -> None:
        try:
            await load_script.pair(talker, await load_script.greet(talker), room)
        except MixUpError:
            self.mix_ups += 1

    async def joins_at(self, rate: float, rooms: int) -> None:
        """New viewers, ``rate`` a second; each tries for so long as a person would."""
        number = 0
        async with asyncio.TaskGroup() as group:
            while True:
                group.create_task(self._join(f"Fleet{number % rooms}"))
                number += 1
                await asyncio.sleep(1 / rate)

    async def _join(self, room: str) -> None:
        began, place = time.monotonic(), len(self.joins)
        self.joins.append((began, None))
        address = self._chance.choice(self._addresses)
        while time.monotonic() - began < _PATIENCE:
            with contextlib.suppress(*FAILURES):
                await self._join_at(address, room)
                self.joins[place] = began, time.monotonic() - began
                return
            await asyncio.sleep(self._chance.uniform(0.05, 0.3))
            address = self._addresses[(self._addresses.index(address) + 1) % len(self._addresses)]

    async def _join_at(self, address: Address, room: str) -> None:
        talker = await address.frames()
        try:
            async with asyncio.timeout(_ATTEMPT):
                await self._pair(talker, room)
        finally:
            talker.hang_up()


async def fleet(
    control: Control,
    *,
    addresses: list[Address],
    cameras: int,
    viewers: int = 0,
    rate: float = 0.0,
) -> None:
    """Reports when all are there; then at each word what has happened since the start."""
    made = _Fleet(addresses, random.Random(1))
    work = [made.camera(f"Fleet{number}") for number in range(cameras)]
    tasks = [asyncio.create_task(camera) for camera in work]
    while len({room for room, _ in made.claimed}) < cameras:  # noqa: ASYNC110  # a load, not a test
        await asyncio.sleep(0.05)
    tasks += [asyncio.create_task(made.viewer(f"Fleet{n % cameras}")) for n in range(viewers)]
    while len(made.watched) < viewers:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    if rate:
        tasks.append(asyncio.create_task(made.joins_at(rate, cameras)))
    control.say(ready=True)
    while True:
        await control.told()
        control.say(
            claimed=made.claimed,
            lost=made.lost,
            watched=made.watched,
            joins=made.joins,
            mix_ups=made.mix_ups,
        )
