"""The built-in camera sends what a good IP camera sends, on time, and stops when it is told to.

Time is the test's own, but where another thread interrupts: on a busy machine nobody is on time.
"""

import re
import threading
from itertools import islice, pairwise
from math import pi, sin

import av
import pytest

from publisher.media.packets import Packet
from publisher.sources import pattern, test_camera
from rendezvous.program.errors import UsageError
from tests.support.clock import Clock
from tests.support.waiting import PATIENCE

SMALL = "test:?size=320x180&fps=30&gop=10&bitrate=500000"
HOUR = 3600 * 10**9  # nanoseconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(test_camera, "time", made)
    return made


def _opened(clock: Clock, spec: str) -> test_camera.OpenTestCamera:
    camera = test_camera.TestCamera(spec).open()
    camera._interrupted = clock  # type: ignore[assignment]
    return camera


def _film(clock: Clock, spec: str, count: int) -> list[tuple[int, Packet]]:
    """Packets with the monotonic microsecond at which they came."""
    camera = _opened(clock, spec)
    return [(clock.now // 1000, packet) for packet in islice(camera.packets(), count)]


def _nal_types(packet: Packet) -> list[int]:
    return [nal[0] & 31 for nal in re.split(rb"\x00\x00\x00?\x01", packet.data)[1:]]


def test_the_streams_are_announced_with_their_parameters() -> None:
    video, audio = test_camera.TestCamera("test:?size=640x360&fps=25").open().streams
    assert (video.codec, video.width, video.height, video.frame_rate) == ("h264", 640, 360, 25)
    assert video.extradata[4] & 31 == 7
    assert (audio.codec, audio.sample_rate, audio.channels) == ("aac", 48_000, 1)
    assert audio.extradata


def test_pictures_are_on_time_and_decode_to_their_own_time_code(clock: Clock) -> None:
    video = [(at, packet) for at, packet in _film(clock, SMALL, 80) if packet.kind == "video"]
    decoder = av.CodecContext.create("h264", "r")
    codes = []
    for _, packet in video:
        assert packet.pts == packet.dts
        for frame in decoder.decode(av.Packet(packet.data)):
            plane = frame.planes[0]
            codes.append(pattern.read(bytes(plane), plane.line_size, frame.width, frame.height))
    for (at, packet), code in zip(video, codes, strict=False):
        assert packet.pts is not None
        assert code is not None
        assert (packet.pts * 1000 + clock.EPOCH) // 1_000_000 - code.unix_ms in (-1, 0)
        assert 0 <= at - packet.pts <= 1
    assert [code.frame for code in codes if code] == list(range(len(codes)))
    assert len(codes) >= len(video) - 1


def test_every_key_frame_carries_its_parameter_sets_and_there_are_no_b_frames(
    clock: Clock,
) -> None:
    video = [packet for _, packet in _film(clock, SMALL + "&audio=0", 25)]
    assert [i for i, packet in enumerate(video) if packet.key] == [0, 10, 20]
    for packet in video:
        types = [kind for kind in _nal_types(packet) if kind != 6]
        assert types == ([7, 8, 5] if packet.key else [1])
    assert all((a.pts or 0) < (b.pts or 0) for a, b in pairwise(video))


def test_no_audio_when_it_is_turned_off() -> None:
    camera = test_camera.TestCamera(SMALL + "&audio=0").open()
    assert [stream.kind for stream in camera.streams] == ["video"]
    camera.close()


def test_the_tone_is_sample_accurate_against_the_pictures_clock(clock: Clock) -> None:
    """The sound at a packet's time is that of the wall clock at that time."""
    opened = _opened(clock, SMALL)
    decoder = av.CodecContext.create("aac", "r")
    decoder.extradata = opened.streams[1].extradata
    decoder.sample_rate, decoder.layout = 48_000, "mono"
    errors = []
    for packet in islice(opened.packets(), 110):
        if packet.kind == "video":
            continue
        assert packet.pts is not None
        for frame in decoder.decode(av.Packet(packet.data)):
            samples = list(memoryview(bytes(frame.planes[0])).cast("f"))[:1024]
            phase = (packet.pts * 1000 + clock.EPOCH) * 48_000 // 10**9
            expected = memoryview(pattern.tone(phase, 1024)).cast("h")
            errors.append(
                sum(abs(a - b / 32768) for a, b in zip(samples, expected, strict=True)) / 1024
            )
    # The first blocks are the codec's own beginning.
    assert max(errors[3:]) < 0.2 * sin(pi / 8)


def test_it_ends_at_once_when_another_thread_interrupts() -> None:
    camera = test_camera.TestCamera(SMALL + "&audio=0").open()
    camera._tracks[0]._period = HOUR  # type: ignore[attr-defined]
    first = threading.Event()

    def watch() -> None:
        for _ in camera.packets():
            first.set()

    reader = threading.Thread(target=watch)
    reader.start()
    assert first.wait(PATIENCE)
    camera.interrupt()
    reader.join(PATIENCE)
    assert not reader.is_alive()
    camera.close()
    camera.close()


def test_a_late_reader_misses_pictures_and_the_rest_is_on_time(clock: Clock) -> None:
    packets = _opened(clock, SMALL + "&audio=0").packets()
    first = next(packets)
    clock.now += 3_000_000_000
    late, due = next(packets), next(packets)
    periods = [round((packet.pts or 0) * 30 / 1_000_000, 3) for packet in (first, late, due)]
    assert periods[1] - periods[0] == 90
    assert periods[2] - periods[1] == 1


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
