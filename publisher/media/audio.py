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
from publisher.media.units import AudioBlock

OPUS_RATE = 48_000  # Hz, RFC 7587 §4.1
G711_RATE = 8_000  # Hz, RFC 3551 §4.5.14
_OPUS_FRAME = 960  # samples: 20 ms
_OPUS_INTERVAL = SECOND // 50
_AAC_SAMPLES = 1024  # of a frame, ISO/IEC 14496-3 §4.5.1.1
_STEREO = 2
_G711 = {"pcm_alaw": "PCMA", "pcm_mulaw": "PCMU"}
_G711_BYTES = 960
_DATAGRAM_BYTES = 1200  # of payload; libsrtp takes no packet over 1500 and ends the track instead
_BIT_RATE = {1: 48_000, 2: 96_000}  # bit/s by channels: beyond what a camera's microphone gives


class AudioPipeline(Protocol):
    """Turns the packets of one opened camera into blocks for browsers."""

    codec: str
    """The payload's name in SDP: opus, PCMA or PCMU."""
    lost: int
    """Packets that could not be used."""

    def feed(self, packet: Packet, pts: int) -> Iterator[AudioBlock]:
        """The blocks that are ready with this packet, which is due at ``pts``."""


def interval(stream: Stream, packet: Packet) -> int:
    """How long a packet lasts, in microseconds, where its own time is missing."""
    if stream.codec in _G711:
        return len(packet.data) * SECOND // (stream.sample_rate or G711_RATE)
    if stream.codec == "opus":
        return _OPUS_INTERVAL
    return SECOND * _AAC_SAMPLES // (stream.sample_rate or OPUS_RATE)


def audio_pipeline(stream: Stream) -> AudioPipeline | None:
    """The cheapest way to this stream's sound, or None when nothing can decode it."""
    if stream.codec in _G711 and stream.sample_rate == G711_RATE and stream.channels == 1:
        return UntouchedG711(_G711[stream.codec])
    if stream.codec == "opus" and stream.channels <= _STEREO:
        return UntouchedOpus()
    try:
        return ToOpus(stream)
    except (av.FFmpegError, ValueError):
        return None


class UntouchedG711:
    """Passes G.711 on byte by byte; only long packets are cut, to fit into datagrams."""

    def __init__(self, codec: str) -> None:
        self.codec = codec
        self.lost = 0

    def feed(self, packet: Packet, pts: int) -> Iterator[AudioBlock]:
        """The packet in blocks of 120 ms at the most; any length may be sent (RFC 3551 §4.2)."""
        for begin in range(0, len(packet.data), _G711_BYTES):
            data = packet.data[begin : begin + _G711_BYTES]
            yield AudioBlock(data, pts + begin * SECOND // G711_RATE, G711_RATE)


class UntouchedOpus:
    """Passes Opus on as the camera made it."""

    codec = "opus"

    def __init__(self) -> None:
        self.lost = 0

    def feed(self, packet: Packet, pts: int) -> Iterator[AudioBlock]:
        """One block for each packet; one that fits into no datagram is counted and left out."""
        if len(packet.data) > _DATAGRAM_BYTES:
            self.lost += 1
        else:
            yield AudioBlock(packet.data, pts, OPUS_RATE)


class ToOpus:
    """Decodes, resamples and encodes to Opus in blocks of 20 ms."""

    codec = "opus"

    def __init__(self, stream: Stream) -> None:
        """Raises FFmpegError or ValueError when FFmpeg has no decoder for the stream."""
        channels = min(max(stream.channels, 1), 2)
        self._layout = "stereo" if channels == _STEREO else "mono"
        self._decoder = _decoder(stream)
        self._resampler = self._new_resampler()
        self._encoder = _encoder(self._layout, _BIT_RATE[channels])
        self.lost = 0

    def feed(self, packet: Packet, pts: int) -> Iterator[AudioBlock]:
        """Blocks as they fill; what cannot be decoded is counted and left out."""
        coded = av.Packet(packet.data)
        coded.pts = coded.dts = pts
        coded.time_base = Fraction(1, SECOND)
        try:
            frames = self._decoder.decode(coded)
        except av.FFmpegError:
            self.lost += 1
            return
        for frame in frames:
            for resampled in self._resample(frame):
                for opus in self._encoder.encode(resampled):
                    yield _opus_block(opus)

    def _resample(self, frame: av.AudioFrame) -> list[av.AudioFrame]:
        try:
            return self._resampler.resample(frame)
        except ValueError:  # the camera's rate or channels are others now
            self._resampler = self._new_resampler()
            return self._resampler.resample(frame)

    def _new_resampler(self) -> AudioResampler:
        return AudioResampler("s16", self._layout, OPUS_RATE, frame_size=_OPUS_FRAME)


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
    return AudioBlock(bytes(packet), pts, OPUS_RATE)
