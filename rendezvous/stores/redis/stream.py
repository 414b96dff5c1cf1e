"""A stream that is read by one and emptied as it is read, on a connection of its own.

A call that waits would delay others. What was read is removed when the next call is made: the one
before it was dealt with by then, and Redis keeps nothing that nobody needs any more.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from redis.exceptions import ResponseError

from rendezvous.stores.contract import StoreUnavailableError
from rendezvous.stores.redis.address import RedisAddress
from rendezvous.stores.redis.client import TIMEOUT, Client, Command, end

_BEGINNING = "0-0"  # before the first entry


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that was added. Bytes: anybody may have added anything."""

    id: bytes
    fields: Mapping[bytes, bytes]


class StreamReader:
    """For one task, which may be cancelled: the connection then is closed, not used again.

    ``block``: seconds that a read waits for something to come; ``timeout``: those that Redis may
    take for anything else.
    """

    def __init__(
        self,
        address: RedisAddress,
        stream: str,
        *,
        block: float = 2.0,
        timeout: float = TIMEOUT,
    ) -> None:
        self._address = address
        self._stream = stream
        self._block_ms = round(block * 1000)
        self._client = Client(address, timeout=timeout, block=block, decode=False)
        self._done: tuple[bytes, ...] = ()

    async def read(self, *, most: int = 32) -> list[Entry]:
        """What is there, at once or within ``block`` seconds; nothing is an answer, too.

        Removes what the last call gave. Raises StoreUnavailableError, and then gives it again if
        it could not be removed.
        """
        exchange = asyncio.create_task(self._exchange(most))
        try:
            return await asyncio.shield(exchange)
        except asyncio.CancelledError:
            await end(exchange)
            raise

    async def _exchange(self, most: int) -> list[Entry]:
        # From the beginning each time: a Redis that lost its data may number from below.
        read = ("XREAD", "COUNT", most, "BLOCK", self._block_ms, "STREAMS", self._stream)
        commands: list[Command] = [("XDEL", self._stream, *self._done)] if self._done else []
        replies = await self._client.pipeline([*commands, (*read, _BEGINNING)])
        for reply in replies:
            if isinstance(reply, ResponseError):
                raise StoreUnavailableError(f"{self._address}: {reply}")
        entries = self._entries(replies[-1])
        self._done = tuple(entry.id for entry in entries)
        return entries

    def _entries(self, reply: Any) -> list[Entry]:
        if not reply:
            return []
        ((name, entries),) = reply
        if name != self._stream.encode():
            raise StoreUnavailableError(f"{self._address} answered with another stream.")
        return [Entry(number, fields) for number, fields in entries]

    async def close(self) -> None:
        """Gives the connection back. Idempotent."""
        await self._client.close()
