"""Short films as a camera's pipelines hand them on: a format, and units of picture and sound."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

import av
from av.audio.resampler import AudioResampler
from av.video.codeccontext import VideoCodecContext

from publisher.media import bitstream, h264, hevc
from publisher.media.format import Format
from publisher.media.packets import SECOND
from publisher.media.syntax import Syntax
from publisher.media.units import AacFrame, AccessUnit, Unit
from publisher.sources.pattern import tone

FPS = 30
RATE = 48_000
START = 5_000 * SECOND  # of a timeline: somewhere
_CODECS: dict[str, tuple[str, Syntax]] = {
    "h264": ("libx264", h264.SYNTAX),
    "hevc": ("libx265", hevc.SYNTAX),
}


@dataclass(frozen=True, slots=True)
class Film:
    """What a camera sends, in the order of decoding."""

    media: Format
    units: tuple[Unit, ...]

    @property
    def pictures(self) -> list[AccessUnit]:
        return [unit for unit in self.units if isinstance(unit, AccessUnit)]

    @property
    def sounds(self) -> list[AacFrame]:
        return [unit for unit in self.units if isinstance(unit, AacFrame)]

    def later(self, seconds: float) -> "Film":
        """The same at another time."""
        shift = round(seconds * SECOND)
        return replace(self, units=tuple(_later(unit, shift) for unit in self.units))


def _later(unit: Unit, shift: int) -> Unit:
    if isinstance(unit, AccessUnit):
        return replace(unit, pts=unit.pts + shift, dts=unit.dts + shift)
    return replace(unit, pts=unit.pts + shift)


def film(
    *,
    seconds: float = 1.0,
    gop: int = FPS,
    size: tuple[int, int] = (320, 180),
    codec: Literal["h264", "hevc"] = "h264",
    bframes: int = 0,
    profile: str = "high",
    sound: bool = True,
) -> Film:
    """Encodes it; decoding begins at START."""
    pictures = list(
        _pictures(codec, _options(codec, gop, bframes, profile), size, round(seconds * FPS))
    )
    config, sounds = _sounds(seconds) if sound else (None, [])
    syntax = _CODECS[codec][1]
    nals = bitstream.split_annex_b(pictures[0].data)
    sets = tuple(nal for nal in nals if syntax.nal_type(nal) in syntax.parameter_sets)
    sps = syntax.parse_sps(next(nal for nal in sets if syntax.nal_type(nal) == syntax.sps))
    media = Format(
        sps.profile_level_id,
        "opus" if sound else None,
        (),
        video_codec=codec,
        codec_string=sps.codec_string,
        parameter_sets=sets,
        width=sps.width,
        height=sps.height,
        reordered=bframes > 0,
        aac=config,
    )
    units: list[Unit] = [*pictures, *sounds]
    units.sort(key=lambda unit: unit.dts if isinstance(unit, AccessUnit) else unit.pts)
    return Film(media, tuple(units))


def _options(codec: str, gop: int, bframes: int, profile: str) -> dict[str, str]:
    common = f"bframes={bframes}:b-adapt=0:scenecut=0:keyint={gop}:min-keyint={gop}"
    if codec == "h264":
        return {"preset": "veryfast", "profile": profile, "x264-params": common}
    quiet = "log-level=none:pools=1:repeat-headers=1"
    return {"preset": "ultrafast", "x265-params": f"{common}:{quiet}"}


def _pictures(
    codec: str, options: dict[str, str], size: tuple[int, int], count: int
) -> Iterator[AccessUnit]:
    encoder = av.CodecContext.create(_CODECS[codec][0], "w")
    assert isinstance(encoder, VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = *size, "yuv420p"
    encoder.framerate, encoder.time_base = Fraction(FPS), Fraction(1, FPS)
    encoder.options = options
    packets = []
    for number in range(count):
        picture = av.VideoFrame(*size, "yuv420p")
        for plane in picture.planes:
            plane.update(bytes([number * 40 % 256]) * plane.buffer_size)
        picture.pts = number
        packets += encoder.encode(picture)
    packets += encoder.encode(None)
    first = packets[0].dts or 0
    for packet in packets:
        pts, dts = (((t or 0) - first) * SECOND // FPS + START for t in (packet.pts, packet.dts))
        yield AccessUnit(bytes(packet), pts, dts, packet.is_keyframe)


def _sounds(seconds: float) -> tuple[bytes, list[AacFrame]]:
    encoder = av.CodecContext.create("aac", "w")
    encoder.sample_rate, encoder.layout, encoder.format = RATE, "mono", "fltp"
    encoder.time_base = Fraction(1, RATE)
    encoder.open()
    resampler = AudioResampler("fltp", "mono", RATE)
    frames = []
    for begin in range(0, round(seconds * RATE), 1024):
        for block in resampler.resample(_tone(begin)):
            for coded in encoder.encode(block):
                pts = START + ((coded.pts or 0) + 1024) * SECOND // RATE
                frames.append(AacFrame(bytes(coded), pts))
    return encoder.extradata or b"", frames


def _tone(begin: int) -> av.AudioFrame:
    frame = av.AudioFrame(format="s16", layout="mono", samples=1024)
    frame.sample_rate, frame.pts, frame.time_base = RATE, begin, Fraction(1, RATE)
    frame.planes[0].update(tone(begin, 1024))
    return frame
