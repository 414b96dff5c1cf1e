"""What the media path asks of a codec: H.264 and H.265 answer alike."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from publisher.media.bitstream import Configuration


class Sps(Protocol):
    """What a sequence parameter set says to a viewer."""

    @property
    def codec_string(self) -> str:
        """The codecs parameter of RFC 6381 §3.3."""

    @property
    def profile_level_id(self) -> str:
        """H.264's, as in SDP (RFC 6184 §8.1); empty for others."""

    @property
    def profile(self) -> str:
        """The profile's name."""

    @property
    def level(self) -> str:
        """The level as it is spoken, "3.1"."""

    @property
    def width(self) -> int:
        """In pixels."""

    @property
    def height(self) -> int:
        """In pixels."""

    @property
    def max_reorder(self) -> int | None:
        """How many pictures may wait for one that is shown earlier; None: it does not say."""


@dataclass(frozen=True, slots=True)
class Syntax:
    """How to take a codec's stream apart. The functions raise MalformedError."""

    name: str
    parameter_sets: tuple[int, ...]  # NAL unit types, in the order in which they must come
    sps: int
    delimiter: int
    nal_type: Callable[[bytes], int]
    is_picture: Callable[[int], bool]  # of a NAL unit type
    is_key: Callable[[int], bool]  # of a NAL unit type: decoding can begin there
    is_b_slice: Callable[[bytes], bool]
    configuration: Callable[[bytes], Configuration]  # of a stream's extradata
    parse_sps: Callable[[bytes], Sps]
