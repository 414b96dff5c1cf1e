"""The built-in camera sends what a good IP camera sends, on time, and stops when it is told to."""

import re
import threading
import time
from itertools import islice, pairwise
from math import pi, sin

import av
import pytest

from publisher.media.packets import Packet
from publisher.sources import pattern, test_camera
from rendezvous.program.errors import UsageError

SMALL = "test:?size=320x180&fps=30&gop=10&bitrate=500000"


def _film(spec: str, count: int) -> list[tuple[int, Packet]]:
    """Packets with the monotonic microsecond at which they came."""
    camera = test_camera.TestCamera(spec).open()
    try:
        return [(time.monotonic_ns() // 1000, packet) for packet in islice(camera.packets(), count)]
    finally:
        camera.close()


def _nal_types(packet: Packet) -> list[int]:
    return [nal[0] & 31 for nal in re.split(rb"\x00\x00\x00?\x01", packet.data)[1:]]


def test_the_streams_are_announced_with_their_parameters() -> None:
    video, audio = test_camera.TestCamera("test:?size=640x360&fps=25").open().streams
    assert (video.codec, video.width, video.height, video.frame_rate) == ("h264", 640, 360, 25)
    assert video.extradata[4] & 31 == 7
    assert (audio.codec, audio.sample_rate, audio.channels) == ("aac", 48_000, 1)
    assert audio.extradata


def test_pictures_are_on_time_and_decode_to_their_own_time_code() -> None:
    video = [(at, packet) for at, packet in _film(SMALL, 80) if packet.kind == "video"]
    decoder = av.CodecContext.create("h264", "r")
    codes = []
    for _, packet in video:
        assert packet.pts == packet.dts
        for frame in decoder.decode(av.Packet(packet.data)):
            plane = frame.planes[0]
            codes.append(pattern.read(bytes(plane), plane.line_size, frame.width, frame.height))
    offset = time.time_ns() // 1_000_000 - time.monotonic_ns() // 1_000_000
    for (at, packet), code in zip(video, codes, strict=False):
        assert packet.pts is not None
        assert code is not None
        assert abs(packet.pts // 1000 + offset - code.unix_ms) <= 3
        assert 0 <= at - packet.pts < 500_000
    assert [code.frame for code in codes if code] == list(range(len(codes)))
    assert len(codes) >= len(video) - 1


def test_every_key_frame_carries_its_parameter_sets_and_there_are_no_b_frames() -> None:
    video = [packet for _, packet in _film(SMALL + "&audio=0", 25)]
    assert [i for i, packet in enumerate(video) if packet.key] == [0, 10, 20]
    for packet in video:
        types = [kind for kind in _nal_types(packet) if kind != 6]
        assert types == ([7, 8, 5] if packet.key else [1])
    assert all((a.pts or 0) < (b.pts or 0) for a, b in pairwise(video))


def test_no_audio_when_it_is_turned_off() -> None:
    camera = test_camera.TestCamera(SMALL + "&audio=0").open()
    assert [stream.kind for stream in camera.streams] == ["video"]
    camera.close()


def test_the_tone_is_sample_accurate_against_the_pictures_clock() -> None:
    """The sound at a packet's time is that of the wall clock at that time."""
    camera = test_camera.TestCamera(SMALL)
    opened = camera.open()
    decoder = av.CodecContext.create("aac", "r")
    decoder.extradata = opened.streams[1].extradata
    decoder.sample_rate, decoder.layout = 48_000, "mono"
    offset = time.time_ns() // 1000 - time.monotonic_ns() // 1000
    errors = []
    for packet in islice(opened.packets(), 110):
        if packet.kind == "video":
            continue
        assert packet.pts is not None
        for frame in decoder.decode(av.Packet(packet.data)):
            samples = list(memoryview(bytes(frame.planes[0])).cast("f"))[:1024]
            phase = (packet.pts + offset) * 48_000 // 1_000_000
            expected = memoryview(pattern.tone(phase, 1024)).cast("h")
            errors.append(
                sum(abs(a - b / 32768) for a, b in zip(samples, expected, strict=True)) / 1024
            )
    opened.close()
    # The first blocks are the codec's own beginning.
    assert max(errors[3:]) < 0.2 * sin(pi / 8)


def test_it_ends_at_once_when_another_thread_interrupts() -> None:
    camera = test_camera.TestCamera("test:?size=320x180&fps=1&audio=0").open()
    first = threading.Event()

    def watch() -> None:
        for _ in camera.packets():
            first.set()

    reader = threading.Thread(target=watch)
    reader.start()
    assert first.wait(5)
    camera.interrupt()
    reader.join(0.5)
    assert not reader.is_alive()
    camera.close()
    camera.close()


def test_a_late_reader_misses_pictures_and_the_rest_is_on_time() -> None:
    camera = test_camera.TestCamera(SMALL + "&audio=0").open()
    packets = camera.packets()
    next(packets)
    camera._tracks[0].due -= 3_000_000_000  # type: ignore[misc]  # as if it had been away
    late = next(packets)
    due = next(packets)
    assert late.pts is not None
    assert due.pts is not None
    assert 0 < due.pts - late.pts < 100_000
    camera.close()


@pytest.mark.parametrize(
    "options",
    ["size=640", "size=640x361", "fps=0", "fps=x", "gop=-1", "bitrate=1", "audio=yes", "x=1"],
)
def test_an_address_it_does_not_understand_is_refused_with_an_example(options: str) -> None:
    with pytest.raises(UsageError) as refusal:
        test_camera.TestCamera(f"test:?{options}")
    assert refusal.value.code == "source_malformed"
    assert options in refusal.value.sentence
    assert "test:?size=640x360" in refusal.value.cure
