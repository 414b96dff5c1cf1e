"""A film on file whose sound is late by known times: what the probe itself is measured with."""

import io
from collections.abc import Sequence
from fractions import Fraction

import av
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.stream import VideoStream

from publisher.sources.pattern import SAMPLE_RATE, Pattern, tone

_WIDTH, _HEIGHT, _FPS = 320, 180, 30
_BLOCK = SAMPLE_RATE // 10
_BEGAN = 1_700_000_000  # seconds since the Unix epoch, by its time code


def stepped_film(*late: float, seconds: int) -> bytes:
    """The test picture and its tone as MP4: for so many seconds each, the tone is late by ``late``.

    The sound is FLAC, which plays from its first sample on: no codec's delay is in the step.
    """
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        picture = container.add_stream("libx264", rate=_FPS, options={"bf": "0", "crf": "20"})
        picture.width, picture.height, picture.pix_fmt = _WIDTH, _HEIGHT, "yuv420p"
        sound = container.add_stream("flac", rate=SAMPLE_RATE, layout="mono", format="s16")
        _draw(container, picture, seconds * len(late))
        _sound(container, sound, seconds, late)
    return file.getvalue()


def _draw(container: OutputContainer, stream: VideoStream, seconds: int) -> None:
    pattern = Pattern(_WIDTH, _HEIGHT)
    for number in range(seconds * _FPS):
        drawn = memoryview(pattern.draw(number, 1000 * _BEGAN + number * 1000 // _FPS))
        frame = av.VideoFrame(_WIDTH, _HEIGHT, "yuv420p")
        frame.pts, frame.time_base = number, Fraction(1, _FPS)
        for plane in frame.planes:
            size = plane.width * plane.height
            plane.update(_padded(drawn[:size], plane.width, plane.line_size))
            drawn = drawn[size:]
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def _padded(rows: memoryview, width: int, line: int) -> bytes:
    starts = range(0, len(rows), width)
    return b"".join(bytes(rows[start : start + width]).ljust(line, b"\0") for start in starts)


def _sound(
    container: OutputContainer, stream: AudioStream, seconds: int, late: Sequence[float]
) -> None:
    part = seconds * SAMPLE_RATE
    for first in range(0, part * len(late), _BLOCK):
        shift = round(late[first // part] * SAMPLE_RATE)
        frame = av.AudioFrame(format="s16", layout="mono", samples=_BLOCK)
        frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, first, Fraction(1, SAMPLE_RATE)
        frame.planes[0].update(tone(_BEGAN * SAMPLE_RATE + first - shift, _BLOCK))
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))
