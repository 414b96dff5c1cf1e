"""What passes goes straight to both outlets; what does not, through one encoder, on demand."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from publisher.errors import UnplayableError
from publisher.media.assembly import Assembler
from publisher.media.encoder import LIBX264, Encoder, Shape
from publisher.media.encoding import Outlet
from publisher.media.format import B_FRAMES, Format
from publisher.media.outlets import Outlets, Transcode
from publisher.media.transcoder import Transcoder
from publisher.media.units import AacFrame, AccessUnit, AudioBlock
from tests.support.waiting import PATIENCE, until
from tests.unit.publisher.test_conversion import FRAME, SIZE, jpegs, picture, source

H264 = Format("42c01f", "opus", (), parameter_sets=(b"\x67", b"\x68"))
B = replace(H264, reordered=True, obstacle=B_FRAMES)
SOUND = (AudioBlock(b"opus", 0, 48_000), AacFrame(b"aac", 0))


class Viewer:
    """A subscriber that keeps what it gets, on a path of a known width."""

    def __init__(self, estimate: int | None = None) -> None:
        self.estimate = estimate
        self.pictures: list[AccessUnit] = []
        self.sounds: list[AudioBlock | AacFrame] = []

    def put_video(self, unit: AccessUnit) -> None:
        self.pictures.append(unit)

    def put_audio(self, block: AudioBlock) -> None:
        self.sounds.append(block)

    def put_aac(self, frame: AacFrame) -> None:
        self.sounds.append(frame)

    def fail(self) -> None:
        raise AssertionError


class Camera:
    """Outlets, and a Motion JPEG camera at them."""

    def __init__(self, transcode: Transcode = Transcode.AUTO) -> None:
        self.told: list[tuple[Format | None, Format | None]] = []
        self.outlets = Outlets("camera:", transcode, self._tell)
        self._jpegs: Iterator[AccessUnit] = jpegs(range(10_000))

    def _tell(self) -> None:
        self.told.append((self.outlets.rtp.media, self.outlets.fmp4.media))

    def shoot(self) -> None:
        """One more picture."""
        self.outlets.publish(next(self._jpegs))

    async def until_sees(self, viewer: Viewer, count: int) -> None:
        """Goes on taking pictures until the viewer has seen so many."""
        while len(viewer.pictures) < count:
            self.shoot()
            await asyncio.sleep(0.005)

    @property
    def encodes(self) -> bool:
        return self.outlets._encoding is not None


@asynccontextmanager
async def motion_jpeg() -> AsyncIterator[Camera]:
    camera = Camera()
    camera.outlets.use(source())
    try:
        yield camera
    finally:
        camera.outlets.clear()


def subscribed(outlet: Outlet, estimate: int | None = None) -> Viewer:
    viewer = Viewer(estimate)
    outlet.subscribe(viewer)
    return viewer


def unit(number: int) -> AccessUnit:
    return AccessUnit(b"\0\0\0\1\x65", number, number, key=True)


def test_h264_goes_straight_to_both() -> None:
    camera = Camera()
    camera.outlets.use(H264)
    rtp, fmp4 = subscribed(camera.outlets.rtp), subscribed(camera.outlets.fmp4)
    for one in (unit(1), *SOUND):
        camera.outlets.publish(one)
    assert rtp.pictures == fmp4.pictures == [unit(1)]
    assert rtp.sounds == fmp4.sounds == list(SOUND)
    assert camera.told == [(H264, H264)]
    assert not camera.encodes


def test_b_frames_go_to_fmp4_only_unless_they_are_to_be_encoded() -> None:
    camera = Camera()
    camera.outlets.use(B)
    rtp, fmp4 = subscribed(camera.outlets.rtp), subscribed(camera.outlets.fmp4)
    camera.outlets.publish(unit(1))
    assert (len(rtp.pictures), len(fmp4.pictures)) == (0, 1)
    assert camera.told == [(B, B)]


async def test_b_frames_that_are_to_be_encoded_have_no_obstacle_over_rtp() -> None:
    camera = Camera(Transcode.ALWAYS)
    camera.outlets.use(B)
    ((rtp, fmp4),) = camera.told
    assert rtp
    assert rtp.obstacle is None
    assert fmp4 == B


def test_an_encoder_keeps_nothing_of_what_it_had_to_catch_up_with() -> None:
    caught_up = threading.Event()
    camera = jpegs(range(3))
    made = Transcoder("camera:", source(), [next(camera)], lambda _: caught_up.set(), lambda: None)
    made.start()
    made.put(next(camera))
    assert caught_up.wait(PATIENCE)
    assert not made._backlog
    made.close()


async def test_a_viewer_in_the_middle_of_a_long_gop_waits_for_no_key_frame_of_the_camera() -> None:
    camera = Camera(Transcode.ALWAYS)
    camera.outlets.use(B)
    units = long_gop(40)
    for one in units[:20]:
        camera.outlets.publish(one)
    viewer = subscribed(camera.outlets.rtp)
    for one in units[20:]:
        camera.outlets.publish(one)
        await asyncio.sleep(0.01)
    await until(lambda: viewer.pictures)
    camera.outlets.clear()
    assert viewer.pictures[0].key
    assert viewer.pictures[0].pts > units[19].pts


def long_gop(count: int) -> list[AccessUnit]:
    """Pictures of a camera whose first one only is a key frame."""
    encoder = Encoder(LIBX264, Shape(*SIZE, 30.0, 500_000, 1000), 500_000)
    assembler = Assembler("h264", encoder.extradata)
    units = []
    for number in range(count):
        for coded in encoder.encode(picture(number), number * FRAME):
            assembled = assembler.take(coded.data)
            assert assembled
            units.append(AccessUnit(assembled.data, coded.pts, coded.pts, assembled.key))
    return units


def test_motion_jpeg_that_may_not_be_encoded_is_unplayable() -> None:
    camera = Camera(Transcode.NEVER)
    with pytest.raises(UnplayableError) as caught:
        camera.outlets.use(source())
    assert caught.value.code == "codec_unsupported"
    assert "transcode" in caught.value.cure


async def test_nothing_is_encoded_while_nobody_watches() -> None:
    async with motion_jpeg() as camera:
        for _ in range(5):
            camera.shoot()
        assert not camera.encodes
        ((rtp, fmp4),) = camera.told
        assert rtp == fmp4
        assert rtp
        assert (rtp.video_codec, rtp.profile_level_id, rtp.obstacle) == ("h264", "42e01f", None)


async def test_both_kinds_of_leg_get_the_same_pictures_of_one_encoder() -> None:
    async with motion_jpeg() as camera:
        rtp = subscribed(camera.outlets.rtp)
        await camera.until_sees(rtp, 1)
        encoding = camera.outlets._encoding
        fmp4 = subscribed(camera.outlets.fmp4)
        await camera.until_sees(fmp4, 10)
        assert camera.outlets._encoding is encoding
        assert rtp.pictures[0].key
        assert fmp4.pictures[0] is rtp.pictures[0]  # the current GOP, from its beginning
        assert camera.told[-1][0] == camera.outlets.fmp4.media
        media = camera.outlets.rtp.media
        assert media
        assert (media.width, media.height) == SIZE
        assert media.parameter_sets


async def test_the_encoder_ends_with_the_last_viewer_and_nobody_sees_its_old_pictures() -> None:
    async with motion_jpeg() as camera:
        viewer = subscribed(camera.outlets.rtp)
        await camera.until_sees(viewer, 5)
        camera.outlets.rtp.unsubscribe(viewer)
        camera.shoot()
        assert not camera.encodes
        assert camera.outlets.rtp.key_frame_source is None
        late = subscribed(camera.outlets.rtp)
        assert late.pictures == []
        await camera.until_sees(late, 1)
        assert late.pictures[0].key
        assert late.pictures[0].pts > viewer.pictures[-1].pts


async def test_a_viewer_that_lost_the_picture_gets_a_key_frame_soon() -> None:
    async with motion_jpeg() as camera:
        viewer = subscribed(camera.outlets.rtp)
        await camera.until_sees(viewer, 3)
        encoding = camera.outlets._encoding
        assert encoding
        encoding._asked = float("-inf")  # long ago
        assert camera.outlets.rtp.request_key_frame()
        await camera.until_sees(viewer, 8)
        assert any(one.key for one in viewer.pictures[3:])


async def test_requests_in_a_row_bring_one_key_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("publisher.media.encoding._KEY_FRAME_SECONDS", 3600.0)
    async with motion_jpeg() as camera:
        viewer = subscribed(camera.outlets.rtp)
        await camera.until_sees(viewer, 3)
        encoding = camera.outlets._encoding
        assert encoding
        encoding._asked = float("-inf")  # long ago
        for _ in range(6):
            assert camera.outlets.rtp.request_key_frame()
            await camera.until_sees(viewer, len(viewer.pictures) + 1)
        assert sum(one.key for one in viewer.pictures) == 2


async def test_the_bit_rate_follows_the_slowest_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("publisher.media.encoding._ADAPT_SECONDS", 0.02)
    async with motion_jpeg() as camera:
        viewer = subscribed(camera.outlets.rtp, estimate=90_000)
        subscribed(camera.outlets.rtp, estimate=9_000_000)
        await camera.until_sees(viewer, 30)
        encoding = camera.outlets._encoding
        assert encoding
        assert encoding._bit_rate
        assert encoding._bit_rate.value < encoding._bit_rate.most
        assert encoding._transcoder._conversion.bit_rate == encoding._bit_rate.value


async def test_a_camera_that_is_lost_ends_the_encoder_and_its_pictures() -> None:
    async with motion_jpeg() as camera:
        viewer = subscribed(camera.outlets.rtp)
        await camera.until_sees(viewer, 3)
        camera.outlets.clear()
        assert not camera.encodes
        assert camera.outlets.rtp.gop.units() == ()
        await camera.until_sees(viewer, 6)  # it is back


async def test_an_encoder_that_fails_is_tried_again_later(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ValueError("no such decoder")

    monkeypatch.setattr("publisher.media.conversion.Decoder", fail)
    async with motion_jpeg() as camera:
        subscribed(camera.outlets.rtp)
        camera.shoot()
        assert not camera.encodes
        monkeypatch.undo()
        camera.shoot()
        assert not camera.encodes
        camera.outlets._retry_at = 0.0
        camera.shoot()
        assert camera.encodes
