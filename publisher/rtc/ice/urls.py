"""STUN and TURN URLs (RFC 7064, RFC 7065), with what browsers take and aiortc does not."""

import re
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

_URL = re.compile(
    r"(?P<scheme>stun|turns?):"
    r"(?:\[(?P<literal>[0-9a-f:.]+)\]|(?P<name>[^\s:/?#@\[\]]+))"
    r"(?::(?P<port>\d{1,5}))?"
    r"(?:\?transport=(?P<transport>udp|tcp))?",
    re.IGNORECASE,
)
_PORT: Final = 3478
_TLS_PORT: Final = 5349


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
    found = _URL.fullmatch(url)
    if not found:
        raise ValueError("not a STUN or TURN URL")
    scheme, transport = found["scheme"].lower(), (found["transport"] or "").lower()
    if (scheme, transport) == ("turns", "udp") or (scheme == "stun" and transport):
        raise ValueError("not a transport that is spoken here")
    port = int(found["port"] or (_TLS_PORT if scheme == "turns" else _PORT))
    if not 0 < port < 65536:  # noqa: PLR2004
        raise ValueError("not a port")
    return Server(
        found["literal"] or found["name"], port, _transport(scheme, transport), scheme != "stun"
    )


def _transport(scheme: str, transport: str) -> Transport:
    if scheme == "turns":
        return Transport.TLS
    return Transport.TCP if transport == "tcp" else Transport.UDP
