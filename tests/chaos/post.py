"""The way between nodes, with all that may happen on it: late, twice, never, out of order."""

import asyncio
import random
from collections.abc import Callable, Sequence
from contextvars import Context

from rendezvous.stores.contract import StoreUnavailableError
from rendezvous.wire.identity import NodeId

_QUICK = 0.005  # seconds
_SLOW = 3.0  # seconds, when something is wrong: later letters overtake earlier ones
_REFUSED = 0.5  # of the letters that fail, their sender hears of


class PostOffice:
    """What the mails of all nodes go through."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.trouble = 0.0
        """How likely a letter is lost, doubled or late: each."""
        self.down = False
        self._inboxes: dict[NodeId, tuple[Callable[[bytes], None], Context]] = {}

    def opens(self, node: NodeId, deliver: Callable[[bytes], None], context: Context) -> None:
        """The node has an inbox."""
        self._inboxes[node] = deliver, context

    def takes(self, node: NodeId, data: bytes) -> None:
        """Whatever becomes of it."""
        inbox = self._inboxes.get(node)
        if inbox is None or self.chance.random() < self.trouble:
            return
        for _ in range(2 if self.chance.random() < self.trouble else 1):
            slow = self.chance.random() < self.trouble
            delay = self.chance.uniform(0, _SLOW if slow else _QUICK)
            loop = asyncio.get_running_loop()
            loop.call_later(delay, inbox[0], data, context=inbox[1])


class NodeMail:
    """One node's; see relay.mail.Mail."""

    def __init__(self, office: PostOffice, context: Context) -> None:
        self._office = office
        self._context = context

    async def start(self, node: NodeId, deliver: Callable[[bytes], None]) -> None:
        """Opens the inbox."""
        self._office.opens(node, deliver, self._context)

    async def send(self, frames: Sequence[tuple[NodeId, bytes]]) -> None:
        """Gives them to the post office; raises StoreUnavailableError, which may be wrong."""
        chance = self._office.chance
        if self._office.down:
            raise StoreUnavailableError("It does not answer.")
        for node, data in frames:
            self._office.takes(node, data)
        if chance.random() < self._office.trouble * _REFUSED:
            raise StoreUnavailableError("The answer was lost.")

    async def stop(self) -> None:
        """The inbox stays; nobody reads it."""
