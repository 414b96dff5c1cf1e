"""What a laboratory network is made of, as data: the router's whole configuration.

A tree of networks under one Internet. Hosts are attached to a network by a TUN device; a gateway
joins the network inside to the one outside. Words of RFC 4787 for what NATs do.
"""

from enum import Enum
from typing import Final

from msgspec import Struct

INTERNET: Final = "internet"
"""The one network that has no gateway."""


class Dependence(Enum):
    """What of the remote endpoint a mapping, or a filter, depends on (RFC 4787 §4.1 and §5)."""

    NOTHING = "endpoint-independent"
    ADDRESS = "address-dependent"
    ADDRESS_AND_PORT = "address-and-port-dependent"


class Nat(Struct, frozen=True):
    """How a gateway translates IPv4."""

    mapping: Dependence = Dependence.NOTHING
    hairpin: bool = False


class Rules(Struct, frozen=True):
    """What a gateway lets out; answers come back as its filter says."""

    udp: bool = True
    tcp_ports: tuple[int, ...] | None = None
    """None: all."""


class Line(Struct, frozen=True):
    """One direction of a link. As it stands: nothing is lost and nothing takes time."""

    bits_per_second: float = 0.0
    """0: no limit."""
    delay: float = 0.0
    """Seconds."""
    loss: float = 0.0
    """A probability."""
    queue_bytes: int = 64 * 1024
    """What waits for a limited line; more is dropped."""
    seed: int = 1


PERFECT: Final = Line()


class Gateway(Struct, frozen=True):
    """Joins two networks. IPv6 is never translated, but filtered alike."""

    name: str
    inside: str
    outside: str = INTERNET
    address: str = ""
    """IPv4, outside."""
    nat: Nat | None = None
    filtering: Dependence | None = None
    """None: whoever is outside reaches what is inside."""
    rules: Rules = Rules()


class Attachment(Struct, frozen=True):
    """A host's device in a network."""

    device: str
    network: str
    addresses: tuple[str, ...]
    up: Line = PERFECT
    """From the host."""
    down: Line = PERFECT
    plugged: bool = True
    """Otherwise its packets are lost, both ways, and nobody is told."""


class Topology(Struct, frozen=True):
    """All of it."""

    attachments: tuple[Attachment, ...] = ()
    gateways: tuple[Gateway, ...] = ()
