"""RTP packets (RFC 3550 §5.1): what is in one, and what a stream of them has lost."""

from struct import Struct
from typing import Final, NamedTuple

_HEADER: Final = Struct("!BBHII")
_FIXED: Final = _HEADER.size
_MARKER: Final = 0x80
_VERSION: Final = 2
_WORD: Final = 4


class RtpPacket(NamedTuple):
    """One packet; ``payload`` is of the buffer and to be copied by who keeps it."""

    payload_type: int
    marker: bool
    sequence: int
    timestamp: int
    ssrc: int
    payload: memoryview


def parse(data: memoryview) -> RtpPacket | None:
    """None when it is no RTP packet."""
    if len(data) < _FIXED:
        return None
    first, second, sequence, timestamp, ssrc = _HEADER.unpack_from(data)
    if first >> 6 != _VERSION:
        return None
    # Padding, extension, contributing sources: rare.
    payload = _payload(data, first) if first & 0x3F else data[_FIXED:]
    if payload is None:
        return None
    return RtpPacket(second & 0x7F, second >= _MARKER, sequence, timestamp, ssrc, payload)


def _payload(data: memoryview, first: int) -> memoryview | None:
    begin, end = _FIXED + _WORD * (first & 15), len(data)
    if first & 0x10:
        begin += _WORD + _WORD * int.from_bytes(data[begin + 2 : begin + 4])
    if first & 0x20:
        end -= data[-1]
    return data[begin:end] if begin <= end else None


class Unwrapper:
    """Numbers of so many bits that grow and wrap, as numbers that only grow."""

    def __init__(self, bits: int) -> None:
        self._half = 1 << (bits - 1)
        self._mask = (1 << bits) - 1
        self.last: int | None = None

    def put(self, number: int) -> int:
        """The number next to the last one."""
        if self.last is None:
            self.last = number
        else:
            self.last += (number - self.last + self._half & self._mask) - self._half
        return self.last


class Reception:
    """Which packets of one source came: for receiver reports, and to notice gaps."""

    def __init__(self, ssrc: int) -> None:
        self.ssrc = ssrc
        self.lost = 0
        self._sequences = Unwrapper(16)

    @property
    def highest(self) -> int:
        """The extended sequence number of RFC 3550 §A.1."""
        return self._sequences.last or 0

    def go_on(self, packets: int) -> None:
        """So many came, one after the other."""
        self._sequences.last = self.highest + packets

    def put(self, sequence: int) -> bool:
        """Whether packets are missing before this one."""
        before = self._sequences.last
        number = self._sequences.put(sequence)
        missing = 0 if before is None else number - before - 1
        self.lost += max(0, missing)
        return missing != 0
