"""H.264: NAL units, parameter sets, and what a viewer must know of them.

Sections are those of Rec. ITU-T H.264 (08/2021).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from publisher.media.bitstream import Bits, Configuration, MalformedError, split_annex_b
from publisher.media.syntax import Syntax

SLICE: Final = 1
IDR: Final = 5
SPS: Final = 7
PPS: Final = 8
DELIMITER: Final = 9

PARAMETER_SETS: Final = (SPS, PPS)  # in the order in which they must come
BASELINE: Final = 66  # profile_idc, §A.2.1

_B_SLICES: Final = (1, 6)  # slice_type, table 7-6
_PROFILES: Final = {BASELINE: "Baseline", 77: "Main", 88: "Extended", 100: "High", 110: "High 10"}
PROFILES_WITH_CHROMA: Final = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134})
_EXTENDED_SAR: Final = 255  # aspect_ratio_idc, table E-1


def nal_type(nal: bytes) -> int:
    """nal_unit_type of §7.3.1."""
    return nal[0] & 0x1F


def is_picture(kind: int) -> bool:
    """Whether NAL units of this type are part of a picture."""
    return kind in (SLICE, IDR)


def is_key(kind: int) -> bool:
    """Whether decoding can begin with a picture of such NAL units."""
    return kind == IDR


def is_b_slice(nal: bytes) -> bool:
    """Whether a slice refers to later pictures: slice_type of §7.3.3, its second number."""
    if nal[0] & 0x1F != SLICE:
        return False
    if len(nal) > 1 and nal[1] & _FIRST_SLICE:  # as in most: that byte says it all
        return nal[1] in _B_BEGINNINGS
    return _is_b(nal[1:24])


def _is_b(header: bytes) -> bool:
    bits = Bits(header)
    bits.ue()  # first_mb_in_slice
    return bits.ue() in _B_SLICES


_FIRST_SLICE: Final = 0x80  # first_mb_in_slice is zero, written as a one
_B_BEGINNINGS: Final = frozenset(
    byte for byte in range(_FIRST_SLICE, 0x100) if _is_b(bytes((byte, 0x80)))
)


def configuration(extradata: bytes) -> Configuration:
    """From an avcC record (ISO/IEC 14496-15 §5.3.3) or annex B; raises MalformedError."""
    if extradata[:1] != b"\x01":
        sets = (nal for nal in split_annex_b(extradata) if nal_type(nal) in PARAMETER_SETS)
        return Configuration(tuple(sets))
    try:
        return Configuration(tuple(_avcc_sets(extradata)), (extradata[4] & 3) + 1)
    except IndexError:
        raise MalformedError("the avcC record is too short") from None


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
    sampling: tuple[int, int, int] = (1, 8, 8)
    """chroma_format_idc, and the bits of a luma and of a chroma sample."""
    max_reorder: int | None = None
    """How many pictures may wait for later ones before they are shown; None: it does not say."""

    @property
    def codec_string(self) -> str:
        """The codecs parameter of RFC 6381 §3.3."""
        return f"avc1.{self.profile_level_id}"

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
        bits = Bits(nal[4:])
        bits.ue()  # seq_parameter_set_id
        sampling = _sampling(bits) if nal[1] in PROFILES_WITH_CHROMA else (1, 8, 8)
        bits.ue()  # log2_max_frame_num_minus4
        _skip_picture_order(bits)
        bits.ue()  # max_num_ref_frames
        bits.take(1)  # gaps_in_frame_num_value_allowed_flag
        width, height = _size(bits, sampling[0])
        # Baseline has no B-frames at all (§A.2.1).
        max_reorder = 0 if nal[1] == BASELINE else _max_reorder(bits)
        return cls(nal[1], nal[2], nal[3], width, height, sampling, max_reorder)


def _max_reorder(bits: Bits) -> int | None:
    """max_num_reorder_frames of §E.1.1. A broken VUI harms nobody else."""
    try:
        if not bits.take(1):  # vui_parameters_present_flag
            return None
        _skip_vui(bits)
        if not bits.take(1):  # bitstream_restriction_flag
            return None
        bits.take(1)  # motion_vectors_over_pic_boundaries_flag
        for _ in range(4):
            bits.ue()  # max_bytes_per_pic_denom to log2_max_mv_length_vertical
        return bits.ue()
    except MalformedError:
        return None


def _skip_vui(bits: Bits) -> None:
    if bits.take(1) and bits.take(8) == _EXTENDED_SAR:  # aspect_ratio_info_present_flag
        bits.take(32)  # sar_width, sar_height
    if bits.take(1):  # overscan_info_present_flag
        bits.take(1)
    if bits.take(1) and bits.take(5) & 1:  # video_signal_type, colour_description_present_flag
        bits.take(24)
    if bits.take(1):  # chroma_loc_info_present_flag
        bits.ue()
        bits.ue()
    if bits.take(1):  # timing_info_present_flag
        bits.take(65)
    nal, vcl = _skip_hrd(bits), _skip_hrd(bits)
    bits.take(2 if nal or vcl else 1)  # low_delay_hrd_flag, pic_struct_present_flag


def _skip_hrd(bits: Bits) -> bool:
    """hrd_parameters() of §E.1.2, behind the flag that tells whether they are there."""
    if not bits.take(1):
        return False
    count = bits.ue() + 1
    bits.take(8)
    for _ in range(min(count, 32)):
        bits.ue()
        bits.ue()
        bits.take(1)
    bits.take(20)
    return True


def _sampling(bits: Bits) -> tuple[int, int, int]:
    chroma = bits.ue()
    if chroma == 3:  # noqa: PLR2004
        bits.take(1)  # separate_colour_plane_flag
    luma, chroma_depth = bits.ue() + 8, bits.ue() + 8
    bits.take(1)  # qpprime_y_zero_transform_bypass_flag
    if bits.take(1):
        for index in range(12 if chroma == 3 else 8):  # noqa: PLR2004
            if bits.take(1):
                _skip_scaling_list(bits, 16 if index < 6 else 64)  # noqa: PLR2004
    return chroma, luma, chroma_depth


def _skip_scaling_list(bits: Bits, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.se()) % 256
        last = following or last


def _skip_picture_order(bits: Bits) -> None:
    kind = bits.ue()
    if kind == 0:
        bits.ue()
    elif kind == 1:
        bits.take(1)
        bits.se()
        bits.se()
        for _ in range(min(bits.ue(), 255)):
            bits.se()


def _size(bits: Bits, chroma: int) -> tuple[int, int]:
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


SYNTAX: Final = Syntax(
    name="H.264",
    parameter_sets=PARAMETER_SETS,
    sps=SPS,
    delimiter=DELIMITER,
    nal_type=nal_type,
    is_picture=is_picture,
    is_key=is_key,
    is_b_slice=is_b_slice,
    configuration=configuration,
    parse_sps=Sps.parse,
)
