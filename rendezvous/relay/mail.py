"""How frames reach other nodes, and theirs this one: declared here, done elsewhere."""

from collections.abc import Callable, Sequence
from typing import Protocol

from rendezvous.wire.identity import NodeId


class Mail(Protocol):
    """Frames may be lost, doubled or late; the links above see to it."""

    async def start(self, node: NodeId, deliver: Callable[[bytes], None]) -> None:
        """From now on what others send to this node is delivered; never raises."""

    async def send(self, frames: Sequence[tuple[NodeId, bytes]]) -> None:
        """Sends these, in order; raises StoreUnavailableError when some may not have been."""

    async def stop(self) -> None:
        """Delivers no more. Idempotent."""
