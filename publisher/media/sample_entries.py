"""How an MP4 track names its codec: the sample entry with the decoder's configuration.

The records of H.264 and H.265 are those of ISO/IEC 14496-15:2022, AAC's descriptor that of
ISO/IEC 14496-1 §7.2.6, Opus's box that of "Encapsulation of Opus in ISO Base Media File Format".
"""

import struct
from collections.abc import Sequence
from itertools import groupby

from publisher.media import h264, hevc
from publisher.media.bitstream import MalformedError
from publisher.media.boxes import box, full_box
from publisher.media.syntax import Syntax

LENGTH_BYTES = 4  # before each NAL unit of a sample

_72_DPI = 0x00480000
_COLOUR = 0x18  # depth: colour without alpha
_MPEG_4_AUDIO = 0x40  # objectTypeIndication
_AUDIO_STREAM = 5 << 2 | 1  # streamType, and a reserved bit
_PREDEFINED_FOR_MP4 = b"\x02"  # SLConfigDescriptor, ISO/IEC 14496-14 §3.1.2
_OPUS_PRE_SKIP = 0  # samples: a viewer joins in the middle, where the decoder has long converged


def avc1(parameter_sets: Sequence[bytes]) -> bytes:
    """H.264 (§5.4.2); raises MalformedError."""
    by_type = _sorted(parameter_sets, h264.SYNTAX)
    sps, pps = by_type[h264.SPS], by_type[h264.PPS]
    parsed = h264.Sps.parse(sps[0])
    record = [b"\x01", sps[0][1:4], bytes([0xFC | LENGTH_BYTES - 1])]
    record += [bytes([0xE0 | len(sps)]), *map(_counted, sps)]
    record += [bytes([len(pps)]), *map(_counted, pps)]
    if parsed.profile_idc in h264.PROFILES_WITH_CHROMA:
        chroma, luma_depth, chroma_depth = parsed.sampling
        record.append(bytes([0xFC | chroma, 0xF8 | luma_depth - 8, 0xF8 | chroma_depth - 8, 0]))
    return _picture(b"avc1", parsed.width, parsed.height, box(b"avcC", *record))


def hvc1(parameter_sets: Sequence[bytes]) -> bytes:
    """H.265 (§8.4.1); raises MalformedError."""
    by_type = _sorted(parameter_sets, hevc.SYNTAX)
    sps = by_type[hevc.SPS][0]
    parsed = hevc.Sps.parse(sps)
    chroma, luma_depth, chroma_depth = parsed.sampling
    layers = (sps[2] >> 1 & 7) + 1
    nested = sps[2] & 1
    record = [
        b"\x01",
        parsed.profile_tier_level,
        b"\xf0\x00\xfc",  # nothing known of segmentation, nor of parallelism
        bytes([0xFC | chroma, 0xF8 | luma_depth - 8, 0xF8 | chroma_depth - 8]),
        b"\x00\x00",  # nor of the average frame rate
        bytes([layers << 3 | nested << 2 | LENGTH_BYTES - 1, len(by_type)]),
    ]
    for kind, nals in by_type.items():
        record += [bytes([kind]), struct.pack(">H", len(nals)), *map(_counted, nals)]
    return _picture(b"hvc1", parsed.width, parsed.height, box(b"hvcC", *record))


def _sorted(parameter_sets: Sequence[bytes], syntax: Syntax) -> dict[int, list[bytes]]:
    """The sets by their type, in order; raises MalformedError when one is missing."""
    ordered = sorted(parameter_sets, key=syntax.nal_type)
    by_type = {kind: list(nals) for kind, nals in groupby(ordered, syntax.nal_type)}
    if set(by_type) != set(syntax.parameter_sets):
        raise MalformedError(f"{syntax.name} needs more parameter sets")
    return by_type


def _counted(nal: bytes) -> bytes:
    return struct.pack(">H", len(nal)) + nal


def _picture(kind: bytes, width: int, height: int, configuration: bytes) -> bytes:
    """VisualSampleEntry, ISO/IEC 14496-12 §12.1.3."""
    return box(
        kind,
        struct.pack(">6xH16x", 1),  # data_reference_index
        struct.pack(">2H2I4xH32x", width, height, _72_DPI, _72_DPI, 1),  # frame_count
        struct.pack(">Hh", _COLOUR, -1),
        configuration,
    )


def mp4a(configuration: bytes, sample_rate: int, channels: int) -> bytes:
    """AAC; ``configuration`` is an AudioSpecificConfig (ISO/IEC 14496-3 §1.6.2.1)."""
    decoder = struct.pack(">BB11x", _MPEG_4_AUDIO, _AUDIO_STREAM) + _descriptor(5, configuration)
    stream = (
        struct.pack(">HB", 0, 0) + _descriptor(4, decoder) + _descriptor(6, _PREDEFINED_FOR_MP4)
    )
    return _sound(b"mp4a", sample_rate, channels, full_box(b"esds", 0, 0, _descriptor(3, stream)))


def opus(channels: int) -> bytes:
    """Opus, as RTP carries it."""
    specific = struct.pack(">BBHIhB", 0, channels, _OPUS_PRE_SKIP, 48_000, 0, 0)
    return _sound(b"Opus", 48_000, channels, box(b"dOps", specific))


def _descriptor(tag: int, payload: bytes) -> bytes:
    """ISO/IEC 14496-1 §8.3.3, always with four bytes of length, as most writers do."""
    size = len(payload)
    length = (0x80 | size >> 21, 0x80 | size >> 14 & 0x7F, 0x80 | size >> 7 & 0x7F, size & 0x7F)
    return bytes((tag, *length)) + payload


def _sound(kind: bytes, sample_rate: int, channels: int, configuration: bytes) -> bytes:
    """AudioSampleEntry, ISO/IEC 14496-12 §12.2.3."""
    rate = sample_rate if sample_rate <= 0xFFFF else 0  # 16.16; the configuration knows  # noqa: PLR2004
    return box(
        kind,
        struct.pack(">6xH8x", 1),  # data_reference_index
        struct.pack(">2H4xI", channels, 16, rate << 16),
        configuration,
    )
