"""A TCP connection to a host that has several addresses, or a name that resolves slowly.

Addresses are tried as in RFC 8305: the next one a moment after the last, whichever answers first
is taken. A network that has just come back often has no working name server for seconds, so the
addresses that a name had before are tried when it is slow to resolve.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from itertools import chain, zip_longest
from typing import Any, TypeAlias

STAGGER_SECONDS = 0.25  # RFC 8305 §5, the recommended delay between two attempts
RESOLVE_SECONDS = 1.0  # then what the name meant before is as good

Info: TypeAlias = tuple[int, Any]
"""An address family and an address, as ``socket.connect`` takes it."""
Find: TypeAlias = Callable[[str, int], Awaitable[Sequence[Info]]]


async def resolve(host: str, port: int) -> Sequence[Info]:
    """The host's addresses, families in turn; raises OSError, or UnicodeError for no host name."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    infos = [(int(family), address) for family, _, _, _, address in found]
    preferred = [info for info in infos if info[0] == infos[0][0]]
    others = [info for info in infos if info[0] != infos[0][0]]
    turns = chain.from_iterable(zip_longest(preferred, others))
    return [info for info in turns if info is not None]


class Memory:
    """Finds hosts, and remembers where they were."""

    def __init__(self, find: Find = resolve) -> None:
        self._find = find
        self._known: dict[tuple[str, int], Sequence[Info]] = {}

    async def find(self, host: str, port: int) -> Sequence[Info]:
        """The host's addresses, now or before; raises OSError or UnicodeError."""
        known = self._known.get((host, port))
        try:
            async with asyncio.timeout(RESOLVE_SECONDS if known else None):
                found = await self._find(host, port)
        except (OSError, TimeoutError):
            if known is None:
                raise
            return known
        self._known[host, port] = found
        return found


async def reach(infos: Sequence[Info]) -> socket.socket:
    """Connects to whichever address answers first; raises OSError when none does."""
    attempts: list[asyncio.Task[socket.socket]] = []
    left = list(infos)
    try:
        while left or not all(attempt.done() for attempt in attempts):
            if left:
                attempts.append(asyncio.create_task(_connect(*left.pop(0))))
            won = await _first(attempts, STAGGER_SECONDS if left else None)
            if won:
                attempts.remove(won)
                return won.result()
    finally:
        for attempt in attempts:
            attempt.add_done_callback(_close)
            attempt.cancel()
    raise OSError(f"none of {len(attempts)} addresses answers") from _failure(attempts)


async def _first(
    attempts: Sequence[asyncio.Task[socket.socket]], within: float | None
) -> asyncio.Task[socket.socket] | None:
    """One that has connected; None when the time is over, or another one has failed."""
    pending = [attempt for attempt in attempts if not attempt.done()]
    done, _ = await asyncio.wait(pending, timeout=within, return_when=asyncio.FIRST_COMPLETED)
    return next((attempt for attempt in done if attempt.exception() is None), None)


def _failure(attempts: Sequence[asyncio.Task[socket.socket]]) -> BaseException | None:
    return attempts[-1].exception() if attempts else None


def _close(attempt: asyncio.Task[socket.socket]) -> None:
    """Of an attempt that was given up, and may have connected all the same."""
    if not attempt.cancelled() and attempt.exception() is None:
        attempt.result().close()


async def _connect(family: int, address: Any) -> socket.socket:
    connection = socket.socket(family, socket.SOCK_STREAM)
    try:
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, address)
    except BaseException:
        connection.close()
        raise
    return connection
