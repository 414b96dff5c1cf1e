"""STUN and TURN servers as settings and messages name them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from rendezvous.probes.turn import Credentials
from rendezvous.wire.messages import IceServer

Transport = Literal["udp", "tcp", "tls", "dtls"]

_URL: Final = re.compile(
    r"(?P<scheme>stuns?|turns?):(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<host>[^:?\[\]\s]+))"
    r"(?::(?P<port>\d{1,5}))?(?:\?transport=(?P<transport>udp|tcp))?"
)


@dataclass(frozen=True, slots=True)
class Server:
    """One URL of a STUN or TURN server (RFC 7064, RFC 7065), and who may use it."""

    url: str
    host: str
    port: int
    transport: Transport
    credentials: Credentials | None = None

    @property
    def relays(self) -> bool:
        """Whether it is a TURN server."""
        return self.url.startswith("turn")


def parse(url: str, credentials: Credentials | None = None) -> Server:
    """Raises ValueError when it is no URL of such a server."""
    match = _URL.fullmatch(url)
    if match is None:
        raise ValueError(f"'{url}' is no STUN or TURN server.")
    secure = match["scheme"].endswith("s")
    plain = match["transport"] or ("tcp" if secure else "udp")
    transport: Transport = "udp" if plain == "udp" else "tcp"
    if secure:
        transport = "dtls" if plain == "udp" else "tls"
    port = int(match["port"] or (5349 if secure else 3478))
    return Server(url, match["six"] or match["host"], port, transport, credentials)


def servers(given: Iterable[IceServer]) -> list[Server]:
    """All URLs, as the rendezvous hands them out; raises ValueError."""
    return [parse(url, _credentials(one)) for one in given for url in one.urls]


def _credentials(one: IceServer) -> Credentials | None:
    if one.username is None or one.credential is None:
        return None
    return Credentials(one.username, one.credential)
