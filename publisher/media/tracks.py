"""A camera's format as the tracks of an MP4 file."""

from dataclasses import dataclass
from typing import TypeAlias

from publisher.media import sample_entries
from publisher.media.aac import codec_string
from publisher.media.bitstream import Bits, MalformedError
from publisher.media.boxes import Track
from publisher.media.format import Format

PICTURE_RATE = 90_000  # Hz: the clock of RTP and MPEG-TS, so that the camera's times stay exact
OPUS_RATE = 48_000  # Hz, RFC 7845 §5.1

_ENTRIES = {"h264": sample_entries.avc1, "hevc": sample_entries.hvc1}
# ISO/IEC 14496-3 table 1.18, samplingFrequencyIndex; the last says that the rate itself follows.
_AAC_RATES = (
    *(96_000, 88_200, 64_000, 48_000, 44_100, 32_000),
    *(24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350),
)
_EXPLICIT = 15
_ESCAPE = 31
_WITH_SBR = (5, 29)  # audio object types that begin with the rate of what follows them
_LOW_DELAY = (23, 39)
_STEREO = 2

Tracks: TypeAlias = tuple[Track, Track | None]
"""The picture, and the sound if there is one that MP4 takes."""


def tracks_of(media: Format) -> Tracks:
    """What a fragmented MP4 of this camera has; raises MalformedError.

    The sound is the camera's own AAC, or else Opus; G.711 has no place in a browser's MP4.
    """
    if media.video_codec not in _ENTRIES:
        raise MalformedError(f"{media.video_codec} has no place in a browser's MP4")
    entry = _ENTRIES[media.video_codec](media.parameter_sets)
    size = (media.width, media.height)
    return Track(1, "video", PICTURE_RATE, entry, media.codec_string, *size), _sound(media)


def _sound(media: Format) -> Track | None:
    if media.aac:
        aac = AacConfig.parse(media.aac)
        entry = sample_entries.mp4a(media.aac, aac.rate, aac.channels)
        return Track(2, "audio", aac.rate, entry, codec_string(media.aac), frame=aac.frame)
    if media.audio_codec == "opus":
        # Decoders make two channels of one; which it is, each packet says (RFC 6716 §3.1).
        return Track(2, "audio", OPUS_RATE, sample_entries.opus(_STEREO), "opus")
    return None


@dataclass(frozen=True, slots=True)
class AacConfig:
    """What an AudioSpecificConfig (ISO/IEC 14496-3 §1.6.2.1) says."""

    rate: int  # Hz, of what the decoder's core makes
    channels: int
    frame: int  # samples of one frame at that rate

    @classmethod
    def parse(cls, config: bytes) -> "AacConfig":
        """Raises MalformedError."""
        bits = Bits(config)
        kind, rate, channels = _object_type(bits), _rate(bits), bits.take(4)
        if kind in _WITH_SBR:
            _rate(bits)
            kind = _object_type(bits)
        short = bits.take(1)  # frameLengthFlag, the first of every GASpecificConfig
        frame = 960 if short else 1024
        return cls(rate, channels or _STEREO, frame // 2 if kind in _LOW_DELAY else frame)


def _object_type(bits: Bits) -> int:
    kind = bits.take(5)
    return 32 + bits.take(6) if kind == _ESCAPE else kind


def _rate(bits: Bits) -> int:
    index = bits.take(4)
    if index == _EXPLICIT:
        return bits.take(24)
    if index >= len(_AAC_RATES):
        raise MalformedError("the AudioSpecificConfig names no sampling rate")
    return _AAC_RATES[index]
