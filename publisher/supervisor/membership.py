"""One connection that holds the camera's room, heard until it is lost or let go."""

import asyncio
import contextlib
from collections.abc import Callable

from publisher.errors import SignallingError
from publisher.signalling.connection import Connection, refusal
from publisher.supervisor.network import is_local
from rendezvous.wire.messages import Error, ErrorCode, Goaway, Message, ServerMessage


def doubt(connection: Connection) -> None:
    """Lets go of a connection whose end here is gone, or asks whether the server is there."""
    if is_local(connection.local_address):
        connection.doubt()
    else:
        connection.abort()


class Membership:
    """Hears the server by a task of its own; ``close`` it, whatever became of it."""

    def __init__(self, connection: Connection, hear: Callable[[ServerMessage], None]) -> None:
        loop = asyncio.get_running_loop()
        self._connection = connection
        self._goaway: asyncio.Future[float] = loop.create_future()
        self._hearing = loop.create_task(self._hear(hear))

    async def over(self) -> float:
        """Waits until the server sends everybody away; seconds within which to be elsewhere.

        Raises SignallingError when the connection was lost, or the room was claimed by another.
        """
        await asyncio.wait((self._hearing, self._goaway), return_when=asyncio.FIRST_COMPLETED)
        if self._hearing.done():
            self._hearing.result()
        return self._goaway.result()

    def send(self, message: Message) -> bool:
        """Says it, or drops a connection on which that is in vain, and returns False."""
        try:
            self._connection.send(message)
        except SignallingError:
            self._connection.abort()
            return False
        return True

    def doubt(self) -> None:
        """See ``doubt``."""
        doubt(self._connection)

    async def close(self) -> None:
        """Sends what is queued and lets go. Idempotent."""
        self._hearing.cancel()
        await asyncio.wait((self._hearing,))
        if not self._hearing.cancelled():
            self._hearing.exception()  # of no interest any more: lost, or superseded by a successor
        await self._connection.close()

    async def _hear(self, hear: Callable[[ServerMessage], None]) -> None:
        async with contextlib.aclosing(self._connection.messages()) as messages:
            async for message in messages:
                if isinstance(message, Error) and message.code == ErrorCode.SUPERSEDED:
                    raise refusal(message)
                if isinstance(message, Goaway):
                    self._send_away(message.after)
                else:
                    hear(message)

    def _send_away(self, after: float) -> None:
        if not self._goaway.done():
            self._goaway.set_result(after)
