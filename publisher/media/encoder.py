"""H.264 for viewers at once: no B-frames, no look-ahead, a key frame whenever one is asked for.

A hardware encoder is used where FFmpeg and the device have one. Whether they have is only known
when a picture has come out: drivers announce what they cannot do.
"""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from typing import Final

import av
from av.codec.context import Flags
from av.video.frame import PictureType

from publisher.media.packets import SECOND

logger = logging.getLogger(__name__)

_TIME_BASE: Final = Fraction(1, SECOND)
_TRIAL_PICTURES: Final = 2  # an encoder that has given nothing after so many adds delay


@dataclass(frozen=True, slots=True)
class Shape:
    """What is encoded."""

    width: int  # pixels, even
    height: int
    frame_rate: float
    most_bit_rate: int  # bit/s, the highest that will be asked for
    gop: int  # pictures from one key frame to the next, unless one is asked for


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """An encoder that FFmpeg may have, and how it is made to hurry."""

    name: str
    pixel_format: str
    options: Mapping[str, str] = field(default_factory=dict)
    live_rate: bool = False  # takes a new bit rate while it runs


LIBX264: Final = Kind(
    "libx264",
    "yuv420p",
    {
        "preset": "superfast",
        "tune": "zerolatency",
        "profile": "baseline",
        "forced-idr": "1",
        "sc_threshold": "0",  # key frames come when a viewer needs one
    },
    live_rate=True,
)
KINDS: Final = (
    Kind(
        "h264_nvenc",
        "yuv420p",
        {
            "preset": "p2",
            "tune": "ull",
            "zerolatency": "1",
            "delay": "0",
            "rc": "cbr",
            "profile": "baseline",
            "forced-idr": "1",
        },
        live_rate=True,
    ),
    Kind(
        "h264_qsv",
        "nv12",
        {"preset": "veryfast", "async_depth": "1", "profile": "baseline", "forced_idr": "1"},
        live_rate=True,
    ),
    Kind("h264_v4l2m2m", "yuv420p", {"profile": "578"}),  # constrained baseline; it has no names
    LIBX264,
)


@dataclass(frozen=True, slots=True)
class Coded:
    """A picture of the encoder, shown at ``pts`` in microseconds."""

    data: bytes
    pts: int
    key: bool


class Encoder:
    """One encoder that was opened for one shape of picture."""

    def __init__(self, kind: Kind, shape: Shape, bit_rate: int) -> None:
        """Raises FFmpegError or ValueError when it cannot be had."""
        self.kind = kind
        self.shape = shape
        self._bit_rate = bit_rate
        self._context = _open(kind, shape, bit_rate)

    @property
    def extradata(self) -> bytes:
        """The parameter sets; empty when they come with the pictures."""
        return self._context.extradata or b""

    def use_bit_rate(self, bit_rate: int) -> bool:
        """Whether it goes on with this rate, bit/s; else a new one has to be opened."""
        if bit_rate == self._bit_rate:
            return True
        if self.kind.live_rate:
            self._context.bit_rate = self._bit_rate = bit_rate
        return self.kind.live_rate

    def encode(self, picture: av.VideoFrame, pts: int, *, key: bool = False) -> Iterator[Coded]:
        """What comes out with this picture, which is to be shown at ``pts``; raises FFmpegError.

        It has the size and the pixel format that the encoder was opened for.
        """
        picture.pts, picture.time_base = pts, _TIME_BASE
        picture.pict_type = PictureType.I if key else PictureType.NONE
        for packet in self._context.encode(picture):
            due = pts if packet.pts is None else packet.pts
            yield Coded(bytes(packet), due, packet.is_keyframe)


def _open(kind: Kind, shape: Shape, bit_rate: int) -> av.VideoCodecContext:
    context = av.CodecContext.create(kind.name, "w")
    if not isinstance(context, av.VideoCodecContext):
        raise ValueError(f"{kind.name} is not a video codec")  # noqa: TRY004
    context.width, context.height = shape.width, shape.height
    context.pix_fmt = kind.pixel_format
    context.framerate = Fraction(shape.frame_rate).limit_denominator(1001)
    context.time_base = _TIME_BASE
    context.bit_rate = bit_rate
    context.gop_size = shape.gop
    context.max_b_frames = 0
    context.thread_count = 1  # more of them cut pictures into slices and cost, not save, CPU
    context.flags |= Flags.global_header
    # Only with a buffer to watch does libx264 follow a bit rate that changes. Half a second of it
    # lets a key frame be large enough to look well.
    rates = {"maxrate": str(shape.most_bit_rate), "bufsize": str(shape.most_bit_rate // 2)}
    context.options = {**kind.options, **rates}
    context.open()
    return context


@lru_cache(maxsize=8)
def best_kind(shape: Shape, kinds: tuple[Kind, ...] = KINDS) -> Kind:
    """The first kind that really encodes such pictures; libx264 is taken at its word."""
    return next((kind for kind in kinds if kind is LIBX264 or _works(kind, shape)), LIBX264)


def _works(kind: Kind, shape: Shape) -> bool:
    try:
        encoder = Encoder(kind, shape, shape.most_bit_rate)
        return any(_gives(encoder, number) for number in range(_TRIAL_PICTURES))
    except (av.FFmpegError, ValueError) as error:
        logger.debug("%s does not work here: %s", kind.name, error)
        return False


def _gives(encoder: Encoder, number: int) -> bool:
    shape = encoder.shape
    picture = av.VideoFrame(shape.width, shape.height, encoder.kind.pixel_format)
    pts = round(number * SECOND / shape.frame_rate)
    return any(coded.data for coded in encoder.encode(picture, pts, key=not number))
