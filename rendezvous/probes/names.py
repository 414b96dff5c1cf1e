"""From a host's name to its addresses."""

import asyncio
import socket

from rendezvous.probes.stun import Address


async def resolve(host: str, port: int) -> list[Address]:
    """All addresses, the preferred first; empty when the name leads nowhere."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return list(dict.fromkeys((str(address[0]), int(address[1])) for *_, address in found))


def shown(host: str, port: int) -> str:
    """host:port, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
