"""STUN and TURN servers that can serve media, with what browsers take and aiortc does not."""

from dataclasses import dataclass
from enum import IntEnum

from rendezvous.wire import ice_urls


class Transport(IntEnum):
    """How packets reach a server; the lower the better for media."""

    UDP = 0
    TCP = 1
    TLS = 2


@dataclass(frozen=True, slots=True)
class Server:
    """One way to one server."""

    host: str
    port: int
    transport: Transport = Transport.UDP
    relays: bool = False

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port} ({self.transport.name})"


def parse(url: str) -> Server:
    """The server of the URL; raises ValueError for what cannot serve media here.

    That is STUN over TLS, whose reflexive address is of no use to UDP, and TURN over DTLS.
    """
    found = ice_urls.parse(url)
    if found.secure and (found.transport == "udp" or not found.relays):
        raise ValueError("not a transport that is spoken here")
    transport = Transport.TLS if found.secure else Transport[found.transport.upper()]
    return Server(found.host, found.port, transport, found.relays)
