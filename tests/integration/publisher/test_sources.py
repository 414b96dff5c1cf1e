"""Sources deliver in real time, never block the loop, and begin with what can be shown."""

import asyncio
import threading
from collections.abc import Iterator
from itertools import islice, pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest

from publisher.errors import SourceError, UnplayableError
from publisher.media import bitstream, h264, preparation
from publisher.media.format import Format
from publisher.media.packets import SECOND, Packet, Stream
from publisher.media.timeline import Timeline
from publisher.media.units import AccessUnit, Unit
from publisher.sources import container, file, reader
from publisher.sources.address import Address
from publisher.sources.catalog import source_for
from publisher.sources.source import Source
from tests.support.cameras import http_port, rtsp_camera
from tests.support.clips import record
from tests.support.clock import Clock
from tests.support.waiting import PATIENCE, until
from tests.support.webcam import http_webcam
from tests.unit.publisher.test_h264 import encoded
from tests.unit.publisher.test_video import IDR, SLICE, SPS_PPS

VIDEO = Stream("video", "h264", frame_rate=25)
BLOCK_SECONDS = 3600.0


class Script:
    """A source that plays packets from a list, then blocks like a camera that hangs."""

    name = "script:"

    def __init__(self, *packets: Packet, streams: tuple[Stream, ...] = (VIDEO,)) -> None:
        self._packets = packets
        self.streams = streams
        self._interrupted = threading.Event()
        self.hangs = threading.Event()
        self.closed = threading.Event()

    def open(self) -> "Script":
        return self

    def packets(self) -> Iterator[Packet]:
        yield from self._packets
        self.hangs.set()
        self._interrupted.wait(BLOCK_SECONDS)

    def interrupt(self) -> None:
        self._interrupted.set()

    def close(self) -> None:
        self.closed.set()


class Reading:
    """A source being read: what came of it."""

    def __init__(self, source: Source) -> None:
        self.formats: list[Format] = []
        self.units: list[Unit] = []
        self.task = asyncio.create_task(
            reader.read(
                source, Timeline(), on_format=self.formats.append, on_unit=self.units.append
            )
        )

    @property
    def pictures(self) -> list[AccessUnit]:
        return [unit for unit in self.units if isinstance(unit, AccessUnit)]

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.wait([self.task])


def picture(number: int, *nals: bytes) -> Packet:
    pts = number * SECOND // 25
    return Packet("video", bitstream.join_annex_b(nals), pts, pts, key=False)


async def test_a_camera_that_begins_inside_a_gop_shows_nothing_before_its_idr() -> None:
    reading = Reading(Script(picture(0, SLICE), picture(1, *SPS_PPS, IDR), picture(2, SLICE)))
    await until(lambda: len(reading.units) == 2)
    assert [unit.key for unit in reading.pictures] == [True, False]
    assert len(reading.formats) == 1
    await reading.stop()


async def test_stopping_returns_at_once_and_the_thread_lets_go_of_the_camera() -> None:
    script = Script(picture(0, *SPS_PPS, IDR))
    reading = Reading(script)
    await until(lambda: reading.units)
    await asyncio.wait_for(reading.stop(), PATIENCE)
    await until(script.closed.is_set)


async def test_a_source_without_picture_is_named() -> None:
    audio = Stream("audio", "opus", sample_rate=48_000, channels=1)
    with pytest.raises(UnplayableError) as caught:
        await Reading(Script(streams=(audio,))).task
    assert caught.value.code == "no_video"


async def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    source = source_for(Address.parse(str(tmp_path / "no.mp4")))
    with pytest.raises(SourceError) as caught:
        await Reading(source).task
    assert caught.value.code == "source_not_found"


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
async def test_a_file_plays_again_and_again(tmp_path: Path, suffix: str) -> None:
    clip = record(tmp_path / f"clip.{suffix}", seconds=0.5, spec="test:?size=320x192&gop=5")
    reading = Reading(source_for(Address.parse(str(clip))))
    await until(lambda: len(reading.pictures) > 20)
    await reading.stop()
    times = [unit.pts for unit in reading.pictures]
    assert times == sorted(set(times))
    idrs = [bitstream.split_annex_b(unit.data) for unit in reading.pictures if unit.key]
    assert all(h264.SPS in {h264.nal_type(nal) for nal in nals} for nals in idrs)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
def test_a_file_plays_in_real_time(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each packet comes when it is due, from pass to pass."""
    clock = Clock()
    monkeypatch.setattr(file, "time", clock)
    clip = record(tmp_path / f"clip.{suffix}", seconds=0.5, spec="test:?size=320x192&gop=5")
    playing = file.LoopingFile(str(clip)).open()
    monkeypatch.setattr(playing, "_closed", clock)
    ahead = [
        clock.now // 1000 - packet.dts
        for packet in islice(playing.packets(), 100)
        if packet.dts is not None
    ]
    playing.close()
    assert len(ahead) == 100
    # What is interleaved a little late in the file is a little late.
    assert all(0 <= at - ahead[0] < SECOND // 10 for at in ahead)


async def test_a_file_that_begins_late_loops_without_a_hole(tmp_path: Path) -> None:
    clip = record(tmp_path / "clip.ts", seconds=0.5, spec="test:?size=320x192&gop=5", begin=8.0)
    reading = Reading(source_for(Address.parse(str(clip))))
    await until(lambda: len(reading.pictures) > 20)
    await reading.stop()
    times = [unit.pts for unit in reading.pictures]
    assert max(later - earlier for earlier, later in pairwise(times)) < SECOND // 4


async def test_a_camera_with_b_frames_is_live_and_says_why_not_over_rtp() -> None:
    nals = encoded("main", (320, 192), bf="2", b_adapt="0")
    b_slice = next(nal for nal in nals if h264.is_b_slice(nal))
    main = [nal for nal in nals if h264.nal_type(nal) in (h264.SPS, h264.PPS)]
    order = [picture(0, *main, IDR)]
    for number in range(3, 12, 3):
        order += [
            picture(number, SLICE),
            picture(number - 2, b_slice),
            picture(number - 1, b_slice),
        ]
    reading = Reading(Script(*order))
    await until(lambda: len(reading.pictures) == len(order))
    (media,) = reading.formats
    assert media.reordered
    assert media.obstacle
    assert media.obstacle.code == "b_frames"
    assert [unit.dts for unit in reading.pictures] == sorted(unit.dts for unit in reading.pictures)
    await reading.stop()


async def test_a_camera_without_key_frames_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preparation, "KEY_FRAME_SECONDS", 0)
    with pytest.raises(UnplayableError) as caught:
        await Reading(Script(*(picture(number, SLICE) for number in range(5)))).task
    assert caught.value.code == "no_key_frames"


async def test_sound_that_goes_on_without_pictures_is_no_live_camera(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(preparation, "PICTURE_SECONDS", 0)
    sound = Packet("audio", b"\x01", 0, 0, key=True)
    with pytest.raises(SourceError, match="sound but no picture"):
        await Reading(Script(picture(0, *SPS_PPS, IDR), *[sound] * 1000)).task


async def test_a_defect_in_a_callback_ends_the_reading_and_nothing_hangs() -> None:
    def fail(_: Format) -> None:
        raise LookupError("a defect")

    script = Script(picture(0, *SPS_PPS, IDR), picture(1, SLICE))
    with pytest.raises(LookupError):
        await reader.read(script, Timeline(), on_format=fail, on_unit=lambda _: None)
    await until(script.closed.is_set)


async def test_an_rtsp_camera_is_read_over_udp_too() -> None:
    with rtsp_camera("plain") as camera:
        reading = Reading(source_for(Address.parse(camera.url), rtsp_transport="udp"))
        await until(lambda: len(reading.pictures) > 30)
        await reading.stop()


class Arrivals(Clock):
    """By this clock a picture comes each tenth of a second, whenever it is read."""

    APART = 100_000  # microseconds

    def monotonic_ns(self) -> int:
        self.now += 1000 * self.APART
        return self.now


async def test_a_webcam_over_http_is_timed_by_when_its_pictures_arrive(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    arrivals = Arrivals()
    monkeypatch.setattr(container, "time", arrivals)
    monkeypatch.setattr(preparation, "time", SimpleNamespace(monotonic_ns=lambda: arrivals.now))
    with http_webcam(fps=50) as url:
        reading = Reading(source_for(Address.parse(url)))
        await until(lambda: len(reading.pictures) > 12)
        await reading.stop()
    (media,) = reading.formats
    assert (media.video_codec, media.width, media.height) == ("mjpeg", 640, 360)
    assert all(unit.key for unit in reading.pictures)
    gaps = {later.pts - earlier.pts for earlier, later in pairwise(reading.pictures)}
    assert gaps == {Arrivals.APART}  # FFmpeg would suppose 25 a second


async def test_http_that_is_no_camera_is_named() -> None:
    with http_port() as port:
        source = source_for(Address.parse(port.replace("rtsp:", "http:")))
        with pytest.raises(SourceError) as caught:
            await Reading(source).task
    assert caught.value.code == "source_not_a_camera"


async def test_the_loop_goes_on_while_a_camera_does_not_answer() -> None:
    script = Script()
    reading = Reading(script)
    await until(script.hangs.is_set)
    await asyncio.sleep(0)
    assert not script.closed.is_set()
    await reading.stop()
