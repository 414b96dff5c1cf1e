"""Mail over Redis: each node has a stream as its inbox, and reads it with one call that blocks.

Streams cost what publishing costs and lose nothing when a connection breaks: reading is resumed
after the last entry. An inbox is bounded and ends by itself; what is lost with it the links send
again.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from rendezvous.program.errors import ProgramError
from rendezvous.stores.contract import StoreUnavailableError
from rendezvous.stores.redis.address import RedisAddress
from rendezvous.stores.redis.link import RedisLink
from rendezvous.stores.redis.script import Script
from rendezvous.stores.redis.stream import BEGINNING, Entry, StreamReader
from rendezvous.wire.identity import NodeId

log = logging.getLogger(__name__)

_POST = Script(Path(__file__).parent / "post.lua")
_NEWEST = Script(Path(__file__).parent / "newest.lua")

_ENTRIES = 10_000  # frames: some seconds of a storm
_LIFE = 60_000  # ms after the last frame; links give letters up after half of it
_RETRY = 0.25  # seconds


def inbox_of(node: NodeId) -> str:
    """The key of a node's stream; in a Cluster its braces choose the slot."""
    return f"porthole:{{node.{node}}}:inbox"


class RedisMail:
    """See relay.mail.Mail. ``on_confusion`` as for the store."""

    def __init__(
        self, address: RedisAddress, *, on_confusion: Callable[[ProgramError], None]
    ) -> None:
        self._address = address
        self._link = RedisLink(address, on_confusion=on_confusion)
        self._reading: asyncio.Task[None] | None = None

    async def start(self, node: NodeId, deliver: Callable[[bytes], None]) -> None:
        """See the declaration."""
        self._link.start()
        self._reading = asyncio.create_task(self._read(inbox_of(node), deliver))

    async def send(self, frames: Sequence[tuple[NodeId, bytes]]) -> None:
        """See the declaration."""
        calls = [((inbox_of(node),), (_ENTRIES, _LIFE, data.decode())) for node, data in frames]
        await self._link.run_all(_POST, calls)

    async def stop(self) -> None:
        """See the declaration."""
        reading, self._reading = self._reading, None
        if reading is not None:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
        await self._link.stop()

    async def _read(self, inbox: str, deliver: Callable[[bytes], None]) -> None:
        reader = StreamReader(self._address)
        last = BEGINNING
        try:
            while self._reading is not None:  # a client may swallow a cancellation
                try:
                    entries = await reader.read(inbox, last)
                    last = entries[-1].id if entries else await self._resume(inbox, last)
                except StoreUnavailableError as error:
                    log.debug("The inbox cannot be read: %s", error)
                    await asyncio.sleep(_RETRY)
                else:
                    _deliver(entries, deliver)
        finally:
            await reader.close()

    async def _resume(self, inbox: str, last: str) -> str:
        # A Redis that lost its data, or another whose clock is behind, numbers from below what
        # was read already: from the beginning, then. What was read before is recognised.
        (newest,) = await self._link.run(_NEWEST, (inbox,))
        return BEGINNING if _number(newest) < _number(last) else last


def _deliver(entries: Sequence[Entry], deliver: Callable[[bytes], None]) -> None:
    for entry in entries:
        try:
            deliver(entry.fields.get("frame", "").encode())
        except Exception:
            log.exception("A defect while a letter was read")


def _number(entry: str) -> tuple[int, int]:
    milliseconds, _, number = entry.partition("-")
    return int(milliseconds), int(number)
