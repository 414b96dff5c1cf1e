"""Which of the host's addresses and ports ICE may use."""

import errno
import fnmatch
import ipaddress
import random
import re
import socket
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import Any, Final

import ifaddr

from publisher.rtc.ice.datagrams import open_datagrams

_BUFFER_BYTES: Final = 256 * 1024
MOST: Final = 16  # addresses; each costs a socket for every viewer
# Bridges of containers and virtual machines: viewers are hardly ever there.
_VIRTUAL: Final = (
    "docker*",
    "br-*",
    "veth*",
    "virbr*",
    "vmnet*",
    "vboxnet*",
    "lxc*",
    "cni*",
    "podman*",
)
_PORTS = re.compile(r"(\d{1,5})-(\d{1,5})")


@dataclass(frozen=True, slots=True)
class Network:
    """What a person has set: UDP ports, and patterns of interface names as in fnmatch(3).

    A pattern after ``!`` keeps an interface out. Loopback takes part only where it is named.
    """

    ports: range | None = None
    interfaces: tuple[str, ...] = ()

    @classmethod
    def parse(cls, ports: str, interfaces: str) -> "Network":
        """From ``40000-40100`` and ``eth*,!docker*``, both of which may be empty; ValueError."""
        patterns = (part.strip() for part in interfaces.split(","))
        return cls(_range(ports) if ports else None, tuple(filter(None, patterns)))

    def admits(self, interface: str, *, loopback: bool) -> bool:
        """Whether addresses of the interface may be used."""
        kept_out = [pattern[1:] for pattern in self.interfaces if pattern.startswith("!")]
        named = [pattern for pattern in self.interfaces if not pattern.startswith("!")]
        if any(fnmatch.fnmatchcase(interface, pattern) for pattern in kept_out):
            return False
        if named:
            return any(fnmatch.fnmatchcase(interface, pattern) for pattern in named)
        return not loopback


def _range(text: str) -> range:
    found = _PORTS.fullmatch(text)
    first, last = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 0 < first <= last < 65536:  # noqa: PLR2004
        raise ValueError("not a range of ports")
    return range(first, last + 1)


def addresses(network: Network) -> list[str]:
    """The host's addresses, the likeliest first, IPv6 and IPv4 in turns (RFC 8421 §4)."""
    found = sorted(_admitted(network), key=lambda item: _is_virtual(item[0]))
    four = [address for _, address in found if ":" not in address]
    six = [address for _, address in found if ":" in address]
    mixed = chain.from_iterable(zip_longest(six, four))
    return [address for address in mixed if address is not None][:MOST]


def _admitted(network: Network) -> Iterator[tuple[str, str]]:
    for adapter in ifaddr.get_adapters():
        for ip in adapter.ips:
            address = _plain(ip.ip)
            if address and network.admits(adapter.nice_name, loopback=_is_loopback(address)):
                yield adapter.nice_name, address


def _plain(address: str | tuple[str, int, int]) -> str | None:
    """None for link-local ones, which mean nothing without the name of our interface."""
    if isinstance(address, str):
        return address
    return None if address[2] else address[0]


def _is_loopback(address: str) -> bool:
    return ipaddress.ip_address(address).is_loopback


def _is_virtual(interface: str) -> bool:
    return any(fnmatch.fnmatchcase(interface, pattern) for pattern in _VIRTUAL)


async def bind(factory: Callable[[], Any], address: str, ports: range | None) -> Any:
    """A protocol with a UDP socket at the address, and at a port of the range; raises OSError."""
    _, protocol = await open_datagrams(factory, sock=_bound(address, ports))
    return protocol


def _bound(address: str, ports: range | None) -> socket.socket:
    # Event loops bind as well, but uvloop keeps the socket when that fails.
    made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    try:
        made.setblocking(False)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        _bind(made, address, ports)
    except OSError:
        made.close()
        raise
    return made


def _bind(made: socket.socket, address: str, ports: range | None) -> None:
    for port in _order(ports):
        try:
            made.bind((address, port))
        except OSError as error:
            if ports is None or error.errno != errno.EADDRINUSE:
                raise
        else:
            return
    raise OSError(errno.EADDRINUSE, "all UDP ports of the range are in use")


def _order(ports: range | None) -> Iterable[int]:
    """From anywhere, once around: many sessions do not queue for the first port."""
    if ports is None:
        return (0,)
    begin = random.randrange(len(ports))  # noqa: S311  # no secret
    return chain(ports[begin:], ports[:begin])
