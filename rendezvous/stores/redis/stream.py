"""The end of a stream, waited for on a connection of its own: a call that blocks delays others."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from rendezvous.stores.contract import StoreUnavailableError
from rendezvous.stores.redis.address import RedisAddress
from rendezvous.stores.redis.client import TIMEOUT, Client, end

BEGINNING = "0-0"  # before the first entry


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that was added; ids grow, and are where reading is resumed."""

    id: str
    fields: Mapping[str, str]


class StreamReader:
    """For one task, which may be cancelled: the connection then is closed, not used again."""

    def __init__(self, address: RedisAddress, *, block: float = 2.0) -> None:
        self._address = address
        self._block_ms = round(block * 1000)
        self._client = Client(address, timeout=block + TIMEOUT)

    async def read(self, stream: str, after: str, *, most: int = 100) -> list[Entry]:
        """What came after this id, at once or within ``block`` seconds; nothing is an answer, too.

        Raises StoreUnavailableError.
        """
        command = ("XREAD", "COUNT", most, "BLOCK", self._block_ms, "STREAMS", stream, after)
        exchange = asyncio.create_task(self._client.command(*command))
        try:
            reply = await asyncio.shield(exchange)
        except asyncio.CancelledError:
            await end(exchange)
            raise
        if not reply:
            return []
        ((name, entries),) = reply
        if name != stream:
            raise StoreUnavailableError(f"{self._address} answered with another stream.")
        return [Entry(number, fields) for number, fields in entries]

    async def close(self) -> None:
        """Gives the connection back. Idempotent."""
        await self._client.close()
