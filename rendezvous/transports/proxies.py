"""The proxies whose word counts: who the client behind a connection or a request really is."""

import ipaddress
import re
from collections.abc import Iterable, Sequence

from rendezvous.transports.proxied import plain

_HOPS = 16  # entries of X-Forwarded-For that are looked at; more proxies in a row there are not
_WITH_PORT = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<v4>[0-9.]+)):\d{1,5}")


class TrustedProxies:
    """Networks of ``--trusted-proxy``; empty: nobody speaks for others."""

    def __init__(self, networks: Iterable[str] = ()) -> None:
        self._networks = tuple(ipaddress.ip_network(network) for network in networks)

    def __contains__(self, address: object) -> bool:
        ip = ipaddress.ip_address(str(address).partition("%")[0])
        return any(ip.version == net.version and ip in net for net in self._networks)

    def client(self, peer: str, forwarded_for: Sequence[str]) -> str:
        """Who asked, from the peer's address and the values of X-Forwarded-For.

        Each proxy appends whom it heard it from, so the list is read from its end for as long as
        proxies of ours speak; what stands before that anybody may have made up.
        """
        entries = [entry.strip() for value in forwarded_for for entry in value.split(",")]
        for entry in reversed(entries[-_HOPS:]):
            address = _address(entry)
            if peer not in self or address is None:
                break
            peer = address
        return peer


def _address(entry: str) -> str | None:
    match = _WITH_PORT.fullmatch(entry)
    try:
        return plain(ipaddress.ip_address((match["v6"] or match["v4"]) if match else entry))
    except ValueError:  # "unknown", or an obfuscated name (RFC 7239 §6)
        return None
