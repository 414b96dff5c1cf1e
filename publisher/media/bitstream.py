"""What H.264 and H.265 have in common as bytes: NAL units, their framing, and fields of bits.

Nothing here changes a NAL unit.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

START_CODE: Final = b"\x00\x00\x00\x01"


class MalformedError(ValueError):
    """The bytes are not what the specification says they should be."""


def split_annex_b(data: bytes) -> list[bytes]:
    """The NAL units of a byte stream (annex B), without start codes and trailing zeros."""
    nals = []
    begin = _after_start_code(data, 0)
    while begin < len(data):
        end = data.find(b"\x00\x00\x01", begin)
        nal = data[begin : end if end >= 0 else len(data)].rstrip(b"\x00")
        if nal:
            nals.append(nal)
        begin = end + 3 if end >= 0 else len(data)
    return nals


def _after_start_code(data: bytes, begin: int) -> int:
    found = data.find(b"\x00\x00\x01", begin)
    return found + 3 if found >= 0 else len(data)


def split_length_prefixed(data: bytes, size: int) -> list[bytes]:
    """The NAL units of a sample as in MP4 (ISO/IEC 14496-15 §5.3.4); raises MalformedError."""
    nals = []
    at = 0
    while at < len(data):
        end = at + size + int.from_bytes(data[at : at + size])
        if end > len(data) or end == at + size:
            raise MalformedError("a NAL unit's length does not fit its sample")
        nals.append(data[at + size : end])
        at = end
    return nals


def join_annex_b(nals: Iterable[bytes]) -> bytes:
    """A byte stream with four-byte start codes."""
    return b"".join([START_CODE + nal for nal in nals])


@dataclass(frozen=True, slots=True)
class Configuration:
    """A stream's out-of-band parameter sets and how its NAL units are delimited."""

    parameter_sets: tuple[bytes, ...] = ()
    length_size: int = 0  # bytes before each NAL unit; 0: start codes

    def split(self, data: bytes) -> list[bytes]:
        """The NAL units of one packet; raises MalformedError."""
        if self.length_size:
            return split_length_prefixed(data, self.length_size)
        return split_annex_b(data)


class Bits:
    """Reads the fields of a NAL unit's payload (H.264 §7.2 and §9.1, H.265 the same)."""

    def __init__(self, payload: bytes) -> None:
        rbsp = payload.replace(b"\x00\x00\x03", b"\x00\x00")  # emulation prevention, §7.4.1
        self._value = int.from_bytes(rbsp)
        self._left = len(rbsp) * 8

    def take(self, count: int) -> int:
        """An unsigned number of so many bits; raises MalformedError, as the others do."""
        if count > self._left:
            raise MalformedError("the parameter set ends too early")
        self._left -= count
        return (self._value >> self._left) & ((1 << count) - 1)

    def ue(self) -> int:
        """An unsigned Exp-Golomb number."""
        zeros = 0
        while not self.take(1):
            zeros += 1
        return (1 << zeros) - 1 + self.take(zeros)

    def se(self) -> int:
        """A signed Exp-Golomb number."""
        number = self.ue()
        return (number + 1) // 2 if number % 2 else -(number // 2)
