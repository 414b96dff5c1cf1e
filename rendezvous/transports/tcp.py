"""Raw TCP: one JSON object a line."""

import asyncio
from collections.abc import Callable
from typing import cast

from rendezvous.transports.conversation import Conversation, Conversations
from rendezvous.transports.gate import Arrival, DoorLimits
from rendezvous.transports.sniffer import Recogniser
from rendezvous.wire import codec
from rendezvous.wire.messages import MESSAGE_BYTES, Error, ErrorCode


class Lines(Conversation[bytes]):
    """One peer; a unit is a line."""

    __slots__ = ()

    def next_unit(self) -> bytes | None:
        """The next line; raises WireError when it is longer than a message may be."""
        end = self._input.find(b"\n", 0, MESSAGE_BYTES + 1)
        if end >= 0:
            line, self._input = self._input[:end], self._input[end + 1 :]
            return line
        if len(self._input) > MESSAGE_BYTES:
            raise codec.too_large()
        return None

    def handle(self, unit: bytes) -> None:
        """A line is a message."""
        self.converse(unit)

    def wrapped(self, data: bytes) -> bytes:
        """A message is a line."""
        return data + b"\n"


def recognisers(conversations: Conversations) -> tuple[Recogniser, ...]:
    """A peer that begins with an object."""
    return (Recogniser(b"{", lambda arrival: Lines(conversations, arrival)),)


def refusal(
    prefix: bytes,
    code: ErrorCode,
    sentence: str,
    limits: DoorLimits,
    refused: Callable[[], None] = lambda: None,
) -> Recogniser:
    """A peer that begins so is told why it is not served."""

    def protocol(arrival: Arrival) -> asyncio.Protocol:
        refused()
        return Refusal(arrival, limits, code, sentence)

    return Recogniser(prefix, protocol)


class Refusal(asyncio.Protocol):
    """Tells a peer in clear why it is not served."""

    def __init__(
        self, arrival: Arrival, limits: DoorLimits, code: ErrorCode, sentence: str
    ) -> None:
        self._arrival = arrival
        self._limits = limits
        self._error = Error(code=code, message=sentence)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The refusal is all there is to say."""
        transport = cast(asyncio.Transport, transport)  # asyncio's promise, uvloop's too
        transport.write(codec.encode(self._error) + b"\n")
        transport.write_eof()
        when = asyncio.get_running_loop().time() + self._limits.linger
        self._arrival.set_deadline(when, transport.abort)

    def data_received(self, data: bytes) -> None:
        """Is not looked at."""

    def connection_lost(self, _exc: Exception | None) -> None:
        """It has read it, or not."""
        self._arrival.depart()
