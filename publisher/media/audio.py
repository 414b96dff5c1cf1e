"""From a camera's sound to blocks that any browser can be sent.

Opus and G.711 pass untouched, for WebRTC has them (RFC 7874 §3). Everything else, AAC above all,
has no payload that browsers know: it is decoded and encoded to Opus once for all viewers.
"""

from collections.abc import Iterator
from fractions import Fraction
from typing import Protocol

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.resampler import AudioResampler

from publisher.media.packets import SECOND, Packet, Stream
from publisher.media.timeline import Timeline
from publisher.media.units import AudioBlock

OPUS_RATE = 48_000  # Hz, RFC 7587 §4.1
G711_RATE = 8_000  # Hz, RFC 3551 §4.5.14
_OPUS_FRAME = 960  # samples: 20 ms
_BIT_RATE = {1: 48_000, 2: 96_000}  # bit/s by channels: beyond what a camera's microphone gives


class AudioPipeline(Protocol):
    """Turns the packets of one opened camera into blocks for browsers."""

    codec: str
    """The payload's name in SDP: opus, PCMA or PCMU."""

    def feed(self, packet: Packet, now: int) -> Iterator[AudioBlock]:
        """The blocks that are ready with this packet; ``now`` in microseconds, monotonic."""


_UNTOUCHED = {
    "opus": ("opus", OPUS_RATE),
    "pcm_alaw": ("PCMA", G711_RATE),
    "pcm_mulaw": ("PCMU", G711_RATE),
}


def audio_pipeline(stream: Stream, timeline: Timeline) -> AudioPipeline | None:
    """The cheapest way to this stream's sound, or None when nothing can decode it."""
    name, rate = _UNTOUCHED.get(stream.codec, ("", 0))
    is_wideband_g711 = rate == G711_RATE and (stream.sample_rate != rate or stream.channels > 1)
    if name and not is_wideband_g711:
        return Untouched(name, rate, timeline)
    try:
        return ToOpus(stream, timeline)
    except (av.FFmpegError, ValueError):
        return None


class Untouched:
    """Passes blocks on as the camera made them."""

    def __init__(self, codec: str, rate: int, timeline: Timeline) -> None:
        self.codec = codec
        self._rate = rate
        self._timeline = timeline

    def feed(self, packet: Packet, now: int) -> Iterator[AudioBlock]:
        """One block for each packet."""
        pts = self._timeline.place(packet, now, SECOND // 50)
        yield _block(packet.data, pts, self._rate)


class ToOpus:
    """Decodes, resamples and encodes to Opus in blocks of 20 ms."""

    codec = "opus"

    def __init__(self, stream: Stream, timeline: Timeline) -> None:
        """Raises FFmpegError or ValueError when FFmpeg has no decoder for the stream."""
        channels = min(max(stream.channels, 1), 2)
        layout = "stereo" if channels == 2 else "mono"  # noqa: PLR2004
        self._timeline = timeline
        self._decoder = _decoder(stream)
        self._resampler = AudioResampler("s16", layout, OPUS_RATE, frame_size=_OPUS_FRAME)
        self._encoder = _encoder(layout, _BIT_RATE[channels])
        self.malformed = 0

    def feed(self, packet: Packet, now: int) -> Iterator[AudioBlock]:
        """Blocks as they fill; what cannot be decoded is counted and left out."""
        coded = av.Packet(packet.data)
        coded.pts = coded.dts = self._timeline.place(packet, now, SECOND // 47)
        coded.time_base = Fraction(1, SECOND)
        try:
            frames = self._decoder.decode(coded)
        except av.FFmpegError:
            self.malformed += 1
            return
        for frame in frames:
            for resampled in self._resampler.resample(frame):
                for opus in self._encoder.encode(resampled):
                    yield _opus_block(opus)


def _decoder(stream: Stream) -> AudioCodecContext:
    decoder = av.CodecContext.create(stream.codec, "r")
    if not isinstance(decoder, AudioCodecContext):
        raise ValueError(f"{stream.codec} is not an audio codec")  # noqa: TRY004
    if stream.extradata:
        decoder.extradata = stream.extradata
    if stream.sample_rate:
        decoder.sample_rate = stream.sample_rate
    return decoder


def _encoder(layout: str, bit_rate: int) -> AudioCodecContext:
    encoder = av.CodecContext.create("libopus", "w")
    assert isinstance(encoder, AudioCodecContext)  # noqa: S101  # tells the type checker
    encoder.layout = layout
    encoder.format = "s16"
    encoder.sample_rate = OPUS_RATE
    encoder.time_base = Fraction(1, OPUS_RATE)
    encoder.bit_rate = bit_rate
    encoder.options = {"application": "audio", "frame_duration": "20"}
    return encoder


def _opus_block(packet: "av.Packet[av.AudioStream]") -> AudioBlock:
    pts = 0 if packet.pts is None else round(packet.pts * packet.time_base * SECOND)
    return _block(bytes(packet), pts, OPUS_RATE)


def _block(data: bytes, pts: int, rate: int) -> AudioBlock:
    packet = av.Packet(data)
    packet.pts = packet.dts = pts * rate // SECOND
    packet.time_base = Fraction(1, rate)
    return AudioBlock(pts, packet)
