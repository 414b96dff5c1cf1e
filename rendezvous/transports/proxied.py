"""The PROXY protocol: a trusted proxy says before anything else who its client is.

Versions 1 and 2 as HAProxy's proxy-protocol.txt has them; pure functions over bytes. What a header
says is for its sender to know: only those of trusted proxies are read at all.
"""

import ipaddress
import re
import struct
from dataclasses import dataclass
from typing import TypeAlias

SIGNATURE_1 = b"PROXY "
SIGNATURE_2 = b"\r\n\r\n\0\r\nQUIT\n"

_LINE = 107  # bytes that a header of version 1 may have, with its CR LF (§2.1)
_FIXED = 16  # bytes of version 2 before the addresses (§2.2)
_LONGEST = 4096  # bytes of version 2; the specification allows 64 KiB, proxies send a few hundred

_WORDS = re.compile(
    rb"PROXY TCP(?P<family>[46]) (?P<source>[0-9A-Fa-f:.]{2,45}) (?P<target>[0-9A-Fa-f:.]{2,45}) "
    rb"(?P<source_port>0|[1-9]\d{0,4}) (?P<target_port>0|[1-9]\d{0,4})\r\n"
)
_UNKNOWN = re.compile(rb"PROXY UNKNOWN(?: [^\r\n]*)?\r\n")
_LAST_PORT = 65_535
_LOCAL, _PROXY = 0x20, 0x21  # version 2, and the command
_ADDRESSES = {0x11: "!4s4sHH", 0x21: "!16s16sHH"}  # TCP over IPv4 and IPv6
_NO_ADDRESSES = (0x00, 0x31)  # unspecified, and a Unix stream

End: TypeAlias = tuple[str, int]


class MalformedError(Exception):
    """It began like a header and is none."""


@dataclass(frozen=True, slots=True)
class Header:
    """Who connected, and to what; None where the proxy speaks for itself, as in health checks."""

    client: End | None = None
    target: End | None = None


def extent(seen: bytes) -> int | None:
    """How long the header is that the connection begins with; 0: it begins with none.

    None: not known yet, but all that was seen belongs to it. Raises MalformedError.
    """
    if seen.startswith(SIGNATURE_2):
        return _extent_2(seen)
    if seen.startswith(SIGNATURE_1):
        return _extent_1(seen)
    begun = SIGNATURE_1.startswith(seen) or SIGNATURE_2.startswith(seen)
    return None if begun else 0


def _extent_1(seen: bytes) -> int | None:
    end = seen.find(b"\n", 0, _LINE) + 1
    if not end and len(seen) >= _LINE:
        raise MalformedError("its line does not end")
    return end or None


def _extent_2(seen: bytes) -> int | None:
    if len(seen) < _FIXED:
        return None
    length = _FIXED + int.from_bytes(seen[_FIXED - 2 : _FIXED])
    if length > _LONGEST:
        raise MalformedError("it is too long")
    return length


def parse(header: bytes) -> Header:
    """What a whole header says; raises MalformedError."""
    try:
        return _parse_2(header) if header.startswith(SIGNATURE_2) else _parse_1(header)
    except (ValueError, struct.error) as error:
        raise MalformedError(str(error)) from error


def _parse_1(header: bytes) -> Header:
    if _UNKNOWN.fullmatch(header):
        return Header()
    match = _WORDS.fullmatch(header)
    if match is None:
        raise MalformedError("its words are not those of version 1")
    family = int(match["family"])
    source, target = match["source"].decode(), match["target"].decode()
    return Header(
        _end(source, int(match["source_port"]), family),
        _end(target, int(match["target_port"]), family),
    )


def _parse_2(header: bytes) -> Header:
    command, family = header[12], header[13]
    if command == _LOCAL or (command == _PROXY and family in _NO_ADDRESSES):
        return Header()
    if command != _PROXY or family not in _ADDRESSES:
        raise MalformedError("its command or its family is none of version 2")
    layout = _ADDRESSES[family]
    source, target, *ports = struct.unpack_from(layout, header, _FIXED)
    return Header(_end(source, ports[0]), _end(target, ports[1]))


def _end(address: str | bytes, port: int, family: int | None = None) -> End:
    ip = ipaddress.ip_address(address)
    if port > _LAST_PORT or family not in (None, ip.version):
        raise ValueError("a port or an address of another family")
    return plain(ip), port


def plain(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    """The address as sockets are named here: IPv4 as IPv4, without a scope."""
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return str(mapped or ip).partition("%")[0]
