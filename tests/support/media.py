"""Pictures of no camera: access units that look like H.264 to everybody who does not decode."""

import itertools
import random
from collections.abc import Iterator

from publisher.media.bitstream import join_annex_b
from publisher.media.units import AccessUnit

# What x264 says of 1280×720 in Constrained Baseline.
PARAMETER_SETS = (
    bytes.fromhex("6742c01fda014016e840000003004000000f23c60ca8"),
    bytes.fromhex("68ce0fc8"),
)


def picture(size: int, *, key: bool, seed: int = 0) -> bytes:
    """One access unit of about that many bytes, in annex B."""
    # Each slice is its picture's first (§7.3.3), or FFmpeg takes many for one picture.
    body = b"\x9a" + random.Random(seed).randbytes(size).replace(b"\x00", b"\x55")
    nals = [*PARAMETER_SETS, b"\x65" + body] if key else [b"\x41" + body]
    return join_annex_b(nals)


def units(
    *, gop: int, size: int, key_size: int, interval: int = 33_333, start: int = 1_000_000
) -> Iterator[AccessUnit]:
    """A camera's units for ever; sizes in bytes, times in microseconds."""
    for number in itertools.count():
        key = number % gop == 0
        pts = start + number * interval
        yield AccessUnit(picture(key_size if key else size, key=key, seed=number), pts, pts, key)
