"""The connections of this node and the rooms they are bound to: the last look before delivery.

A message of one room that was about to reach a connection of another is dropped and counted. That
count must stay 0.
"""

import logging
from typing import Protocol

from rendezvous.relay.counters import Counters
from rendezvous.rooms.effects import Bind, Send
from rendezvous.wire import codec
from rendezvous.wire.identity import ConnectionId, RoomId
from rendezvous.wire.messages import Error, ServerMessage

log = logging.getLogger(__name__)


class Connection(Protocol):
    """What the hub needs of a transport's connection."""

    id: ConnectionId
    stranger_since: float
    origins: frozenset[str]

    def send(self, data: bytes) -> bool:
        """Queues one message; False when the peer reads too slowly to take it."""

    def admitted(self) -> None:
        """The connection is in a room: it no longer counts as a stranger."""

    def unseated(self) -> None:
        """It has no place in its room any more: it counts as a stranger again."""

    def close(self) -> None:
        """Closes after what was queued; ``lost`` follows."""


class Sockets:
    """Its record of bindings is its own: the core's ``Bind`` has written it, and nothing else."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self.connections: dict[ConnectionId, Connection] = {}
        self.bound: dict[ConnectionId, RoomId] = {}

    def add(self, connection: Connection) -> None:
        """It can be sent to."""
        self.connections[connection.id] = connection

    def remove(self, connection: ConnectionId) -> Connection | None:
        """It cannot any more; which it was, if it was there."""
        self.bound.pop(connection, None)
        return self.connections.pop(connection, None)

    def close(self, connection: ConnectionId) -> None:
        """Closes it, if it is there."""
        if (closed := self.remove(connection)) is not None:
            closed.close()

    def bind(self, effect: Bind) -> None:
        """It is of this room from now on."""
        connection = self.connections.get(effect.connection)
        if connection is not None:
            self.bound[effect.connection] = effect.room
            connection.admitted()

    def unseat(self, connection_id: ConnectionId) -> None:
        """It has no place in its room any more."""
        connection = self.connections.get(connection_id)
        if connection is not None:
            connection.unseated()

    def send(self, effect: Send) -> bool:
        """False when it is there and reads too slowly."""
        connection = self.connections.get(effect.connection)
        if connection is None:
            self._counters.add("to_lost_connection")
        elif effect.room is not None and self.bound.get(effect.connection) != effect.room:
            self._counters.add("cross_room")
            log.error("A message of another room was about to be delivered; it was dropped")
        else:
            return self._deliver(connection, effect.message)
        return True

    def _deliver(self, connection: Connection, message: ServerMessage) -> bool:
        if isinstance(message, Error):
            self._counters.add(message.code)
        return connection.send(codec.encode(message)) or isinstance(message, Error)
