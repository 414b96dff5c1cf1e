"""Coded media between the sources and the media path: plain values, no library's types."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["video", "audio"]

SECOND = 1_000_000
"""The clock of packets counts microseconds: 1/90000 s is rounded to them and back exactly."""


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream of a camera, as its source announces it.

    ``codec`` is FFmpeg's name ("h264", "hevc", "aac", "opus", "pcm_alaw", …). ``extradata`` is the
    codec's out-of-band configuration: for H.264 Annex B parameter sets or an avcC record, for AAC
    an AudioSpecificConfig (ISO/IEC 14496-3 §1.6.2), empty when there is none.
    """

    kind: Kind
    codec: str
    extradata: bytes = b""
    width: int = 0
    height: int = 0
    frame_rate: float = 0.0  # frames a second, 0 when the camera does not say
    pixel_format: str = ""  # FFmpeg's name, of raw video
    sample_rate: int = 0  # Hz
    channels: int = 0


@dataclass(frozen=True, slots=True)
class Packet:
    """One coded picture or block of sound; times in microseconds of the source's own clock."""

    kind: Kind
    data: bytes
    pts: int | None
    dts: int | None
    key: bool
