"""The ways to one TURN server, tried so that the best one that works wins (after RFC 8305).

Each way has a head start before the next begins, and none once it has failed. The first that
works counts at once. Better ones that had begun go on, and take its place when they work after
all: a lost packet must not make a call go over TCP for good.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Final, Generic, TypeVar

from publisher.rtc.ice.urls import Server

HEAD_START_SECONDS: Final = 0.2
ADDRESS_SECONDS: Final = 0.05  # between the addresses of one server, over the same transport

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Way:
    """A server, and one of the addresses that its name has."""

    server: Server
    address: str

    def head_start(self, after: "Way | None") -> float:
        """Seconds that the next way waits for this one."""
        if after and after.server == self.server:
            return ADDRESS_SECONDS
        return HEAD_START_SECONDS


class Ways(Generic[_T]):
    """Tries them all until the best is known; ``run`` once.

    ``take`` gets what works, and ``drop`` what a better one has replaced; ``failed`` hears the
    reasons of the others.
    """

    def __init__(
        self,
        ways: Sequence[Way],
        attempt: Callable[[Way], Awaitable[_T]],
        *,
        take: Callable[[_T], None],
        drop: Callable[[_T], None],
        failed: Callable[[Way, Exception], None],
    ) -> None:
        self._ways = sorted(ways, key=lambda way: way.server.transport)
        self._attempt = attempt
        self._take = take
        self._drop = drop
        self._failed = failed
        self._running: dict[asyncio.Task[_T], Way] = {}
        self._best: tuple[Way, _T] | None = None

    async def run(self, seconds: float) -> None:
        """Until the best is known, or the time is over; cancelled, it leaves nothing behind."""
        try:
            async with asyncio.timeout(seconds):
                await self._try_all()
        except TimeoutError:
            for way in self._running.values():
                self._failed(way, TimeoutError("no answer"))
        finally:
            await self._stop()

    async def _try_all(self) -> None:
        for way, following in zip_longest(self._ways, self._ways[1:]):
            if self._best:
                break
            self._running[asyncio.ensure_future(self._attempt(way))] = way
            await self._step(way.head_start(following))
        while self._running:
            await self._step(None)

    async def _step(self, patience: float | None) -> None:
        """Until one has ended, or patience has."""
        done, _ = await asyncio.wait(
            self._running, timeout=patience, return_when=asyncio.FIRST_COMPLETED
        )
        for task in done:
            if task in self._running:
                self._judge(self._running.pop(task), task)

    def _judge(self, way: Way, task: asyncio.Task[_T]) -> None:
        if task.cancelled():
            return
        error = task.exception()
        if error is None:
            self._use(way, task.result())
        elif isinstance(error, Exception):
            self._failed(way, error)

    def _use(self, way: Way, found: _T) -> None:
        if self._best and self._best[0].server.transport <= way.server.transport:
            self._drop(found)  # it was faster than its cancellation
            return
        replaced, self._best = self._best, (way, found)
        self._take(found)
        if replaced:
            self._drop(replaced[1])
        for task, other in self._running.items():
            if other.server.transport >= way.server.transport:
                task.cancel()

    async def _stop(self) -> None:
        running, self._running = self._running, {}
        for task in running:
            task.cancel()
        for found in await asyncio.gather(*running, return_exceptions=True):
            if not isinstance(found, BaseException):
                self._drop(found)
