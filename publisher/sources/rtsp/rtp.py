"""RTP packets (RFC 3550 §5.1): what is in one, and what a stream of them has lost."""

from typing import Final, NamedTuple

_FIXED: Final = 12  # bytes of the header
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
    if len(data) < _FIXED or data[0] >> 6 != _VERSION:
        return None
    first = data[0]
    begin, end = _FIXED, len(data)
    if first & 0x3F:  # padding, extension, contributing sources: rare
        begin += _WORD * (first & 15)
        if first & 0x10:
            begin += _WORD + _WORD * int.from_bytes(data[begin + 2 : begin + 4])
        if first & 0x20:
            end -= data[-1]
        if begin > end:
            return None
    second = data[1]
    return RtpPacket(
        second & 0x7F,
        second > 0x7F,  # noqa: PLR2004
        data[2] << 8 | data[3],
        int.from_bytes(data[4:8]),
        int.from_bytes(data[8:12]),
        data[begin:end],
    )


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

    def put(self, sequence: int) -> bool:
        """Whether packets are missing before this one."""
        before = self._sequences.last
        number = self._sequences.put(sequence)
        missing = 0 if before is None else number - before - 1
        self.lost += max(0, missing)
        return missing != 0
