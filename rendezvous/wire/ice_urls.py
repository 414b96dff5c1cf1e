"""URLs of STUN and TURN servers (RFC 7064, RFC 7065): operators write them, browsers get them."""

import re
from dataclasses import dataclass
from typing import Final, Literal

Transport = Literal["udp", "tcp"]

_URL: Final = re.compile(
    r"(?P<scheme>stuns?|turns?):"
    r"(?:\[(?P<literal>[0-9a-f:.]+)\]|(?P<name>[^\s:/?#@\[\]]+))"
    r"(?::(?P<port>\d{1,5}))?"
    r"(?:\?transport=(?P<transport>udp|tcp))?",
    re.IGNORECASE,
)
_PORT: Final = 3478
_SECURE_PORT: Final = 5349
_LAST_PORT: Final = 65_535


@dataclass(frozen=True, slots=True)
class IceUrl:
    """One way to one server; ``secure``: under TLS, or over UDP under DTLS."""

    host: str
    port: int
    transport: Transport
    secure: bool
    relays: bool


def parse(url: str) -> IceUrl:
    """Raises ValueError for what is none: browsers that are given it refuse all of a session's."""
    found = _URL.fullmatch(url)
    if found is None:
        raise ValueError("not a STUN or TURN URL")
    scheme, transport = found["scheme"].lower(), (found["transport"] or "").lower()
    secure, relays = scheme.endswith("s"), scheme.startswith("turn")
    port = int(found["port"] or (_SECURE_PORT if secure else _PORT))
    if not 0 < port <= _LAST_PORT:
        raise ValueError("not a port")
    if transport and not relays:
        raise ValueError("not a URL of STUN, which names no transport")
    plain: Transport = "tcp" if transport == "tcp" or (secure and not transport) else "udp"
    return IceUrl(found["literal"] or found["name"], port, plain, secure, relays)


def shown(url: str) -> str:
    """Whatever it is, without user and password, which some write into it by mistake."""
    return re.sub(r":.*@", ":…@", url, flags=re.DOTALL)
