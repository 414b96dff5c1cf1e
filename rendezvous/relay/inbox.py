"""Mail over Redis: each node has a stream as its inbox, and empties it with one call that blocks.

Streams cost what publishing costs and lose nothing when a connection breaks: what was not read is
still there. An inbox is bounded in frames, bytes and age, and ends by itself; what is lost with it
the links send again.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from rendezvous.program.errors import ProgramError
from rendezvous.stores.contract import StoreUnavailableError
from rendezvous.stores.redis.address import RedisAddress
from rendezvous.stores.redis.link import DEADLINE, RedisLink
from rendezvous.stores.redis.script import Script
from rendezvous.stores.redis.stream import Entry, StreamReader
from rendezvous.wire.identity import NodeId

log = logging.getLogger(__name__)

_POST = Script(Path(__file__).parent / "post.lua")

_FRAMES = 10_000  # some seconds of a storm
_BYTES = 32 * 2**20  # of Redis's memory, for a node that does not read
_FITTING = 100  # frames of the largest size are about as much
_LIFE = 60_000  # ms of a frame; links give letters up after half of it
_BOUNDS = (_FRAMES, _BYTES, _FITTING, _LIFE)
_PORTION = 16  # frames in one exchange: a few megabytes, which have the link's deadline to travel
_RETRY = 0.25  # seconds


def inbox_of(node: NodeId) -> str:
    """The key of a node's stream; in a Cluster its braces choose the slot."""
    return f"porthole:{{node.{node}}}:inbox"


class RedisMail:
    """See relay.mail.Mail. ``deadline`` (seconds) and ``on_confusion`` as for the store."""

    def __init__(
        self,
        address: RedisAddress,
        *,
        deadline: float = DEADLINE,
        on_confusion: Callable[[ProgramError], None],
    ) -> None:
        self._address = address
        self._deadline = deadline
        self._link = RedisLink(address, deadline=deadline, on_confusion=on_confusion)
        self._reading: asyncio.Task[None] | None = None

    async def start(self, node: NodeId, deliver: Callable[[bytes], None]) -> None:
        """See the declaration."""
        self._link.start()
        self._reading = asyncio.create_task(self._read(inbox_of(node), deliver))

    async def send(self, frames: Sequence[tuple[NodeId, bytes]]) -> None:
        """See the declaration."""
        calls = [((inbox_of(node),), (*_BOUNDS, data)) for node, data in frames]
        for first in range(0, len(calls), _PORTION):
            await self._link.run_all(_POST, calls[first : first + _PORTION])

    async def stop(self) -> None:
        """See the declaration."""
        reading, self._reading = self._reading, None
        if reading is not None:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
        await self._link.stop()

    async def _read(self, inbox: str, deliver: Callable[[bytes], None]) -> None:
        reader = StreamReader(self._address, inbox, timeout=self._deadline)
        try:
            while self._reading is not None:  # a client may swallow a cancellation
                try:
                    _deliver(await reader.read(), deliver)
                except StoreUnavailableError as error:
                    log.debug("The inbox cannot be read: %s", error)
                    await asyncio.sleep(_RETRY)
                except Exception:
                    log.exception("A defect while the inbox was read; it is read again")
                    await asyncio.sleep(_RETRY)
        finally:
            await reader.close()


def _deliver(entries: Sequence[Entry], deliver: Callable[[bytes], None]) -> None:
    for entry in entries:
        try:
            deliver(entry.fields.get(b"frame", b""))
        except Exception:
            log.exception("A defect while a letter was read")
