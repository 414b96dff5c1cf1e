"""What goes from a camera to its viewers: access units and blocks of sound, timed and counted.

Made once, shared by all legs, never changed.
"""

from dataclasses import dataclass
from typing import TypeAlias

import av


@dataclass(frozen=True, slots=True)
class AccessUnit:
    """One coded picture: Annex B with its parameter sets if it is an IDR.

    ``pts`` is in microseconds of the camera's timeline, which never jumps. ``packet`` has the
    same bytes and time, in 1/90000 s, for those who hand it on.
    """

    data: bytes
    pts: int
    key: bool
    packet: "av.Packet[av.stream.Stream]"


@dataclass(frozen=True, slots=True)
class AudioBlock:
    """One block of sound as it leaves for browsers: Opus, or G.711 as the camera sent it."""

    pts: int
    packet: "av.Packet[av.stream.Stream]"


Unit: TypeAlias = AccessUnit | AudioBlock
