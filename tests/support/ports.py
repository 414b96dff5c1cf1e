"""Ports for servers that are started later, or again: nobody else has them meanwhile.

What the kernel gives out, to whoever listens on port 0 and to every connection, are others: a port
that was free when somebody asked is soon one of those. And each is held by a name that only one
process can have, so that the tests beside us get others as well.
"""

import contextlib
import itertools
import os
import socket
from collections.abc import Iterator
from typing import Final

# net.ipv4.ip_local_port_range begins above them, and browsers refuse 10080 (Fetch §2.9).
_PORTS: Final = range(11_000, 20_000)
_turn: Iterator[int] = itertools.cycle([*_PORTS[os.getpid() % len(_PORTS) :], *_PORTS])


def free_port() -> int:
    """A port, for TCP and UDP, that nobody listens on and that is ours until this process ends."""
    tried = itertools.islice(_turn, 2 * len(_PORTS))
    return next(port for port in tried if _hold(port) and _is_free(port))


def _hold(port: int) -> bool:
    """Whether its name was to be had: an abstract one, which goes with the process (unix(7))."""
    name = socket.socket(socket.AF_UNIX)
    try:
        name.bind(f"\0porthole-port-{port}")
    except OSError:
        name.close()
        return False
    name.detach()  # open for good
    return True


def _is_free(port: int) -> bool:
    """Some program that is none of ours may have it."""
    with contextlib.suppress(OSError), socket.create_server(("", port)), _datagrams() as udp:
        udp.bind(("", port))
        return True
    return False


def _datagrams() -> socket.socket:
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
