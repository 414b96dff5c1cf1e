"""Dials a rendezvous, and once more when the network changes meanwhile.

What was sent into the old network is lost, and TCP would wait for seconds before it sent it again.
The attempt that succeeds first is taken.
"""

import asyncio
import ssl

from publisher.errors import SignallingError
from publisher.signalling.connection import Connection, ServerAddress, connect
from publisher.signalling.reaching import Memory

MOST_ATTEMPTS = 3  # at a time


class Dialler:
    """Of one service; remembers where its nodes were."""

    def __init__(self, tls: ssl.SSLContext | None) -> None:
        self._tls = tls
        self._memory = Memory()
        self._attempts: list[asyncio.Task[Connection]] = []

    async def dial(self, address: ServerAddress, changed: asyncio.Event) -> Connection:
        """One call at a time. ``changed`` is cleared; raises SignallingError."""
        try:
            while True:
                changed.clear()
                self._attempt(address)
                won = await self._first(changed)
                if won:
                    self._attempts.remove(won)
                    return _outcome(won)
        finally:
            while self._attempts:
                _give_up(self._attempts.pop())

    def _attempt(self, address: ServerAddress) -> None:
        if len(self._attempts) == MOST_ATTEMPTS:
            _give_up(self._attempts.pop(0))
        connecting = connect(address, self._tls, self._memory.find)
        self._attempts.append(asyncio.create_task(connecting))

    async def _first(self, changed: asyncio.Event) -> asyncio.Task[Connection] | None:
        """One that is over: connected if any is, failed if all are. None: the network changed."""
        change = asyncio.create_task(changed.wait())
        try:
            while not change.done():
                pending = [attempt for attempt in self._attempts if not attempt.done()]
                await asyncio.wait((change, *pending), return_when=asyncio.FIRST_COMPLETED)
                over = [attempt for attempt in self._attempts if attempt.done()]
                if len(over) == len(self._attempts) or any(map(_connected, over)):
                    return max(over, key=_connected)
            return None
        finally:
            change.cancel()


def _connected(attempt: asyncio.Task[Connection]) -> bool:
    return not attempt.cancelled() and attempt.exception() is None


def _outcome(attempt: asyncio.Task[Connection]) -> Connection:
    # In Python 3.11 a timeout that expires together with what it waits for cancels its task: that
    # is a failure of the attempt, and nobody's wish to stop.
    if attempt.cancelled():
        raise SignallingError("server_unreachable", "The rendezvous does not answer.")
    return attempt.result()


def _give_up(attempt: asyncio.Task[Connection]) -> None:
    attempt.add_done_callback(_abort)
    attempt.cancel()


def _abort(attempt: asyncio.Task[Connection]) -> None:
    """Of an attempt that was given up, and may have connected all the same."""
    if not attempt.cancelled() and attempt.exception() is None:
        attempt.result().abort()
