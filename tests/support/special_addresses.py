"""The addresses that nobody may reach through a relay, as IANA's registries have them.

IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890), and multicast. Written down from the
registries, not from the configuration that is tested against them.
"""

import ipaddress
import random
from collections.abc import Iterator

V4 = (
    ("0.0.0.0/8", "this network, RFC 791"),
    ("10.0.0.0/8", "private use, RFC 1918"),
    ("100.64.0.0/10", "shared by carriers, RFC 6598"),
    ("127.0.0.0/8", "loopback, RFC 1122"),
    ("169.254.0.0/16", "link-local, and clouds' metadata, RFC 3927"),
    ("172.16.0.0/12", "private use, RFC 1918"),
    ("192.0.0.0/24", "protocol assignments, RFC 6890"),
    ("192.0.0.0/29", "IPv4 continuity, RFC 7335"),
    ("192.0.0.8/32", "dummy address, RFC 7600"),
    ("192.0.0.9/32", "PCP anycast, RFC 7723"),
    ("192.0.0.10/32", "TURN anycast, RFC 8155"),
    ("192.0.0.170/31", "NAT64 discovery, RFC 8880"),
    ("192.0.2.0/24", "documentation, RFC 5737"),
    ("192.31.196.0/24", "AS112, RFC 7535"),
    ("192.52.193.0/24", "AMT, RFC 7450"),
    ("192.88.99.0/24", "6to4 anycast, RFC 7526"),
    ("192.168.0.0/16", "private use, RFC 1918"),
    ("192.175.48.0/24", "AS112 direct delegation, RFC 7534"),
    ("198.18.0.0/15", "benchmarks, RFC 2544"),
    ("198.51.100.0/24", "documentation, RFC 5737"),
    ("203.0.113.0/24", "documentation, RFC 5737"),
    ("224.0.0.0/4", "multicast, RFC 5771"),
    ("240.0.0.0/4", "reserved, RFC 1112"),
    ("255.255.255.255/32", "broadcast, RFC 8190"),
)

V6 = (
    ("::/128", "unspecified, RFC 4291"),
    ("::1/128", "loopback, RFC 4291"),
    ("::/96", "IPv4-compatible, RFC 4291"),
    ("::ffff:0:0/96", "IPv4-mapped, RFC 4291"),
    ("64:ff9b::/96", "NAT64, RFC 6052"),
    ("64:ff9b:1::/48", "NAT64 of a network's own, RFC 8215"),
    ("100::/64", "discard only, RFC 6666"),
    ("100:0:0:1::/64", "dummy prefix, RFC 9780"),
    ("2001::/23", "protocol assignments, RFC 2928"),
    ("2001::/32", "Teredo, RFC 4380"),
    ("2001:1::1/128", "PCP anycast, RFC 7723"),
    ("2001:1::2/128", "TURN anycast, RFC 8155"),
    ("2001:1::3/128", "DNS-SD anycast, RFC 9665"),
    ("2001:2::/48", "benchmarks, RFC 5180"),
    ("2001:3::/32", "AMT, RFC 7450"),
    ("2001:4:112::/48", "AS112, RFC 7535"),
    ("2001:10::/28", "ORCHID, RFC 4843"),
    ("2001:20::/28", "ORCHIDv2, RFC 7343"),
    ("2001:30::/28", "drone identifiers, RFC 9374"),
    ("2001:db8::/32", "documentation, RFC 3849"),
    ("2002::/16", "6to4, RFC 3056"),
    ("2620:4f:8000::/48", "AS112 direct delegation, RFC 7534"),
    ("3fff::/20", "documentation, RFC 9637"),
    ("5f00::/16", "segment routing, RFC 9602"),
    ("fc00::/7", "unique local, RFC 4193"),
    ("fe80::/10", "link-local, RFC 4291"),
    ("fec0::/10", "site-local of old, RFC 3879"),
    ("ff00::/8", "multicast, RFC 4291"),
)

# What can stand before an address of IPv4 in one of IPv6.
_DISGUISES = ("::", "::ffff:0:0", "64:ff9b::")

ORDINARY = ("8.8.8.8", "1.1.1.1", "2600::1", "2a00:1450::1")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def samples(network: str) -> tuple[Address, ...]:
    """The first, the last, and one in between, always the same."""
    of = ipaddress.ip_network(network)
    between = random.Random(network).randrange(of.num_addresses)
    return of[0], of[between], of[-1]


def disguised(address: Address) -> Iterator[ipaddress.IPv6Address]:
    """An IPv4 address as IPv4-mapped, IPv4-compatible, behind NAT64, and in 6to4."""
    for prefix in _DISGUISES:
        yield ipaddress.IPv6Address(int(ipaddress.IPv6Address(prefix)) + int(address))
    yield ipaddress.IPv6Address((0x2002 << 112) + (int(address) << 80) + 1)


def special_addresses() -> frozenset[Address]:
    """Three of every range; those of IPv4 also in each disguise."""
    v4 = [address for network, _ in V4 for address in samples(network)]
    v6 = [address for network, _ in V6 for address in samples(network)]
    return frozenset([*v4, *v6, *(other for address in v4 for other in disguised(address))])
