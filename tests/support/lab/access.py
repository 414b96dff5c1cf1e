"""The ways in which people are connected to the Internet, as data, and where hosts get addresses.

A *site* is a home with a number; a *place* is a host's seat in it. Addresses are those that RFC
5737, 1918 and 6598 set aside, so nothing here can be mistaken for somebody's. Of IPv6 it is 2fff::,
which IANA has given to nobody: the documentation prefix is a local network to Chromium, which a
page from elsewhere may not reach.
"""

from typing import Final

from msgspec import Struct

from tests.support.lab.topology import INTERNET, Dependence, Gateway, Nat, Rules


class Access(Struct, frozen=True):
    """How a home is connected."""

    name: str
    nats: tuple[Nat, ...] = ()
    """Of IPv4, from the host outwards; none: public addresses."""
    filtering: Dependence | None = None
    """Of all its gateways."""
    rules: Rules = Rules()
    v4: bool = True
    v6: bool = False


_ANY, _ADDRESS, _PORT = Dependence.NOTHING, Dependence.ADDRESS, Dependence.ADDRESS_AND_PORT
_EVEN, _SYMMETRIC = Nat(), Nat(mapping=_PORT)

OPEN: Final = Access("open")
FULL_CONE: Final = Access("full-cone", (_EVEN,), _ANY)
ADDRESS: Final = Access("address", (_EVEN,), _ADDRESS)
PORT: Final = Access("port", (_EVEN,), _PORT)
SYMMETRIC: Final = Access("symmetric", (_SYMMETRIC,), _PORT)
DOUBLE: Final = Access("double", (_EVEN, _EVEN), _PORT)
NO_UDP: Final = Access("no-udp", (_EVEN,), _PORT, Rules(udp=False))
TCP_443: Final = Access("tcp-443", (_EVEN,), _PORT, Rules(udp=False, tcp_ports=(443,)))
IPV6: Final = Access("ipv6", filtering=_PORT, v4=False, v6=True)
DUAL: Final = Access("dual", (_EVEN,), _PORT, v6=True)
"""What most homes have: IPv4 behind a NAT, and IPv6 behind a filter (RFC 6092)."""

KINDS: Final = (
    OPEN, FULL_CONE, ADDRESS, PORT, SYMMETRIC, DOUBLE, NO_UDP, TCP_443, IPV6, DUAL
)  # fmt: skip


class Place(Struct, frozen=True):
    """A host's seat: ``number`` in the ``site``, which is connected by ``access``."""

    access: Access
    site: int
    number: int = 2

    @property
    def network(self) -> str:
        """The network that the host is in."""
        return f"home{self.site}" if self.gateways else INTERNET

    @property
    def addresses(self) -> tuple[str, ...]:
        """With the lengths of their prefixes."""
        private = f"10.{self.site}.0.{self.number}/24"
        public = f"198.51.100.{16 * self.site + self.number}/32"
        v4 = (private if self.access.nats else public,) if self.access.v4 else ()
        v6 = (f"2fff:db8:{self.site}::{self.number}/64",) if self.access.v6 else ()
        return v4 + v6

    @property
    def gateways(self) -> tuple[Gateway, ...]:
        """Those of the site, from the host outwards; the same for all its hosts."""
        if not self.access.nats and self.access.filtering is None:
            return ()
        hops = self.access.nats or (None,)
        return tuple(self._gateway(hop, nat, len(hops)) for hop, nat in enumerate(hops))

    def _gateway(self, hop: int, nat: Nat | None, hops: int) -> Gateway:
        last = hop == hops - 1
        public = f"198.51.100.{16 * self.site}" if nat else ""
        return Gateway(
            name=f"gateway{self.site}.{hop}",
            inside=f"home{self.site}" + f".{hop}" * (hop > 0),
            outside=INTERNET if last else f"home{self.site}.{hop + 1}",
            address=public if last else f"100.64.{self.site}.{hop}",
            nat=nat,
            filtering=self.access.filtering,
            rules=self.access.rules,
        )


def server(number: int) -> "ServerPlace":
    """A host of a data centre, with public addresses of both families."""
    return ServerPlace(number)


class ServerPlace(Struct, frozen=True):
    """See `server`."""

    number: int
    network: str = INTERNET
    gateways: tuple[Gateway, ...] = ()

    @property
    def addresses(self) -> tuple[str, ...]:
        """With the lengths of their prefixes."""
        return (f"203.0.113.{self.number}/32", f"2fff:db8:ffff::{self.number}/128")
