"""What goes from a camera to its viewers: pictures and sounds, timed and counted.

Made once, shared by all legs, never changed. All times are microseconds of the camera's timeline,
which never jumps and is common to picture and sound.
"""

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class AccessUnit:
    """One coded picture: Annex B with its parameter sets in front if decoding can begin here.

    Of a codec that browsers do not play it is what the camera's decoder takes.
    ``pts`` says when it is shown, ``dts`` when it is decoded: they are the same without B-frames.
    """

    data: bytes
    pts: int
    dts: int
    key: bool


@dataclass(frozen=True, slots=True)
class AudioBlock:
    """One block of sound as it leaves over RTP: Opus, or G.711 as the camera sent it."""

    data: bytes
    pts: int
    clock_rate: int  # Hz, of its RTP timestamps


@dataclass(frozen=True, slots=True)
class AacFrame:
    """One frame of AAC as the camera made it: raw, without an ADTS header."""

    data: bytes
    pts: int


Unit: TypeAlias = AccessUnit | AudioBlock | AacFrame
