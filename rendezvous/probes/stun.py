"""STUN messages as bytes and back (RFC 8489), with the methods of TURN (RFC 8656). No I/O."""

import hashlib
import hmac
import ipaddress
import secrets
import struct
from enum import IntEnum
from typing import Final, NamedTuple, TypeAlias

HEADER: Final = 20  # bytes
_COOKIE: Final = 0x2112A442
_INTEGRITY: Final = 24  # bytes of the attribute: header and HMAC-SHA1

Address: TypeAlias = tuple[str, int]


class Method(IntEnum):
    """What is asked for (RFC 8489 §18.2, RFC 8656 §17)."""

    BINDING = 0x001
    ALLOCATE = 0x003
    REFRESH = 0x004
    SEND = 0x006
    DATA = 0x007
    CREATE_PERMISSION = 0x008


class Kind(IntEnum):
    """The class of a message (RFC 8489 §5)."""

    REQUEST = 0
    INDICATION = 1
    SUCCESS = 2
    ERROR = 3


class Attribute(IntEnum):
    """Those that a probe needs (RFC 8489 §18.3, RFC 8656 §18, RFC 5780 §7)."""

    USERNAME = 0x0006
    MESSAGE_INTEGRITY = 0x0008
    ERROR_CODE = 0x0009
    LIFETIME = 0x000D
    XOR_PEER_ADDRESS = 0x0012
    DATA = 0x0013
    REALM = 0x0014
    NONCE = 0x0015
    XOR_RELAYED_ADDRESS = 0x0016
    REQUESTED_ADDRESS_FAMILY = 0x0017
    REQUESTED_TRANSPORT = 0x0019
    XOR_MAPPED_ADDRESS = 0x0020
    OTHER_ADDRESS = 0x802C


class Message(NamedTuple):
    """One STUN message; attributes that were not asked for are kept by their numbers."""

    method: int
    kind: Kind
    transaction: bytes
    attributes: dict[int, bytes]

    def address(self, attribute: Attribute) -> Address | None:
        """A XOR-ed address of it, if there is one that can be read."""
        value = self.attributes.get(attribute)
        return unxor(value, self.transaction) if value else None

    @property
    def error(self) -> int:
        """The number of its ERROR-CODE (RFC 8489 §14.8); 0 without one."""
        value = self.attributes.get(Attribute.ERROR_CODE, b"")
        return (value[2] & 7) * 100 + value[3] if len(value) >= 4 else 0  # noqa: PLR2004


def message(method: Method, kind: Kind, attributes: dict[int, bytes] | None = None) -> Message:
    """A new one, with a transaction of its own."""
    return Message(method, kind, secrets.token_bytes(12), attributes or {})


def encode(sent: Message, key: bytes = b"") -> bytes:
    """The bytes; with a ``key`` their integrity is protected (RFC 8489 §14.5)."""
    body = b"".join(_attribute(*item) for item in sent.attributes.items())
    if not key:
        return _header(sent, len(body)) + body
    covered = _header(sent, len(body) + _INTEGRITY) + body
    mac = hmac.digest(key, covered, "sha1")
    return covered + _attribute(Attribute.MESSAGE_INTEGRITY, mac)


def decode(data: bytes) -> Message | None:
    """None when it is no STUN message."""
    if len(data) < HEADER:
        return None
    kind, length, cookie = struct.unpack_from("!HHI", data)
    if kind >> 14 or cookie != _COOKIE or len(data) < HEADER + length:
        return None
    method = kind & 0x000F | kind >> 1 & 0x0070 | kind >> 2 & 0x0F80
    body = data[HEADER : HEADER + length]
    return Message(method, Kind(kind >> 4 & 1 | kind >> 7 & 2), data[8:HEADER], _attributes(body))


def size(head: bytes) -> int:
    """How many bytes a message has whose first four these are (a stream has no other frames)."""
    return HEADER + int.from_bytes(head[2:4])


def xor(address: Address, transaction: bytes) -> bytes:
    """An address as attributes carry it (RFC 8489 §14.2)."""
    ip = ipaddress.ip_address(address[0])
    mask = struct.pack("!I", _COOKIE) + transaction
    hidden = bytes(a ^ b for a, b in zip(ip.packed, mask, strict=False))
    return struct.pack("!xBH", 1 if ip.version == 4 else 2, address[1] ^ _COOKIE >> 16) + hidden  # noqa: PLR2004


def unxor(value: bytes, transaction: bytes) -> Address | None:
    """None when it is no address."""
    mask = struct.pack("!I", _COOKIE) + transaction
    port = int.from_bytes(value[2:4]) ^ _COOKIE >> 16
    return _address(bytes(a ^ b for a, b in zip(value[4:], mask, strict=False)), port)


def plain_address(value: bytes) -> Address | None:
    """An address that is not XOR-ed, as in OTHER-ADDRESS (RFC 5780 §7.4)."""
    return _address(value[4:], int.from_bytes(value[2:4]))


def long_term_key(username: str, realm: bytes, password: str) -> bytes:
    """What long-term credentials sign with (RFC 8489 §9.2.2); MD5 because it says so."""
    text = username.encode() + b":" + realm + b":" + password.encode()
    return hashlib.md5(text, usedforsecurity=False).digest()


def _address(packed: bytes, port: int) -> Address | None:
    try:
        return str(ipaddress.ip_address(packed)), port
    except ValueError:
        return None


def _header(sent: Message, length: int) -> bytes:
    method, kind = int(sent.method), int(sent.kind)
    word = method & 0x000F | (method & 0x0070) << 1 | (method & 0x0F80) << 2
    word |= (kind & 1) << 4 | (kind & 2) << 7
    return struct.pack("!HHI", word, length, _COOKIE) + sent.transaction


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("!HH", kind, len(value)) + value + bytes(-len(value) % 4)


def _attributes(body: bytes) -> dict[int, bytes]:
    """The first of each kind: others are to be ignored (RFC 8489 §14)."""
    found: dict[int, bytes] = {}
    at = 0
    while at + 4 <= len(body):
        kind, length = struct.unpack_from("!HH", body, at)
        found.setdefault(kind, body[at + 4 : at + 4 + length])
        at += 4 + length + -length % 4
    return found
