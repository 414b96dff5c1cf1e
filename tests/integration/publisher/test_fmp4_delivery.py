"""The fMP4 leg over a real peer connection: everything arrives as it was, and nothing piles up."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from itertools import pairwise
from typing import Any, Literal

import pytest

from publisher.legs import fmp4 as module
from publisher.legs.fmp4 import Fmp4Leg
from publisher.media import bitstream
from publisher.media.encoding import Outlet
from publisher.media.fanout import FanOut
from publisher.media.format import B_FRAMES, Format
from publisher.media.packets import SECOND
from publisher.media.tracks import tracks_of
from publisher.media.units import Unit
from publisher.rtc.channel import MESSAGE_BYTES, ROOM_BYTES
from publisher.supervisor.viewers import Viewers
from rendezvous.wire.messages import Answer, End, EndReason, IcePolicy, Message, Session
from tests.support.channel_viewer import ChannelViewer, Picture, Sound, channel_viewer
from tests.support.films import FPS, Film, film
from tests.support.waiting import until

ONE_LOOP = True  # aiortc's; the rest is the fan-out, which knows of no loop

TICK = 21  # microseconds: one of the sound's clock, the coarser one


class Camera:
    """A fan-out, and the legs of its viewers."""

    def __init__(self) -> None:
        self.fan_out = FanOut()
        self.states: list[str] = []
        self.legs: list[Fmp4Leg] = []
        self._stack = AsyncExitStack()

    def play(self, *units: Unit) -> None:
        """Sends them all at once."""
        for unit in units:
            self.fan_out.publish(unit)

    async def viewer(self, label: str = "media", **options: Any) -> ChannelViewer:
        """One that is connected."""
        leg = Fmp4Leg(self.fan_out, (), IcePolicy.ALL, self.states.append)
        self.legs.append(leg)
        self._stack.push_async_callback(leg.close)
        return await self._stack.enter_async_context(channel_viewer(leg.answer, label, **options))

    async def close(self) -> None:
        """Viewers hang up, legs close."""
        await self._stack.aclose()


@asynccontextmanager
async def camera(media: Format) -> AsyncIterator[Camera]:
    """A camera of this format that sends what a test plays."""
    running = Camera()
    running.fan_out.fragments.use(tracks_of(media))
    try:
        yield running
    finally:
        await running.close()


@pytest.fixture(scope="module")
def clip() -> Film:
    """A second, with a key frame at its beginning only."""
    return film(seconds=1.0, gop=FPS)


def split(playing: Film) -> list[list[bytes]]:
    """The NAL units of its pictures."""
    return [bitstream.split_annex_b(unit.data) for unit in playing.pictures]


async def received(viewer: ChannelViewer, playing: Film) -> None:
    """Waits until the film's last picture and its last sound are there."""

    def there() -> bool:
        samples = viewer.generations[-1].samples() if viewer.generations else []
        dts = [sample.dts for sample in samples if isinstance(sample, Picture)]
        pts = [sample.pts for sample in samples if isinstance(sample, Sound)]
        return ends_with(dts, [picture.dts for picture in playing.pictures]) and (
            not playing.sounds or ends_with(pts, [sound.pts for sound in playing.sounds])
        )

    await until(there)


def ends_with(got: list[float], sent: list[int]) -> bool:
    return bool(got) and abs(got[-1] - sent[-1]) < TICK


async def test_picture_and_sound_arrive_byte_for_byte_on_one_timeline(clip: Film) -> None:
    async with camera(clip.media) as running:
        running.play(*clip.units[:40])
        viewer = await running.viewer()
        await until(lambda: viewer.heard == ["stream", "live"])
        running.play(*clip.units[40:])
        await received(viewer, clip)
        (generation,) = viewer.generations
        pictures, sounds = generation.pictures(), generation.sounds()
    mime = f'video/mp4; codecs="{clip.media.codec_string},mp4a.40.2"'
    assert viewer.said[0] == {"type": "stream", "generation": 1, "mime": mime}
    assert viewer.longest <= MESSAGE_BYTES
    assert [picture.nals for picture in pictures] == split(clip)
    assert [sound.data for sound in sounds] == [frame.data for frame in clip.sounds]
    for picture, unit in zip(pictures, clip.pictures, strict=True):
        assert abs(picture.pts - unit.pts) < TICK
    for sound, frame in zip(sounds, clip.sounds, strict=True):
        assert abs(sound.pts - frame.pts) < TICK


@pytest.mark.parametrize("codec", ["h264", "hevc"])
async def test_b_frames_arrive_with_both_their_times(codec: Literal["h264", "hevc"]) -> None:
    playing = film(seconds=0.5, codec=codec, bframes=2)
    async with camera(playing.media) as running:
        running.play(*playing.units)
        viewer = await running.viewer()
        await received(viewer, playing)
        pictures = viewer.generations[0].pictures()
    assert [picture.nals for picture in pictures] == split(playing)
    for picture, unit in zip(pictures, playing.pictures, strict=True):
        assert abs(picture.pts - unit.pts) < TICK
        assert abs(picture.dts - unit.dts) < TICK


async def test_a_camera_that_changes_its_picture_goes_on_over_the_same_channel(clip: Film) -> None:
    wide = film(seconds=0.5, size=(640, 360), profile="main", sound=False).later(1.0)
    async with camera(clip.media) as running:
        running.play(*clip.units)
        viewer = await running.viewer()
        await received(viewer, clip)
        running.fan_out.fragments.use(tracks_of(wide.media))
        running.play(*wide.units)
        await received(viewer, wide)
        before, after = viewer.generations
        assert viewer.heard == ["stream", "live", "stream", "live"]
        assert viewer.said[2]["generation"] == 2
        assert after.mime == f'video/mp4; codecs="{wide.media.codec_string}"'
        assert [picture.nals for picture in after.pictures()] == split(wide)
        assert after.pictures()[0].dts - before.pictures()[-1].dts < SECOND / 20


async def test_a_stalled_viewer_holds_nothing_up_and_goes_on_at_a_key_frame(clip: Film) -> None:
    async with camera(clip.media) as running:
        running.play(*clip.units)
        slow, quick = await running.viewer(), await running.viewer()
        for viewer in (slow, quick):
            await received(viewer, clip)
        slow.stall()
        for turn in range(1, 20):
            running.play(*clip.later(turn).units)
            await received(quick, clip.later(turn))
        # What aiortc holds for the stalled viewer is bounded by what the channel has room for.
        largest = max(len(unit.data) for unit in clip.pictures)
        channel = running.legs[0].channel
        assert channel is not None
        assert channel.buffered < ROOM_BYTES + largest + MESSAGE_BYTES
        slow.go_on()
        await received(slow, clip.later(19))
        await until(lambda: slow.heard[2:] == ["skipped", "live"])
        missed = slow.said[2]["pictures"]
        pictures = slow.generations[0].pictures()
        assert len(pictures) + missed == 20 * FPS
        gaps = [b for a, b in pairwise(pictures) if b.dts - a.dts > 1.5 * SECOND / FPS]
        assert [picture.key for picture in gaps] == [True]
        assert "skipped" not in quick.heard
        assert running.legs[0].losses == f"{missed} pictures skipped"
        assert running.legs[1].losses == ""


async def test_a_viewer_may_ask_for_everything_again_but_not_all_the_time(
    clip: Film, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REPLAY_SECONDS", 3600.0)
    async with camera(clip.media) as running:
        running.play(*clip.units)
        viewer = await running.viewer()
        await received(viewer, clip)
        for text in (
            '{"type":"replay"}',
            '{"type":"replay"}',
            "nonsense",
            "[" * 9999,
            '{"type":[]}',
        ):
            viewer.channel.send(text)
        viewer.channel.send(b"bytes")
        await until(lambda: viewer.heard == ["stream", "live", "stream", "live"])
        running.play(*clip.later(1).units)
        await received(viewer, clip.later(1))
        assert viewer.heard == ["stream", "live", "stream", "live"]
        assert [g["generation"] for g in viewer.said if g["type"] == "stream"] == [1, 2]
        assert len(viewer.generations[1].pictures()) == 2 * FPS


@pytest.mark.parametrize(
    ("label", "options"),
    [
        ("other", {}),
        ("media", {"protocol": ""}),
        ("media", {"ordered": False}),
        ("media", {"maxRetransmits": 0}),
        ("media", {"maxPacketLifeTime": 100}),
    ],
)
async def test_a_channel_that_is_not_as_agreed_is_closed(
    clip: Film, label: str, options: dict[str, Any]
) -> None:
    async with camera(clip.media) as running:
        running.play(*clip.units)
        viewer = await running.viewer(label, **options)
        await until(lambda: viewer.channel.readyState == "closed")
        assert viewer.said == []


async def test_a_second_channel_is_closed_and_the_first_goes_on(clip: Film) -> None:
    async with camera(clip.media) as running:
        viewer = await running.viewer()
        second = viewer.connection.createDataChannel("media", protocol="porthole.fmp4.v1")
        await until(lambda: second.readyState == "closed")
        running.play(*clip.units)
        await received(viewer, clip)


async def test_the_end_of_the_channel_is_the_end_of_the_leg(clip: Film) -> None:
    async with camera(clip.media) as running:
        running.play(*clip.units)
        viewer = await running.viewer()
        await received(viewer, clip)
        viewer.channel.close()
        await until(lambda: "closed" in running.states)
        assert len(running.fan_out) == 0
        running.play(*clip.later(1).units)


async def test_a_viewer_cannot_pile_up_data_at_the_camera(clip: Film) -> None:
    async with camera(clip.media) as running:
        viewer = await running.viewer()
        viewer.channel.send(b"x" * 60_000)
        await until(lambda: "closed" in running.states)


def session(offer: str) -> Session:
    return Session(session="s" * 22, secret="k" * 22, sdp=offer)


async def test_the_viewer_chooses_the_leg_by_its_offer(clip: Film) -> None:
    rtp, fmp4 = Outlet(), Outlet()
    rtp.media = fmp4.media = clip.media
    sent: list[Message] = []
    viewers = Viewers(rtp, fmp4, sent.append, 4)
    viewers.use_formats()
    for unit in clip.units:
        fmp4.publish(unit)

    async def answering(offer: str) -> str:
        viewers.open(session(offer))
        return str((await until(lambda: [m for m in sent if isinstance(m, Answer)]))[0].sdp)

    try:
        async with channel_viewer(answering) as viewer:
            await received(viewer, clip)
            assert (len(rtp), len(fmp4)) == (0, 1)
    finally:
        await viewers.close()


async def test_a_leg_that_the_camera_does_not_have_is_refused_with_the_cure(clip: Film) -> None:
    rtp, fmp4 = Outlet(), Outlet()
    rtp.media = fmp4.media = replace(clip.media, obstacle=B_FRAMES)
    sent: list[Message] = []
    viewers = Viewers(rtp, fmp4, sent.append, 4)
    viewers.open(session("v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n"))
    (end,) = sent
    assert isinstance(end, End)
    assert (end.reason, len(viewers)) == (EndReason.OFFER_REFUSED, 0)
    assert end.message == f"{B_FRAMES.sentence} {B_FRAMES.cure}"
