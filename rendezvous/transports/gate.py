"""Strangers at the door: how many there may be, and what is known of each connection.

A stranger is a connection that is in no room yet. It costs us a socket and gives nothing, so
there are caps for one address and for all together.
"""

import asyncio
import ipaddress
from collections import Counter
from collections.abc import Callable, Container
from dataclasses import dataclass, field
from functools import lru_cache

from rendezvous.rooms.limits import Limits


@dataclass(frozen=True, slots=True)
class DoorLimits:
    """What transports hold connections to; seconds, counts and bytes."""

    first_bytes: float = 5.0
    unadmitted: float = Limits().unadmitted  # the server sets it to its core's
    page_grace: float = 10.0  # once more, for a page that is on its way to a slow reader
    per_address: int = 100
    in_all: int = 2_000
    unread_output: int = 1 << 20
    linger: float = 1.0  # for a peer to read the last words before its socket is reset

    def silence(self) -> str:
        """What is said to a peer that has not said what it speaks."""
        return f"Nothing came within {self.first_bytes:g} seconds."


@dataclass(slots=True, eq=False)
class Arrival:
    """One accepted connection: where it came from, since when it is a stranger; its deadline."""

    address: str
    stranger_since: float
    origins: frozenset[str] = frozenset()
    tls: bool = False
    gate: "Gate | None" = None
    _counted: bool = False
    _timer: asyncio.TimerHandle | None = field(default=None)

    def move(self, address: str) -> bool:
        """A proxy has told whose connection it is; False: there are too many from there."""
        if self.gate is None or not self._counted:
            self.address = address
            return True
        return self.gate.move(self, address)

    def leave_gate(self) -> None:
        """It is admitted: no longer a stranger. Idempotent."""
        self.cancel_deadline()
        if self.gate is not None and self._counted:
            self._counted = False
            self.gate.remove(self)

    def return_to_gate(self) -> None:
        """It has nothing to do here any more: a stranger again, even if there are too many."""
        if self.gate is not None and not self._counted:
            self._counted = True
            self.gate.add(self)

    def depart(self) -> None:
        """The connection is gone, for good. Idempotent."""
        self.leave_gate()
        self.gate = None

    def set_deadline(self, when: float, expire: Callable[[], None]) -> None:
        """One deadline at a time; the loop's clock."""
        self.cancel_deadline()
        self._timer = asyncio.get_running_loop().call_at(when, expire)

    def cancel_deadline(self) -> None:
        """Nothing is due any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class Gate:
    """Counts strangers, in all and for each address (for IPv6, each /64: one customer's).

    Proxies are many clients, and have no limit of their own.
    """

    def __init__(self, limits: DoorLimits, proxies: Container[str] = ()) -> None:
        self._limits = limits
        self._proxies = proxies
        self._by_address: Counter[str] = Counter()
        self.strangers = 0

    def enter(self, arrival: Arrival) -> bool:
        """Whether there is a place for one more stranger from that address; takes it."""
        if self.strangers >= self._limits.in_all or not self._has_place(arrival.address):
            return False
        arrival.gate = self
        arrival.return_to_gate()
        return True

    def move(self, arrival: Arrival, address: str) -> bool:
        """Counts it for this address from now on, if there is a place; arrivals call it."""
        if network(address) == network(arrival.address):
            return True
        if not self._has_place(address):
            return False
        self.remove(arrival)
        arrival.address = address
        self.add(arrival)
        return True

    def _has_place(self, address: str) -> bool:
        if address in self._proxies:
            return True
        return self._by_address.get(network(address), 0) < self._limits.per_address

    def add(self, arrival: Arrival) -> None:
        """Counts one more; arrivals call it."""
        self.strangers += 1
        self._by_address[network(arrival.address)] += 1

    def remove(self, arrival: Arrival) -> None:
        """Counts one less; arrivals call it."""
        key = network(arrival.address)
        self.strangers -= 1
        self._by_address[key] -= 1
        if not self._by_address[key]:
            del self._by_address[key]


@lru_cache(maxsize=4096)  # it is asked several times for each connection
def network(address: str) -> str:
    """What counts as one client: an IPv4 address, or an IPv6 /64."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is None:
        return str(ipaddress.ip_network((ip, 64), strict=False))
    return address
