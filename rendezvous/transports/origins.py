"""The names that this server knows itself by, which a camera's claim must use."""

import ipaddress
from collections.abc import Iterable
from typing import Any


class PublicOrigins:
    """``host:port`` texts in lower case: the public ones, and those of each connection."""

    def __init__(self, public: Iterable[str] = ()) -> None:
        self._public = frozenset(origin.lower() for origin in public)

    def known_to(self, peer: str, host: str, port: int) -> frozenset[str]:
        """What a peer at that address may have dialled to reach this local address."""
        known = {self.text(host, port)}
        if ipaddress.ip_address(peer.partition("%")[0]).is_loopback:
            known.add(f"localhost:{port}")
        return self._public | known

    @staticmethod
    def text(host: str, port: int) -> str:
        """``host:port``, with an IPv6 address in brackets."""
        return f"[{host}]:{port}".lower() if ":" in host else f"{host}:{port}".lower()


def host_and_port(name: Any) -> tuple[str, int]:
    """What a socket calls its end: without scope, and IPv4 as IPv4."""
    return str(name[0]).partition("%")[0].removeprefix("::ffff:"), int(name[1])
