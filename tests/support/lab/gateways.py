"""What a gateway remembers: its mappings, and who may come in through them. Pure; time is told.

A filter guards the *face* of a flow: the endpoint by which those outside know it. Where nothing is
translated that is the host's own.
"""

from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final, TypeAlias

from tests.support.lab.packets import ICMP, ICMP6, TCP, UDP, Endpoint, Packet
from tests.support.lab.topology import Dependence, Gateway, Nat, Rules

LIFETIMES: Final = {TCP: 7440.0, UDP: 120.0}  # RFC 5382 §5, RFC 4787 §4.3: the shortest allowed
_OTHERS_LIFETIME: Final = 60.0  # RFC 5508 §3.2
_FIRST_PORT, _LAST_PORT = 1024, 65535
_STRIDE: Final = 7919  # to the next free port: nobody shall guess it by adding one

Part: TypeAlias = Endpoint | bytes | None
"""As much of a remote endpoint as a mapping or a filter depends on."""


class Blocked(Exception):  # noqa: N818  # an outcome, no fault
    """The gateway drops a packet; the text says why, in one word."""


def part(dependence: Dependence, remote: Endpoint) -> Part:
    """As much of the remote endpoint as matters."""
    if dependence is Dependence.NOTHING:
        return None
    return remote.address if dependence is Dependence.ADDRESS else remote


class Expiring:
    """Keys with a life of their protocol's length since they were last used."""

    def __init__(self) -> None:
        self._used: dict[tuple[int, Endpoint, Part], float] = {}

    def use(self, protocol: int, endpoint: Endpoint, what: Part, now: float) -> None:
        """It lives from now on."""
        self._used[protocol, endpoint, what] = now

    def lives(self, protocol: int, endpoint: Endpoint, what: Part, now: float) -> bool:
        """Whether it was used lately."""
        used = self._used.get((protocol, endpoint, what))
        return used is not None and now - used < LIFETIMES.get(protocol, _OTHERS_LIFETIME)


class Mappings:
    """Which external port stands for which internal endpoint."""

    def __init__(self, nat: Nat, address: bytes) -> None:
        self._nat = nat
        self._address = address
        self._ports: dict[tuple[int, Endpoint, Part], int] = {}
        self._owners: dict[tuple[int, int], tuple[Endpoint, Part]] = {}
        self._lives = Expiring()
        self._last_port = 30_000

    def face(self, protocol: int, inside: Endpoint, remote: Endpoint, now: float) -> Endpoint:
        """The external endpoint of a packet that leaves; made when there is none."""
        key = (protocol, inside, part(self._nat.mapping, remote))
        port = self._ports.get(key)
        if port is None or not self._lives.lives(*key, now):
            port = self._ports[key] = self._free_port(protocol, inside.port, now)
            self._owners[protocol, port] = key[1:]
        self._lives.use(*key, now)
        return Endpoint(self._address, port)

    def owner(self, protocol: int, port: int, now: float) -> Endpoint | None:
        """The internal endpoint behind an external port; None when there is no mapping."""
        owner = self._owners.get((protocol, port))
        return owner[0] if owner and self._lives.lives(protocol, *owner, now) else None

    def _free_port(self, protocol: int, wanted: int, now: float) -> int:
        """The host's own port where mappings are endpoint-independent: most NATs preserve it."""
        if self._nat.mapping is Dependence.NOTHING and self.owner(protocol, wanted, now) is None:
            return wanted
        span = _LAST_PORT - _FIRST_PORT
        for _ in range(span):
            self._last_port = _FIRST_PORT + (self._last_port - _FIRST_PORT + _STRIDE) % span
            if self.owner(protocol, self._last_port, now) is None:
                return self._last_port
        raise Blocked("ports")


class Filter:
    """Who may come in: those to whom something has gone out."""

    def __init__(self, dependence: Dependence) -> None:
        self._dependence = dependence
        self._open = Expiring()

    def note(self, protocol: int, face: Endpoint, remote: Endpoint, now: float) -> None:
        """Something leaves."""
        self._open.use(protocol, face, part(self._dependence, remote), now)

    def permits(self, protocol: int, face: Endpoint, remote: Endpoint, now: float) -> bool:
        """Whether something may come."""
        return self._open.lives(protocol, face, part(self._dependence, remote), now)


@dataclass
class GatewayState:
    """One gateway at work; both ways raise Blocked."""

    plan: Gateway
    address: bytes = field(init=False)
    _mappings: Mappings | None = field(init=False, default=None)
    _filter: Filter | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.address = ip_address(self.plan.address).packed if self.plan.address else b""
        if self.plan.nat:
            self._mappings = Mappings(self.plan.nat, self.address)
        if self.plan.filtering:
            self._filter = Filter(self.plan.filtering)

    def outward(self, packet: Packet, now: float) -> None:
        """Lets a packet leave, rewritten if it must be."""
        quoted = packet.quoted
        if quoted:
            self._error_outward(packet, quoted, now)
            return
        if not _allowed(self.plan.rules, packet):
            raise Blocked("rules")
        if self._translates(packet):
            face = self._face(packet.protocol, packet.source, packet.destination, now)
            packet.rewrite(source=face)
        if self._filter:
            self._filter.note(packet.protocol, packet.source, packet.destination, now)

    def inward(self, packet: Packet, now: float) -> None:
        """Lets a packet in, rewritten if it must be."""
        quoted = packet.quoted
        # An error may come from anywhere on the way: it belongs to the flow that it is about.
        face = quoted.source if quoted else packet.destination
        remote = quoted.destination if quoted else packet.source
        protocol = quoted.protocol if quoted else packet.protocol
        if self._filter and not self._filter.permits(protocol, face, remote, now):
            raise Blocked("filter")
        if not self._translates(packet):
            return
        owner = self._owner(protocol, face, now)
        if quoted:
            packet.rewrite_quoted(source=owner)
            packet.rewrite(destination=Endpoint(owner.address, 0))
        else:
            packet.rewrite(destination=owner)

    def hairpins(self, packet: Packet) -> bool:
        """Whether a packet from inside is for another host behind this gateway, and gets there."""
        nat = self.plan.nat
        if nat is None or packet.destination.address != self.address:
            return False
        if not nat.hairpin:
            raise Blocked("hairpin")
        return True

    def _error_outward(self, packet: Packet, quoted: Packet, now: float) -> None:
        """A host behind us refuses something that we have let in."""
        if not self._translates(packet):
            return
        face = self._face(quoted.protocol, quoted.destination, quoted.source, now)
        packet.rewrite_quoted(destination=face)
        packet.rewrite(source=Endpoint(self.address, 0))

    def _face(self, protocol: int, inside: Endpoint, remote: Endpoint, now: float) -> Endpoint:
        assert self._mappings
        return self._mappings.face(protocol, inside, remote, now)

    def _owner(self, protocol: int, face: Endpoint, now: float) -> Endpoint:
        assert self._mappings
        owner = self._mappings.owner(protocol, face.port, now)
        if owner is None:
            raise Blocked("unmapped")
        return owner

    def _translates(self, packet: Packet) -> bool:
        return self._mappings is not None and packet.version == 4


def _allowed(rules: Rules, packet: Packet) -> bool:
    if packet.protocol == UDP:
        return rules.udp
    if packet.protocol == TCP:
        return rules.tcp_ports is None or packet.destination.port in rules.tcp_ports
    return packet.protocol in (ICMP, ICMP6)
