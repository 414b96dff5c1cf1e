"""Reads the first bytes of a connection and hands it to the protocol that they belong to.

A protocol registers the prefixes by which it is recognised; another one is another entry.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

from rendezvous.program.logs import Throttle
from rendezvous.relay.counters import Counters
from rendezvous.transports.gate import Arrival, DoorLimits
from rendezvous.wire import codec
from rendezvous.wire.messages import Error, ErrorCode

log = logging.getLogger(__name__)
_tls_trouble = Throttle()

_TLS_RECORD = b"\x16"


@dataclass(frozen=True, slots=True)
class Recogniser:
    """A prefix, and the protocol of the connections that begin with it."""

    prefix: bytes
    protocol: Callable[[Arrival], asyncio.Protocol]


class Sniffer(asyncio.Protocol):
    """The protocol of a connection until it has said what it speaks."""

    def __init__(
        self,
        arrival: Arrival,
        recognisers: Sequence[Recogniser],
        limits: DoorLimits,
        counters: Counters,
        head: bytes = b"",  # what was read already, for it might have been a proxy's
    ) -> None:
        self._arrival = arrival
        self._recognisers = recognisers
        self._limits = limits
        self._counters = counters
        self._seen = head
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The transport is ours for now; the first bytes have their deadline."""
        self._transport = cast(asyncio.Transport, transport)  # asyncio's promise, uvloop's too
        limit = max(self._limits.first_bytes, self._handshake_time())
        self._arrival.set_deadline(self._arrival.stranger_since + limit, self._expire)

    def _handshake_time(self) -> float:
        # A TLS handshake over a slow line may have used the first bytes' time up.
        return self._limits.unadmitted if self._arrival.tls else 0.0

    def data_received(self, data: bytes) -> None:
        """A prefix is matched, still possible, or out of the question."""
        self._seen += data
        for recogniser in self._recognisers:
            if self._seen.startswith(recogniser.prefix):
                self._hand_over(recogniser)
                return
        if not any(recogniser.prefix.startswith(self._seen) for recogniser in self._recognisers):
            self._refuse()

    def connection_lost(self, _exc: Exception | None) -> None:
        """It went before it said anything."""
        self._arrival.depart()

    def abort(self) -> None:
        """Lets the connection go, unless it has been handed over."""
        if self._transport is not None:
            self._transport.abort()

    def _hand_over(self, recogniser: Recogniser) -> None:
        transport, self._transport = self._transport, None
        if transport is None:
            return
        protocol = recogniser.protocol(self._arrival)
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        protocol.data_received(self._seen)

    def _refuse(self) -> None:
        if self._seen.startswith(_TLS_RECORD):
            self._counters.add(ErrorCode.TLS_NOT_CONFIGURED)
            if _tls_trouble.ready():
                log.warning(
                    "Somebody tried TLS on a port without a certificate (%d more before)",
                    _tls_trouble.held,
                )
        else:
            self._answer(ErrorCode.MALFORMED, "This is neither a JSON object nor HTTP.")
        if self._transport is not None:
            self._transport.close()

    def _expire(self) -> None:
        self._answer(ErrorCode.HELLO_TIMEOUT, self._limits.silence())
        if self._transport is not None:
            self._transport.abort() if self._arrival.tls else self._transport.close()

    def _answer(self, code: ErrorCode, sentence: str) -> None:
        self._counters.add(code)
        if self._transport is not None:
            self._transport.write(codec.encode(Error(code=code, message=sentence)) + b"\n")
