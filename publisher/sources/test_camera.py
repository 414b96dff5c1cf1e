"""The built-in camera ``test:``: the test picture and tone as H.264 and AAC, live.

It behaves as a good IP camera does: an even frame rate, no B-frames, parameter sets before every
key frame. A picture is drawn when it is due, so its time code says when it was made; nothing is
queued, and pictures that nobody fetched in time are left out.
"""

import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Protocol
from urllib.parse import parse_qsl, urlsplit

import av

from publisher.media.encoder import LIBX264, Encoder, Shape
from publisher.media.packets import Packet, Stream
from publisher.sources.pattern import SAMPLE_RATE, Pattern, tone
from rendezvous.program.errors import UsageError

_NS = 1_000_000_000
_QUICK = replace(LIBX264, options={**LIBX264.options, "preset": "ultrafast"})
_DEFAULTS = {"size": "1280x720", "fps": "30", "gop": "", "bitrate": "2000000", "audio": "1"}


@dataclass(frozen=True, slots=True)
class Options:
    """What the address asks for; ``gop`` is the distance of key frames in frames."""

    width: int
    height: int
    fps: int
    gop: int
    bitrate: int
    audio: bool


def parse(spec: str) -> Options:
    """Reads ``test:?size=…&fps=…&gop=…&bitrate=…&audio=…``; ValueError when it cannot."""
    given = dict(parse_qsl(urlsplit(spec).query, keep_blank_values=True, strict_parsing=False))
    if unknown := given.keys() - _DEFAULTS.keys():
        raise ValueError(f"It has no option {', '.join(sorted(unknown))}.")
    text = _DEFAULTS | given
    if not (size := re.fullmatch(r"(\d{1,4})x(\d{1,4})", text["size"])):
        raise ValueError("Its size is written as 1280x720.")
    fps = _number(text, "fps", 1, 120)
    return Options(
        width=int(size[1]),
        height=int(size[2]),
        fps=fps,
        gop=_number(text | {"gop": text["gop"] or str(fps)}, "gop", 1, 100_000),
        bitrate=_number(text, "bitrate", 50_000, 100_000_000),
        audio=bool(_number(text, "audio", 0, 1)),
    )


def _number(text: dict[str, str], name: str, least: int, most: int) -> int:
    if not re.fullmatch(r"\d{1,9}", text[name]) or not least <= int(text[name]) <= most:
        raise ValueError(f"Its {name} is a number from {least} to {most}.")
    return int(text[name])


class TestCamera:
    """A source that needs no camera; raises UsageError when its address cannot be understood."""

    def __init__(self, spec: str) -> None:
        self._spec = spec
        try:
            self._options = parse(spec)
            self._pattern = Pattern(self._options.width, self._options.height)
        except ValueError as error:
            raise UsageError(
                "source_malformed",
                f"The test camera cannot be {spec}. {error}",
                "Write for example test:?size=640x360&fps=30&gop=30&bitrate=2000000&audio=1",
            ) from error

    @property
    def name(self) -> str:
        """The address as it was given: there is nothing to hide in it."""
        return self._spec

    def open(self) -> "OpenTestCamera":
        """Starts the encoders; never fails."""
        return OpenTestCamera(self._options, self._pattern)


class OpenTestCamera:
    """A test camera that runs."""

    def __init__(self, options: Options, pattern: Pattern) -> None:
        self._interrupted = threading.Event()
        start = time.monotonic_ns()
        self._tracks: list[_Track] = [_Pictures(options, pattern, start)]
        if options.audio:
            self._tracks.append(_Sound(start))

    @property
    def streams(self) -> tuple[Stream, ...]:
        """H.264, and AAC unless that was turned off."""
        return tuple(track.stream for track in self._tracks)

    def packets(self) -> Iterator[Packet]:
        """Coded media as it is made, until somebody interrupts."""
        while True:
            track = min(self._tracks, key=lambda track: track.due)
            if self._interrupted.wait(max(0, track.due - time.monotonic_ns()) / _NS):
                return
            yield from track.make()

    def interrupt(self) -> None:
        """Ends ``packets`` at once; for any thread."""
        self._interrupted.set()

    def close(self) -> None:
        """Leaves nothing behind; also for any thread, because there is no device to let go of."""
        self._interrupted.set()


def _epoch() -> int:
    """The wall-clock time, in nanoseconds, at which the monotonic clock was zero."""
    # A pause between the two readings makes the difference too small, never too large.
    return max(time.time_ns() - time.monotonic_ns() for _ in range(3))


class _Track(Protocol):
    """Something that is due again and again; ``due`` is a monotonic time in nanoseconds."""

    @property
    def due(self) -> int: ...

    @property
    def stream(self) -> Stream: ...

    def make(self) -> Iterator[Packet]: ...


class _Pictures:
    def __init__(self, options: Options, pattern: Pattern, start: int) -> None:
        self.due = start
        self._period = _NS // options.fps
        self._pattern = pattern
        # One for all pictures, because libx264 copies what it encodes, and fresh memory for each
        # costs as much as the encoding.
        self._picture = av.VideoFrame(options.width, options.height, "yuv420p")
        self._frame = 0
        self._encoder = _h264(options)
        self._parameter_sets = self._encoder.extradata
        self.stream = Stream(
            kind="video",
            codec="h264",
            extradata=self._parameter_sets,
            width=options.width,
            height=options.height,
            frame_rate=options.fps,
        )

    def make(self) -> Iterator[Packet]:
        made = time.monotonic_ns()
        picture = self._draw((made + _epoch()) // 1_000_000)
        for coded in self._encoder.encode(picture, made // 1000):
            head = self._parameter_sets if coded.key else b""
            yield Packet("video", head + coded.data, coded.pts, coded.pts, coded.key)
        self._frame += 1
        self.due += self._period
        late = time.monotonic_ns() - self.due
        self.due += max(0, late // self._period) * self._period

    def _draw(self, unix_ms: int) -> av.VideoFrame:
        data = memoryview(self._pattern.draw(self._frame, unix_ms))
        at = 0
        for plane in self._picture.planes:
            plane.update(bytes(data[at : at + plane.buffer_size]))
            at += plane.buffer_size
        return self._picture


def _h264(options: Options) -> Encoder:
    bit_rate = options.bitrate
    return Encoder(
        _QUICK,
        Shape(options.width, options.height, options.fps, bit_rate, options.gop),
        bit_rate,
    )


class _Sound:
    _BLOCK = 1024  # samples of an AAC frame
    _OUT_OF_STEP = SAMPLE_RATE // 1000  # the wall clock was set: now a jump in the tone is right

    def __init__(self, start: int) -> None:
        self._start = start
        self._samples = 0  # since the start
        self._wall = 0  # the same since the Unix epoch
        self._encoder = _aac()
        self._resampler = av.AudioResampler(format="fltp", layout="mono", rate=SAMPLE_RATE)
        self.stream = Stream(
            kind="audio",
            codec="aac",
            extradata=self._encoder.extradata or b"",
            sample_rate=SAMPLE_RATE,
            channels=1,
        )

    @property
    def due(self) -> int:
        """A block is coded when its last sample has been heard."""
        return self._start + (self._samples + self._BLOCK) * _NS // SAMPLE_RATE

    def make(self) -> Iterator[Packet]:
        for block in self._resampler.resample(self._record()):
            for coded in self._encoder.encode(block):
                pts = self._start // 1000 + (coded.pts or 0) * 1_000_000 // SAMPLE_RATE
                yield Packet("audio", bytes(coded), pts, pts, key=True)
        self._samples += self._BLOCK
        late = (time.monotonic_ns() - self.due) * SAMPLE_RATE // _NS
        if late > SAMPLE_RATE:
            self._samples += late // self._BLOCK * self._BLOCK

    def _record(self) -> av.AudioFrame:
        begin = self._start + self._samples * _NS // SAMPLE_RATE
        wall = (begin + _epoch()) * SAMPLE_RATE // _NS
        if abs(wall - self._wall) > self._OUT_OF_STEP:
            self._wall = wall
        block = av.AudioFrame(format="s16", layout="mono", samples=self._BLOCK)
        block.sample_rate = SAMPLE_RATE
        block.time_base = Fraction(1, SAMPLE_RATE)
        block.pts = self._samples
        block.planes[0].update(tone(self._wall, self._BLOCK))
        self._wall += self._BLOCK
        return block


def _aac() -> av.AudioCodecContext:
    encoder = av.CodecContext.create("aac", "w")
    encoder.sample_rate, encoder.layout, encoder.format = SAMPLE_RATE, "mono", "fltp"
    encoder.time_base = Fraction(1, SAMPLE_RATE)
    encoder.bit_rate = 96_000
    encoder.options = {"aac_coder": "fast"}
    encoder.open()
    return encoder
