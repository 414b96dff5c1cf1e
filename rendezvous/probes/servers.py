"""STUN and TURN servers as settings and messages name them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from rendezvous.probes.turn import Credentials
from rendezvous.wire import ice_urls
from rendezvous.wire.messages import IceServer

Transport = Literal["udp", "tcp", "tls", "dtls"]


@dataclass(frozen=True, slots=True)
class Server:
    """One URL of a STUN or TURN server, and who may use it; one of TURN ``relays``."""

    url: str
    host: str
    port: int
    transport: Transport
    relays: bool
    credentials: Credentials | None = None


def parse(url: str, credentials: Credentials | None = None) -> Server:
    """Raises ValueError when it is no URL of such a server."""
    try:
        found = ice_urls.parse(url)
    except ValueError as error:
        raise ValueError(f"{ice_urls.shown(url)} is no STUN or TURN server: {error}.") from None
    secure: Transport = "tls" if found.transport == "tcp" else "dtls"
    transport = secure if found.secure else found.transport
    return Server(url, found.host, found.port, transport, found.relays, credentials)


def servers(given: Iterable[IceServer]) -> list[Server]:
    """All URLs, as the rendezvous hands them out; raises ValueError."""
    return [parse(url, _credentials(one)) for one in given for url in one.urls]


def _credentials(one: IceServer) -> Credentials | None:
    if one.username is None or one.credential is None:
        return None
    return Credentials(one.username, one.credential)
