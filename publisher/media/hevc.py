"""H.265: NAL units, parameter sets, and what a viewer must know of them.

Sections are those of Rec. ITU-T H.265 (08/2021). Browsers take it over Media Source Extensions,
if their machine decodes it, never over WebRTC.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from publisher.media.bitstream import Bits, Configuration, MalformedError, split_annex_b
from publisher.media.syntax import Syntax

VPS: Final = 32
SPS: Final = 33
PPS: Final = 34
DELIMITER: Final = 35

PARAMETER_SETS: Final = (VPS, SPS, PPS)  # in the order in which they must come

_IRAP: Final = range(16, 24)  # intra random access points, table 7-1
_HEADER: Final = 2  # bytes, §7.3.1.2
_PROFILES: Final = {1: "Main", 2: "Main 10", 3: "Main Still Picture", 4: "Range Extensions"}
_RECORD_HEADER: Final = 23  # bytes before the parameter sets of an hvcC record


def nal_type(nal: bytes) -> int:
    """nal_unit_type of §7.3.1.2."""
    return nal[0] >> 1 & 0x3F


def is_picture(kind: int) -> bool:
    """Whether NAL units of this type are part of a picture."""
    return kind < VPS


def is_key(kind: int) -> bool:
    """Whether decoding can begin with a picture of such NAL units."""
    return kind in _IRAP


def may_be_b_slice(nal: bytes) -> bool:
    """Whether a slice might refer to later pictures: only with its PPS could one be sure."""
    return nal_type(nal) < _IRAP.start


def configuration(extradata: bytes) -> Configuration:
    """From an hvcC record (ISO/IEC 14496-15 §8.3.3) or annex B; raises MalformedError."""
    if extradata[:1] != b"\x01":
        sets = (nal for nal in split_annex_b(extradata) if nal_type(nal) in PARAMETER_SETS)
        return Configuration(tuple(sets))
    try:
        return Configuration(tuple(_hvcc_sets(extradata)), (extradata[21] & 3) + 1)
    except IndexError:
        raise MalformedError("the hvcC record is too short") from None


def _hvcc_sets(record: bytes) -> Iterator[bytes]:
    at = _RECORD_HEADER
    for _ in range(record[at - 1]):
        count = int.from_bytes(record[at + 1 : at + 3])
        at += 3
        for _ in range(count):
            size = int.from_bytes(record[at : at + 2])
            nal = record[at + 2 : at + 2 + size]
            if nal_type(nal) in PARAMETER_SETS:
                yield nal
            at += 2 + size


@dataclass(frozen=True, slots=True)
class Sps:
    """What a sequence parameter set (§7.3.2.2) says to a viewer."""

    codec_string: str
    """The codecs parameter of RFC 6381 as in ISO/IEC 14496-15 annex E.3."""
    profile: str
    level: str
    width: int
    height: int
    max_reorder: int
    """How many pictures may wait for later ones before they are shown."""
    sampling: tuple[int, int, int]
    """chroma_format_idc, and the bits of a luma and of a chroma sample."""
    profile_tier_level: bytes
    """From general_profile_space to general_level_idc, as an hvcC record repeats them."""

    @property
    def profile_level_id(self) -> str:
        """Empty: that is H.264's."""
        return ""

    @classmethod
    def parse(cls, nal: bytes) -> "Sps":
        """Raises MalformedError."""
        if len(nal) <= _HEADER or nal_type(nal) != SPS:
            raise MalformedError("not a sequence parameter set")
        bits = Bits(nal[_HEADER:])
        bits.take(4)  # sps_video_parameter_set_id
        sub_layers = bits.take(3)  # minus one
        bits.take(1)  # sps_temporal_id_nesting_flag
        tier = _ProfileTierLevel(bits.take(96).to_bytes(12))
        _skip_sub_layers(bits, sub_layers)
        bits.ue()  # sps_seq_parameter_set_id
        chroma = bits.ue()
        width, height = _size(bits, chroma)
        sampling = (chroma, bits.ue() + 8, bits.ue() + 8)
        bits.ue()  # log2_max_pic_order_cnt_lsb_minus4
        return cls(
            tier.codec_string,
            tier.profile,
            tier.spoken_level,
            width,
            height,
            _max_reorder(bits, sub_layers),
            sampling,
            tier.data,
        )


@dataclass(frozen=True, slots=True)
class _ProfileTierLevel:
    """The general part of profile_tier_level() of §7.3.3, twelve bytes."""

    data: bytes

    @property
    def profile(self) -> str:
        idc = self.data[0] & 0x1F
        return _PROFILES.get(idc, f"profile {idc}")

    @property
    def spoken_level(self) -> str:
        return f"{self.data[11] // 30}.{self.data[11] % 30 // 3}"

    @property
    def codec_string(self) -> str:
        space, tier, idc = self.data[0] >> 6, self.data[0] >> 5 & 1, self.data[0] & 0x1F
        compatibility = int(f"{int.from_bytes(self.data[1:5]):032b}"[::-1], 2)
        constraints = [f"{byte:X}" for byte in self.data[5:11].rstrip(b"\x00")]
        profile, level = f"{['', 'A', 'B', 'C'][space]}{idc}", f"{'LH'[tier]}{self.data[11]}"
        return ".".join(["hvc1", profile, f"{compatibility:X}", level, *constraints])


def _skip_sub_layers(bits: Bits, count: int) -> None:
    present = [(bits.take(1), bits.take(1)) for _ in range(count)]
    if count:
        bits.take(2 * (8 - count))
    for profile, level in present:
        bits.take(88 * profile + 8 * level)


def _size(bits: Bits, chroma: int) -> tuple[int, int]:
    if chroma == 3:  # noqa: PLR2004
        bits.take(1)  # separate_colour_plane_flag
    width, height = bits.ue(), bits.ue()
    if bits.take(1):  # conformance_window_flag, offsets in chroma samples (§7.4.3.2.1)
        left, right, top, bottom = (bits.ue() for _ in range(4))
        width -= (2 if chroma in (1, 2) else 1) * (left + right)
        height -= (2 if chroma == 1 else 1) * (top + bottom)
    return width, height


def _max_reorder(bits: Bits, sub_layers: int) -> int:
    """sps_max_num_reorder_pics of the highest sub-layer."""
    found = 0
    for _ in range(sub_layers + 1 if bits.take(1) else 1):
        bits.ue()  # sps_max_dec_pic_buffering_minus1
        found = bits.ue()
        bits.ue()  # sps_max_latency_increase_plus1
    return found


SYNTAX: Final = Syntax(
    name="H.265",
    parameter_sets=PARAMETER_SETS,
    sps=SPS,
    delimiter=DELIMITER,
    nal_type=nal_type,
    is_picture=is_picture,
    is_key=is_key,
    is_b_slice=may_be_b_slice,
    configuration=configuration,
    parse_sps=Sps.parse,
)
