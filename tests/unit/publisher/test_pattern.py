"""The test picture can be read wherever it arrives, and the tone keeps step with it."""

import subprocess
import sys
from array import array
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import pytest

from publisher.sources.pattern import FLASH_SPOT, SAMPLE_RATE, Pattern, TimeCode, read, tone
from tests.support.waiting import PATIENCE

ROOT = Path(__file__).parents[3]
NOON = 1_790_000_000_000  # a full second


def _frames(width: int, height: int, count: int) -> Iterator[tuple[TimeCode, av.VideoFrame]]:
    pattern = Pattern(width, height)
    for i in range(count):
        code = TimeCode(i, NOON - 200 + i * 1000 // 30)
        data = bytes(pattern.draw(code.frame, code.unix_ms))
        frame = av.VideoFrame(width, height, "yuv420p")
        at = 0
        for plane in frame.planes:
            plane.update(data[at : at + plane.buffer_size])
            at += plane.buffer_size
        frame.pts = i
        yield code, frame


def _read_frame(frame: av.VideoFrame) -> TimeCode | None:
    plane = frame.planes[0]
    return read(bytes(plane), plane.line_size, frame.width, frame.height)


def _spot(picture: bytearray, width: int, height: int) -> int:
    return picture[int(FLASH_SPOT[1] * height) * width + int(FLASH_SPOT[0] * width)]


@pytest.mark.parametrize(
    "size", [(320, 180), (352, 288), (640, 360), (640, 480), (1280, 720), (1920, 1080), (320, 640)]
)
def test_the_time_code_is_read_back_at_every_size(size: tuple[int, int]) -> None:
    width, height = size
    for code in (TimeCode(0, 0), TimeCode(2**24 - 1, 2**42 - 1), TimeCode(1234, NOON + 567)):
        picture = Pattern(width, height).draw(code.frame, code.unix_ms)
        assert len(picture) == width * height * 3 // 2
        assert read(picture, width, width, height) == code


def test_the_frame_number_wraps() -> None:
    picture = Pattern(320, 180).draw(2**24 + 5, NOON)
    assert read(picture, 320, 320, 180) == TimeCode(5, NOON)


@pytest.mark.parametrize("size", [(1, 1), (1280, 721), (1272, 720), (304, 180), (1280, 180)])
def test_a_size_that_cannot_be_drawn_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=f"{size[0]}x{size[1]}"):
        Pattern(*size)


def test_the_time_code_survives_500_kbit_a_second_and_scaling_down() -> None:
    """Flash and all, at a quarter of the bitrate that cameras use for 720p."""
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = 1280, 720, "yuv420p"
    encoder.framerate, encoder.time_base = Fraction(30), Fraction(1, 30)
    encoder.bit_rate = 500_000
    encoder.options = {
        "preset": "ultrafast",
        "tune": "zerolatency",
        "maxrate": "500000",
        "bufsize": "250000",
    }
    decoder = av.CodecContext.create("h264", "r")
    drawn, whole, scaled = [], [], []
    for code, frame in _frames(1280, 720, 20):
        drawn.append(code)
        for packet in encoder.encode(frame):
            for decoded in decoder.decode(packet):
                whole.append(_read_frame(decoded))
                scaled.append(_read_frame(decoded.reformat(640, 360)))
    for decoded in decoder.decode(None):
        whole.append(_read_frame(decoded))
        scaled.append(_read_frame(decoded.reformat(640, 360)))
    assert whole == drawn
    assert scaled == drawn


@pytest.mark.parametrize("level", [0, 16, 128, 255])
def test_a_blank_picture_has_no_time_code(level: int) -> None:
    assert read(bytes([level]) * (640 * 360), 640, 640, 360) is None


def test_a_damaged_time_code_is_not_read() -> None:
    picture = Pattern(640, 360).draw(77, NOON)
    cell = 640 // 40
    for i in range(3, 40):
        damaged = bytearray(picture)
        for line in range(360 - 2 * cell, 360 - cell):
            at = line * 640 + i * cell
            damaged[at : at + cell] = bytes(251 - byte for byte in damaged[at : at + cell])
        assert read(damaged, 640, 640, 360) is None


def test_consecutive_pictures_differ_in_more_than_the_writing() -> None:
    """The ball rolls, even while the clock stands still."""
    pattern = Pattern(640, 360)
    first, second = pattern.draw(1, NOON), pattern.draw(2, NOON)
    above_the_band = slice(640 * 300, 640 * 328)
    assert first[above_the_band] != second[above_the_band]


def test_it_flashes_in_the_first_100_ms_of_a_second() -> None:
    pattern = Pattern(640, 360)
    levels = [_spot(pattern.draw(1, NOON + ms), 640, 360) for ms in (-1, 0, 99, 100)]
    assert [level > 200 for level in levels] == [False, True, True, False]


def test_the_tone_jumps_an_octave_exactly_while_the_picture_flashes() -> None:
    first = NOON // 1000 * SAMPLE_RATE
    samples = array("h", tone(first, SAMPLE_RATE))
    rising = [i for i in range(1, len(samples)) if samples[i - 1] < 0 <= samples[i]]
    high = SAMPLE_RATE // 10
    assert len([i for i in rising if i < high]) == pytest.approx(200, abs=1)
    assert len([i for i in rising if i >= high]) == pytest.approx(900, abs=1)
    assert {b - a for a, b in pairwise(rising) if b < high} == {24}
    assert {b - a for a, b in pairwise(rising) if a > high} == {48}


def test_blocks_of_the_tone_join_without_a_seam() -> None:
    first = NOON // 1000 * SAMPLE_RATE - 2000
    whole = tone(first, 4096)
    blocks = b"".join(tone(first + i * 1024, 1024) for i in range(4))
    assert blocks == whole
    assert len(whole) == 2 * 4096


def test_it_needs_nothing_but_the_standard_library() -> None:
    """The tests' RTSP camera imports it on the system's Python."""
    subprocess.run(
        [
            sys.executable,
            "-I",
            "-S",
            "-c",
            f"import sys; sys.path.insert(0, {str(ROOT)!r});import publisher.sources.pattern",
        ],
        check=True,
        timeout=PATIENCE,
    )
