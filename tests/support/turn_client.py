"""A TURN client that asks for what a browser would not (RFC 8656), to see what a server refuses."""

import hashlib
import hmac
import ipaddress
import os
import re
import socket
import ssl
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.support.waiting import PATIENCE

_COOKIE = 0x2112A442
UDP, TCP = b"\x11\0\0\0", b"\x06\0\0\0"  # what a relay may carry: REQUESTED-TRANSPORT

_ALLOCATE, _REFRESH, _SEND, _PERMIT, _BIND = 0x003, 0x004, 0x016, 0x008, 0x009
_ERROR = 0x110
_USERNAME, _INTEGRITY, _ERROR_CODE, _CHANNEL, _LIFETIME = 0x06, 0x08, 0x09, 0x0C, 0x0D
_PEER, _DATA, _REALM, _NONCE, _FAMILY, _TRANSPORT = 0x12, 0x13, 0x14, 0x15, 0x17, 0x19
_RELAYED = 0x16
_FAMILIES = {4: b"\x01\0\0\0", 6: b"\x02\0\0\0"}

_known: set[int] = set()  # ports that a server may have had a client at

Attributes = dict[int, bytes]


class RefusedError(Exception):
    """The server refused, with a code of RFC 8656 §19."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


@dataclass
class TurnClient:
    """One allocation over one UDP socket. Every method raises RefusedError, or TimeoutError."""

    socket: socket.socket
    user: str
    password: str
    realm: str = ""  # the server's, unless another is wanted
    _nonce: bytes = b""
    _channel: int = 0x4000 - 1
    _transaction: bytes = b""

    def allocate(self, family: int = 4, *, transport: bytes = UDP) -> str:
        """The relayed address, of IPv4 or IPv6."""
        wanted = {_TRANSPORT: transport, _FAMILY: _FAMILIES[family]}
        try:
            answer = self._ask(_ALLOCATE, wanted)
        except _ChallengeError as challenge:
            self.realm = self.realm or challenge.realm
            self._nonce = challenge.nonce
            answer = self._ask(_ALLOCATE, wanted)
        return _host(answer[_RELAYED], self._transaction)

    def refresh(self, lifetime: int) -> None:
        """So many more seconds; none ends it."""
        self._ask(_REFRESH, {_LIFETIME: struct.pack("!I", lifetime)})

    def permit(self, peer: str, port: int) -> None:
        """CreatePermission."""
        self._ask(_PERMIT, {}, (peer, port))

    def bind(self, peer: str, port: int) -> None:
        """ChannelBind, to the next channel."""
        self._channel += 1
        self._ask(_BIND, {_CHANNEL: struct.pack("!HH", self._channel, 0)}, (peer, port))

    def send(self, peer: str, port: int, data: bytes) -> None:
        """A Send indication, which is never answered."""
        transaction = os.urandom(12)
        attributes = {_PEER: _address((peer, port), transaction), _DATA: data}
        self.socket.send(_message(_SEND, transaction, attributes))

    def _ask(
        self, method: int, wanted: Attributes, peer: tuple[str, int] | None = None
    ) -> Attributes:
        transaction = self._transaction = os.urandom(12)
        if peer:
            wanted = {**wanted, _PEER: _address(peer, transaction)}
        self.socket.send(self._signed(method, transaction, wanted))
        kind, answer = self._answer(transaction)
        if kind & _ERROR != _ERROR:
            return answer
        code = answer[_ERROR_CODE][2] * 100 + answer[_ERROR_CODE][3]
        if _NONCE in answer and not self._nonce:
            raise _ChallengeError(code, answer[_REALM].decode(), answer[_NONCE])
        raise RefusedError(code)

    def _signed(self, method: int, transaction: bytes, wanted: Attributes) -> bytes:
        if not self._nonce:
            return _message(method, transaction, wanted)
        proof = {_USERNAME: self.user.encode(), _REALM: self.realm.encode(), _NONCE: self._nonce}
        attributes = {**wanted, **proof}
        covered = _message(method, transaction, {**attributes, _INTEGRITY: bytes(20)})[:-24]
        secret = f"{self.user}:{self.realm}:{self.password}".encode()
        key = hashlib.md5(secret, usedforsecurity=False).digest()  # RFC 8489 §9.2.2
        integrity = hmac.digest(key, covered, "sha1")
        return _message(method, transaction, {**attributes, _INTEGRITY: integrity})

    def _answer(self, transaction: bytes) -> tuple[int, Attributes]:
        end = time.monotonic() + PATIENCE
        while True:
            self.socket.settimeout(max(end - time.monotonic(), 0.001))
            data = self._receive()
            if data[8:20] == transaction:
                return struct.unpack("!H", data[:2])[0], dict(_attributes(data[20:]))

    def _receive(self) -> bytes:
        if self.socket.type == socket.SOCK_DGRAM:
            return self.socket.recv(2048)
        head = self._exactly(20)
        return head + self._exactly(struct.unpack("!H", head[2:4])[0])

    def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            part = self.socket.recv(count - len(data))
            assert part, "the server closed the connection"
            data += part
        return data


class _ChallengeError(RefusedError):
    """The first 401, which brings realm and nonce."""

    def __init__(self, code: int, realm: str, nonce: bytes) -> None:
        super().__init__(code)
        self.realm = realm
        self.nonce = nonce


@contextmanager
def turn_client(
    server: tuple[str, int], user: str, password: str, *, realm: str = ""
) -> Iterator[TurnClient]:
    """A client of the server at that address, over UDP; what it allocated ends with it."""
    family = socket.AF_INET6 if ":" in server[0] else socket.AF_INET
    with _from_new_port(family) as connection:
        connection.connect(server)
        yield TurnClient(connection, user, password, realm)


def _from_new_port(family: socket.AddressFamily) -> socket.socket:
    """The kernel may choose one again that coturn refuses: 437, for a second after its end."""
    connection = socket.socket(family, socket.SOCK_DGRAM)
    connection.bind(("", 0))
    port = connection.getsockname()[1]
    if port in _known:
        with connection:  # closed after the next has another
            return _from_new_port(family)
    _known.add(port)
    return connection


@contextmanager
def turn_client_at(
    url: str, user: str, password: str, trusted: ssl.SSLContext
) -> Iterator[TurnClient]:
    """A client of the server at ``turn:host:port?transport=…`` or ``turns:…`` (RFC 7065)."""
    scheme, host, port, transport = re.split(r"[:?]", url)
    server = (host, int(port))
    if transport == "transport=udp":
        with turn_client(server, user, password) as client:
            yield client
    else:
        with socket.create_connection(server, PATIENCE) as plain:
            secure = (
                trusted.wrap_socket(plain, server_hostname=host) if scheme == "turns" else plain
            )
            with secure:
                yield TurnClient(secure, user, password)


def _message(kind: int, transaction: bytes, attributes: Attributes) -> bytes:
    body = b"".join(
        struct.pack("!HH", name, len(value)) + value + bytes(-len(value) % 4)
        for name, value in attributes.items()
    )
    return struct.pack("!HHI", kind, len(body), _COOKIE) + transaction + body


def _attributes(body: bytes) -> Iterator[tuple[int, bytes]]:
    while len(body) >= 4:
        name, length = struct.unpack("!HH", body[:4])
        yield name, body[4 : 4 + length]
        body = body[4 + length + -length % 4 :]


def _address(peer: tuple[str, int], transaction: bytes) -> bytes:
    """XOR-PEER-ADDRESS."""
    address = ipaddress.ip_address(peer[0])
    mask = struct.pack("!I", _COOKIE) + transaction
    masked = bytes(a ^ b for a, b in zip(address.packed, mask, strict=False))
    family = _FAMILIES[address.version][:1]
    return b"\0" + family + struct.pack("!H", peer[1] ^ (_COOKIE >> 16)) + masked


def _host(attribute: bytes, transaction: bytes) -> str:
    """Of an XOR address."""
    mask = struct.pack("!I", _COOKIE) + transaction
    packed = bytes(a ^ b for a, b in zip(attribute[4:], mask, strict=False))
    return str(ipaddress.ip_address(packed))
