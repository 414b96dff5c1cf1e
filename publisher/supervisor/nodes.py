"""A service's nodes, tried in turn: the next at once, and with growing pauses from round to round.

The first is a random one, so that the cameras of a service spread over its nodes.
"""

import random

from publisher.signalling.connection import ServerAddress
from publisher.supervisor.backoff import Backoff

# Seconds: the first step and the longest. A network may come back without a sign, and people wait
# no longer than this and an answer.
BACKOFF = (0.3, 2.0)


class Nodes:
    """Which one to dial now, and when."""

    def __init__(self, addresses: tuple[ServerAddress, ...]) -> None:
        self._addresses = addresses
        self._place = random.randrange(len(addresses))  # noqa: S311  # spreads load, guards nothing
        self._backoff = Backoff(*BACKOFF)
        self._failures = 0

    @property
    def current(self) -> ServerAddress:
        """The one to dial."""
        return self._addresses[self._place]

    def advance(self) -> None:
        """On to the next."""
        self._place = (self._place + 1) % len(self._addresses)

    def failed(self) -> float:
        """On to the next, too; seconds to wait before dialling it."""
        self.advance()
        self._failures += 1
        return 0.0 if self._failures % len(self._addresses) else self._backoff.next()

    def succeeded(self) -> None:
        """The room is held. Its loss begins a round: all cameras of a dead node lose theirs."""
        self._failures = -1
        self._backoff.reset()
