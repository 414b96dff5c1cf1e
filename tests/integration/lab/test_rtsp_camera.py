"""The tests' RTSP camera is what it claims to be, in every variant: else it could prove nothing."""

import hashlib
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice, pairwise
from statistics import median
from typing import Any

import av
import pytest

from publisher.sources.pattern import TimeCode, read
from tests.support.cameras import (
    RtspCamera,
    http_port,
    rtsp_camera,
    silent_port,
)
from tests.support.ear import jumps, pitch
from tests.support.ports import free_port
from tests.support.waiting import PATIENCE

LEAST = 20  # pictures; a busy machine makes fewer than thirty a second
MOST = 1000  # pictures: half a minute
STEP = 0.01  # seconds that sound and picture may be apart
MILLISECOND = 0.001  # what a time code leaves out
OPTIONS = {"rtsp_transport": "tcp", "analyzeduration": "300000"}


@dataclass
class Film:
    """What was received: pictures and sound with their times in seconds."""

    opened: float = field(default_factory=time.time)
    codes: list[tuple[float, TimeCode]] = field(default_factory=list)
    units: list[list[str]] = field(default_factory=list)
    times: list[int] = field(default_factory=list)  # of pictures, as they were sent
    profile: str | None = None
    video_codec: str = ""
    audio_codec: str = ""
    sample_rate: int = 0
    blocks: list[tuple[int, float]] = field(default_factory=list)  # first sample, its time
    samples: list[float] = field(default_factory=list)

    def lasts(self, seconds: float) -> bool:
        """Whether picture and sound do: a busy machine may bring one of them late."""
        pictured = len(self.codes) > LEAST and self.codes[-1][0] - self.codes[0][0] >= seconds
        return pictured and len(self.samples) >= seconds * self.sample_rate


def _shoot(url: str, seconds: float, enough: Callable[[Film], bool] = lambda _: True) -> Film:
    """So long a film; a second more as long as it is not enough, up to MOST pictures."""
    film = Film()
    with av.open(url, options=OPTIONS, timeout=PATIENCE) as container:
        film.video_codec = container.streams.video[0].codec_context.name
        for stream in container.streams.audio:
            film.audio_codec = stream.codec_context.name
            film.sample_rate = stream.codec_context.sample_rate
        packets: Iterator[Any] = container.demux()
        for packet in packets:
            if packet.stream.type == "video":
                _see(film, packet)
            else:
                _hear(film, packet)
            if len(film.codes) > MOST:
                break
            if film.lasts(seconds):
                if enough(film):
                    break
                seconds += 1.0
    return film


def _see(film: Film, packet: Any) -> None:
    film.profile = packet.stream.codec_context.profile  # as soon as a picture has told it
    film.times += [] if packet.pts is None else [packet.pts]
    film.units.append(_hashes(bytes(packet)))
    for frame in packet.decode():
        plane = frame.planes[0]
        code = read(bytes(plane), plane.line_size, frame.width, frame.height)
        assert code is not None, "a picture without a readable time code"
        assert film.opened - MILLISECOND < code.unix_ms / 1000 <= time.time()
        film.codes.append((frame.time or 0.0, code))


def _hear(film: Film, packet: Any) -> None:
    resampler = av.AudioResampler(format="fltp", layout="mono", rate=film.sample_rate)
    for frame in packet.decode():
        film.blocks.append((len(film.samples), frame.time))
        for block in resampler.resample(frame):
            film.samples += memoryview(bytes(block.planes[0])).cast("f")[: block.samples].tolist()


def _hashes(data: bytes) -> list[str]:
    nals = re.split(rb"\x00\x00\x01", data)
    return [hashlib.sha256(nal.rstrip(b"\0")).hexdigest() for nal in nals if nal.strip(b"\0")]


def _sent(camera: RtspCamera) -> list[list[str]]:
    return [[nal.sha256 for nal in unit.nals] for unit in camera.records()]


def _in_step(film: Film) -> bool:
    """Whether the tone has jumped at the full second, by the pictures' clock, when it did last.

    Before the camera's first reports FFmpeg lets both streams begin at the same time. And a tone
    that a busy machine has cut may jump anywhere.
    """
    if not film.sample_rate:
        return True
    to_wall = median(code.unix_ms / 1000 - at for at, code in film.codes[-LEAST:])
    heard = [_heard_at(film, at) + to_wall for at in jumps(film.samples, film.sample_rate)]
    return bool(heard) and abs(heard[-1] - round(heard[-1])) < STEP


def _heard_at(film: Film, seconds: float) -> float:
    """The time of what is so far into the samples, by the block that it is in."""
    sample = seconds * film.sample_rate
    first, time_of_first = next(block for block in reversed(film.blocks) if block[0] <= sample)
    return time_of_first + (sample - first) / film.sample_rate


@pytest.mark.parametrize(
    ("variant", "video", "profile", "audio"),
    [
        ("plain", "h264", "Constrained Baseline", "aac"),
        ("long-gop", "h264", "Constrained Baseline", "aac"),
        ("sdp-parameter-sets", "h264", "Constrained Baseline", "aac"),
        ("high", "h264", "High", "aac"),
        ("b-frames", "h264", "High", "aac"),
        ("g711", "h264", "Constrained Baseline", "pcm_alaw"),
        ("g711-mu", "h264", "Constrained Baseline", "pcm_mulaw"),
        ("no-audio", "h264", "Constrained Baseline", ""),
        ("h265", "hevc", "Main", "aac"),
        ("auth", "h264", "Constrained Baseline", "aac"),
    ],
)
def test_each_variant_sends_what_its_name_says(
    variant: str, video: str, profile: str, audio: str
) -> None:
    with rtsp_camera(variant) as camera:
        film = _shoot(camera.url, 1.3, _in_step)
        sent = _sent(camera)
    assert (film.video_codec, film.profile, film.audio_codec) == (video, profile, audio)
    assert (film.times != sorted(film.times)) == (variant == "b-frames")

    numbers = [code.frame for _, code in film.codes]
    assert all(before < after for before, after in pairwise(numbers))

    received = film.units[1:]
    start = sent.index(received[0])
    assert sent[start : start + len(received)] == received

    if audio:
        assert pitch(film.samples[film.sample_rate // 2 :], film.sample_rate) > 990
    assert _in_step(film)


def test_motion_jpeg_is_a_stream_of_readable_pictures() -> None:
    with rtsp_camera("mjpeg") as camera:
        film = _shoot(camera.url, 1.0)
    assert (film.video_codec, film.audio_codec) == ("mjpeg", "aac")
    numbers = [code.frame for _, code in film.codes]
    assert all(before < after for before, after in pairwise(numbers))


def test_the_running_picture_changes_its_size_when_it_is_told_to() -> None:
    sizes = []
    with (
        rtsp_camera("no-audio") as camera,
        av.open(camera.url, options=OPTIONS, timeout=PATIENCE) as film,
    ):
        for frame in film.decode(video=0):
            if (frame.width, frame.height) not in sizes:
                sizes.append((frame.width, frame.height))
                camera.resize(480, 272)
            if len(sizes) == 2:
                break
    assert sizes == [(640, 360), (480, 272)]


def test_all_clients_get_the_same_encoding() -> None:
    with (
        rtsp_camera() as camera,
        av.open(camera.url, options=OPTIONS, timeout=PATIENCE) as one,
        av.open(camera.url, options=OPTIONS, timeout=PATIENCE) as other,
    ):
        second = {_hashes(bytes(packet))[0] for packet in islice(other.demux(video=0), 1, 20)}
        for packet in islice(one.demux(video=0), MOST):  # it began before the other
            second.discard(_hashes(bytes(packet))[0])
            if not second:
                break
    assert not second


def test_a_stopped_camera_is_gone_and_comes_back_on_the_same_port() -> None:
    with rtsp_camera("no-audio") as camera:
        address = camera.address
        _shoot(camera.url, 0.1)
        assert camera.records()
        camera.stop()
        with pytest.raises(av.FFmpegError):
            av.open(camera.url, options=OPTIONS, timeout=PATIENCE)
        camera.start()
        assert camera.address == address
        assert camera.records() == []
        assert _shoot(camera.url, 0.1).codes


def test_a_frozen_camera_accepts_and_stays_silent() -> None:
    with rtsp_camera("no-audio") as camera:
        camera.freeze()
        with pytest.raises(av.FFmpegError):
            av.open(camera.url, options=OPTIONS, timeout=0.3)
        camera.thaw()
        assert _shoot(camera.url, 0.1).codes


def test_it_lets_nobody_in_without_the_password() -> None:
    with rtsp_camera("auth") as camera, pytest.raises(av.HTTPUnauthorizedError):
        av.open(camera.address, options=OPTIONS, timeout=PATIENCE)


def test_a_camera_that_cannot_start_says_why() -> None:
    with (
        rtsp_camera() as camera,
        pytest.raises(RuntimeError, match=f"port {camera.port} cannot be had"),
        rtsp_camera(port=camera.port),
    ):
        pass


def test_what_is_no_camera_does_not_open() -> None:
    with silent_port() as silent, http_port() as web:
        for address in (silent, web, f"rtsp://127.0.0.1:{free_port()}/live"):
            with pytest.raises(av.FFmpegError):
                av.open(address, options=OPTIONS, timeout=0.3)
