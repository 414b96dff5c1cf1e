"""IP packets, read and rewritten in place: as much as a router with NAT must know of them.

The checksum of what is rewritten is updated, not computed anew (RFC 1624), so that a packet that
was damaged stays damaged.
"""

from typing import Final, NamedTuple

ICMP: Final = 1
TCP: Final = 6
UDP: Final = 17
ICMP6: Final = 58

_V4, _V6 = 4, 6
_V6_HEADER: Final = 40  # bytes
_ECHO: Final = {ICMP: (0, 8), ICMP6: (128, 129)}
# Unreachable, time exceeded, parameter problem (RFC 792); of ICMPv6 all below 128 (RFC 4443 §2.1).
_V4_ERRORS: Final = (3, 11, 12)
_ICMP_HEADER: Final = 8
_ADDRESSES: Final = {_V4: (12, 4), _V6: (8, 16)}  # where the source begins, and how long it is
_CHECKSUM: Final = {TCP: 16, UDP: 6, ICMP: 2}  # offset in the transport's header
_FRAGMENT_OFFSET: Final = 0x1FFF


class Endpoint(NamedTuple):
    """An address, 4 or 16 bytes, and a port: of an echo the identifier, otherwise 0."""

    address: bytes
    port: int


class MalformedPacketError(Exception):
    """Too short, of no known version, or a fragment that does not say whose it is."""


class Packet:
    """A view of the packet that begins at an offset of some bytes; it writes into them."""

    __slots__ = ("_data", "_start", "_transport", "destination", "protocol", "source", "version")

    def __init__(self, data: bytearray, start: int = 0) -> None:
        """Raises MalformedPacketError."""
        self._data = data
        self._start = start
        try:
            self.version = data[start] >> 4
            self.protocol = self._read_header()
            self.source, self.destination = self._endpoints()
        except IndexError:
            raise MalformedPacketError("too short") from None

    def __bytes__(self) -> bytes:
        return bytes(self._data[self._start :])

    def __len__(self) -> int:
        return len(self._data) - self._start

    @property
    def quoted(self) -> "Packet | None":
        """What an ICMP error is about; None when this is none. Raises MalformedPacketError."""
        kind = self._data[self._transport] if self.protocol in _ECHO else None
        error = kind in _V4_ERRORS if self.protocol == ICMP else kind is not None and kind < 128
        return Packet(self._data, self._transport + _ICMP_HEADER) if error else None

    def rewrite(
        self, *, source: Endpoint | None = None, destination: Endpoint | None = None
    ) -> None:
        """Changes IPv4 addresses and ports, and those checksums that depend on them."""
        if source:
            self._put(0, self.source, source)
            self.source = source
        if destination:
            self._put(1, self.destination, destination)
            self.destination = destination

    def rewrite_quoted(
        self, *, source: Endpoint | None = None, destination: Endpoint | None = None
    ) -> None:
        """The same in what an ICMP error is about (RFC 5508 §4)."""
        quoted = self.quoted
        assert quoted is not None
        quoted.rewrite(source=source, destination=destination)
        at = self._transport + _CHECKSUM[ICMP]
        self._data[at : at + 2] = b"\0\0"
        self._write(at, checksum(self._data[self._transport :]))

    # ── reading ─────────────────────────────────────────────────────────────

    def _read_header(self) -> int:
        """Finds where the transport's header begins; returns the protocol."""
        data, start = self._data, self._start
        if self.version == _V6:
            self._transport = start + _V6_HEADER
            return data[start + 6]
        if self.version != _V4:
            raise MalformedPacketError("neither IPv4 nor IPv6")
        if self._read(start + 6) & _FRAGMENT_OFFSET:
            raise MalformedPacketError("a later fragment")
        self._transport = start + 4 * (data[start] & 15)
        return data[start + 9]

    def _endpoints(self) -> tuple[Endpoint, Endpoint]:
        begin, size = _ADDRESSES[self.version]
        begin += self._start
        source = bytes(self._data[begin : begin + size])
        destination = bytes(self._data[begin + size : begin + 2 * size])
        ports = self._ports()
        return Endpoint(source, ports[0]), Endpoint(destination, ports[1])

    def _ports(self) -> tuple[int, int]:
        at = self._transport
        if self.protocol in (TCP, UDP):
            return self._read(at), self._read(at + 2)
        if self._data[at] in _ECHO.get(self.protocol, ()):
            return self._read(at + 4), self._read(at + 4)
        return 0, 0

    def _read(self, at: int) -> int:
        return self._data[at] << 8 | self._data[at + 1]

    # ── writing ─────────────────────────────────────────────────────────────

    def _put(self, which: int, old: Endpoint, new: Endpoint) -> None:
        begin, size = _ADDRESSES[self.version]
        at = self._start + begin + which * size
        self._data[at : at + size] = new.address
        self._amend(self._start + 10, old.address, new.address)
        if self.protocol in (TCP, UDP):
            self._write(self._transport + 2 * which, new.port)
            self._amend_transport(old.address + _word(old.port), new.address + _word(new.port))
        elif new.port != old.port:
            self._write(self._transport + 4, new.port)
            self._amend_transport(_word(old.port), _word(new.port))

    def _amend_transport(self, old: bytes, new: bytes) -> None:
        at = self._transport + _CHECKSUM[self.protocol]
        if at + 2 > len(self._data):
            return  # an ICMP error quotes only the beginning
        if self.protocol == UDP and not self._read(at):
            return  # the sender computed none (RFC 768)
        self._amend(at, old, new)
        if self.protocol == UDP and not self._read(at):
            self._write(at, 0xFFFF)

    def _amend(self, at: int, old: bytes, new: bytes) -> None:
        """HC' = ~(~HC + ~m + m'), RFC 1624 §3."""
        total = (~self._read(at) & 0xFFFF) + _sum(bytes(255 - b for b in old)) + _sum(new)
        self._write(at, ~_folded(total) & 0xFFFF)

    def _write(self, at: int, word: int) -> None:
        self._data[at : at + 2] = _word(word)


def checksum(data: bytes | bytearray) -> int:
    """The Internet checksum (RFC 1071)."""
    return ~_folded(_sum(bytes(data) + b"\0" * (len(data) % 2))) & 0xFFFF


def _word(value: int) -> bytes:
    return value.to_bytes(2, "big")


def _sum(data: bytes) -> int:
    return sum(data[::2]) * 256 + sum(data[1::2])


def _folded(total: int) -> int:
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total
