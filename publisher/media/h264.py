"""H.264 as bytes: NAL units, parameter sets, and what a browser must know of them.

Sections are those of Rec. ITU-T H.264 (08/2021). Nothing here changes a NAL unit.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

SLICE: Final = 1
IDR: Final = 5
SPS: Final = 7
PPS: Final = 8
DELIMITER: Final = 9

BASELINE: Final = 66  # profile_idc, §A.2.1

START_CODE: Final = b"\x00\x00\x00\x01"
_B_SLICES: Final = (1, 6)  # slice_type, table 7-6
_PROFILES: Final = {BASELINE: "Baseline", 77: "Main", 88: "Extended", 100: "High", 110: "High 10"}
_PROFILES_WITH_CHROMA: Final = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134})


class MalformedError(ValueError):
    """The bytes are not what the specification says they should be."""


def nal_type(nal: bytes) -> int:
    """nal_unit_type of §7.3.1."""
    return nal[0] & 0x1F


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
    return b"".join(START_CODE + nal for nal in nals)


def is_b_slice(nal: bytes) -> bool:
    """Whether a slice refers to later pictures: slice_type of §7.3.3, its second number."""
    if nal_type(nal) != SLICE:
        return False
    bits = _Bits(nal[1:24])
    bits.ue()  # first_mb_in_slice
    return bits.ue() in _B_SLICES


@dataclass(frozen=True, slots=True)
class Configuration:
    """A stream's out-of-band parameter sets and how its NAL units are delimited."""

    parameter_sets: tuple[bytes, ...] = ()
    length_size: int = 0  # bytes before each NAL unit; 0: start codes

    @classmethod
    def parse(cls, extradata: bytes) -> "Configuration":
        """From an avcC record (ISO/IEC 14496-15 §5.3.3) or annex B; raises MalformedError."""
        if extradata[:1] != b"\x01":
            return cls(tuple(n for n in split_annex_b(extradata) if nal_type(n) in (SPS, PPS)))
        try:
            return cls(tuple(_avcc_sets(extradata)), (extradata[4] & 3) + 1)
        except IndexError:
            raise MalformedError("the avcC record is too short") from None

    def split(self, data: bytes) -> list[bytes]:
        """The NAL units of one packet; raises MalformedError."""
        if self.length_size:
            return split_length_prefixed(data, self.length_size)
        return split_annex_b(data)


def _avcc_sets(record: bytes) -> Iterator[bytes]:
    at = 5
    for mask in (0x1F, 0xFF):  # sequence, then picture parameter sets
        count = record[at] & mask
        at += 1
        for _ in range(count):
            size = int.from_bytes(record[at : at + 2])
            yield record[at + 2 : at + 2 + size]
            at += 2 + size


@dataclass(frozen=True, slots=True)
class Sps:
    """What a sequence parameter set (§7.3.2.1) says to a viewer."""

    profile_idc: int
    constraints: int  # constraint_set0_flag is the highest bit
    level_idc: int
    width: int
    height: int

    @property
    def profile_level_id(self) -> str:
        """As in SDP (RFC 6184 §8.1): six hexadecimal digits."""
        return f"{self.profile_idc:02x}{self.constraints:02x}{self.level_idc:02x}"

    @property
    def profile(self) -> str:
        """The profile's name."""
        if self.profile_idc == BASELINE and self.constraints & 0x40:
            return "Constrained Baseline"
        return _PROFILES.get(self.profile_idc, f"profile {self.profile_idc}")

    @property
    def level(self) -> str:
        """The level as it is spoken, "3.1"."""
        return f"{self.level_idc // 10}.{self.level_idc % 10}"

    @classmethod
    def parse(cls, nal: bytes) -> "Sps":
        """Raises MalformedError."""
        if len(nal) < 4 or nal_type(nal) != SPS:  # noqa: PLR2004
            raise MalformedError("not a sequence parameter set")
        bits = _Bits(nal[4:])
        bits.ue()  # seq_parameter_set_id
        chroma = _chroma_format(bits) if nal[1] in _PROFILES_WITH_CHROMA else 1
        bits.ue()  # log2_max_frame_num_minus4
        _skip_picture_order(bits)
        bits.ue()  # max_num_ref_frames
        bits.take(1)  # gaps_in_frame_num_value_allowed_flag
        width, height = _size(bits, chroma)
        return cls(nal[1], nal[2], nal[3], width, height)


def _chroma_format(bits: "_Bits") -> int:
    chroma = bits.ue()
    if chroma == 3:  # noqa: PLR2004
        bits.take(1)  # separate_colour_plane_flag
    bits.ue()  # bit_depth_luma_minus8
    bits.ue()  # bit_depth_chroma_minus8
    bits.take(1)  # qpprime_y_zero_transform_bypass_flag
    if bits.take(1):
        for index in range(12 if chroma == 3 else 8):  # noqa: PLR2004
            if bits.take(1):
                _skip_scaling_list(bits, 16 if index < 6 else 64)  # noqa: PLR2004
    return chroma


def _skip_scaling_list(bits: "_Bits", size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.se()) % 256
        last = following or last


def _skip_picture_order(bits: "_Bits") -> None:
    kind = bits.ue()
    if kind == 0:
        bits.ue()
    elif kind == 1:
        bits.take(1)
        bits.se()
        bits.se()
        for _ in range(min(bits.ue(), 255)):
            bits.se()


def _size(bits: "_Bits", chroma: int) -> tuple[int, int]:
    width = (bits.ue() + 1) * 16
    units = bits.ue() + 1
    frames_only = bits.take(1)
    height = (2 - frames_only) * units * 16
    if not frames_only:
        bits.take(1)  # mb_adaptive_frame_field_flag
    bits.take(1)  # direct_8x8_inference_flag
    if bits.take(1):  # frame_cropping_flag, offsets in chroma samples (§7.4.2.1.1)
        across = 2 if chroma in (1, 2) else 1
        down = (2 if chroma == 1 else 1) * (2 - frames_only)
        left, right, top, bottom = (bits.ue() for _ in range(4))
        width -= across * (left + right)
        height -= down * (top + bottom)
    return width, height


class _Bits:
    """Reads the fields of §9.1 from a NAL unit's payload."""

    def __init__(self, payload: bytes) -> None:
        rbsp = payload.replace(b"\x00\x00\x03", b"\x00\x00")  # emulation prevention, §7.4.1
        self._value = int.from_bytes(rbsp)
        self._left = len(rbsp) * 8

    def take(self, count: int) -> int:
        if count > self._left:
            raise MalformedError("the parameter set ends too early")
        self._left -= count
        return (self._value >> self._left) & ((1 << count) - 1)

    def ue(self) -> int:
        zeros = 0
        while not self.take(1):
            zeros += 1
        return (1 << zeros) - 1 + self.take(zeros)

    def se(self) -> int:
        number = self.ue()
        return (number + 1) // 2 if number % 2 else -(number // 2)
