"""A whole session on the fMP4 leg: a real RTSP camera, a real rendezvous, a comparing viewer."""

import asyncio
import io
import math
import statistics
from array import array
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from hashlib import sha256
from itertools import islice, pairwise
from pathlib import Path
from typing import Any, TypeVar

import av
import pytest

from publisher.identity import Keyring
from publisher.media import hevc
from publisher.signalling.claiming import Room
from publisher.signalling.connection import ServerAddress
from publisher.sources.address import Address
from publisher.sources.catalog import source_for
from publisher.sources.pattern import FLASH_HZ, SAMPLE_RATE, read
from publisher.supervisor.camera import Camera
from publisher.supervisor.room import Place
from rendezvous.wire.messages import Answer, Offer, Source, SourceState
from tests.support import peers
from tests.support.cameras import RtspCamera, rtsp_camera
from tests.support.channel_viewer import ChannelViewer, Generation, channel_viewer
from tests.support.server import Running, running_server
from tests.support.waiting import PATIENCE, until

ONE_LOOP = True  # signalling and sources are tested on both elsewhere
ROOM, SECRET = "Yard", peers.VIEWER_SECRET

M = TypeVar("M")

pytestmark = pytest.mark.usefixtures("never_overtaken")


@asynccontextmanager
async def published(url: str, state: Path) -> AsyncIterator[Running]:
    """A rendezvous, and a publisher of that camera that has its room there."""
    claimed = asyncio.Event()
    async with running_server() as server:
        address = ServerAddress(server.host, server.port, tls=False)
        place = Place((address,), None, Keyring(state).camera_key(), Room(ROOM, "", SECRET))
        source = source_for(Address.parse(url), rtsp_transport="tcp")
        task = asyncio.create_task(
            Camera(
                source,
                place,
                None,
                most_viewers=4,
                keep_alive=True,
                on_claimed=lambda _: claimed.set(),
            ).run()
        )
        try:
            await asyncio.wait_for(claimed.wait(), PATIENCE)
            yield server
        finally:
            task.cancel()
            await asyncio.wait([task])


@asynccontextmanager
async def watching(server: Running) -> AsyncIterator[tuple[ChannelViewer, Source]]:
    """A viewer of the camera, as soon as it is live."""
    async with peers.connect(server.host, server.port, transport="ws") as peer:
        joined = await peers.joined(peer, ROOM, SECRET)
        source = joined.source
        while source.state != SourceState.LIVE:
            source = await next_of(peer, Source)

        async def answering(offer: str) -> str:
            await peer.send(Offer(session=joined.session, sdp=offer, trickle=False))
            return (await next_of(peer, Answer)).sdp

        async with channel_viewer(answering) as viewer:
            yield viewer, source


async def next_of(peer: peers.Peer, kind: type[M]) -> M:
    """The next message of the kind; others are passed over."""
    while not isinstance(message := await peer.receive(), kind):
        pass
    return message


def assert_sent(generation: Generation, camera: RtspCamera) -> None:
    """Each picture and each sound is one that the camera sent, and none between is missing."""
    # H.265's payloader repeats the parameter sets behind the recorder's back.
    repeated = hevc.PARAMETER_SETS if camera.variant == "h265" else ()
    pictures = [digests(picture.nals, repeated) for picture in generation.pictures()]
    sent = [tuple(n.sha256 for n in u.nals if n.kind not in repeated) for u in camera.records()]
    assert_part(pictures, sent)
    assert_part([sha256(s.data).hexdigest() for s in generation.sounds()], camera.sounds())


def digests(nals: list[bytes], without: tuple[int, ...]) -> tuple[str, ...]:
    return tuple(sha256(nal).hexdigest() for nal in nals if hevc.nal_type(nal) not in without)


def assert_part(got: Sequence[object], sent: Sequence[object]) -> None:
    """At any place: the frames of a steady tone are often the same."""
    assert got
    begins = [begin for begin, one in enumerate(sent) if one == got[0]]
    assert any(got == sent[begin : begin + len(got)] for begin in begins)


@pytest.mark.parametrize(
    ("variant", "code", "picture"),
    [
        ("plain", None, "avc1.42"),
        ("b-frames", "b_frames", "avc1.64"),
        ("h265", "codec_h265", "hvc1.1."),
    ],
)
async def test_what_arrives_is_what_the_camera_sent(
    variant: str, code: str | None, picture: str, tmp_path: Path
) -> None:
    with rtsp_camera(variant) as camera:
        async with published(camera.url, tmp_path) as server, watching(server) as (viewer, source):
            assert source.code == code
            assert "fmp4" in source.legs
            await until(lambda: viewer.generations and len(viewer.generations[-1].data) > 200_000)
            await until(lambda: "live" in viewer.heard)
            generation = viewer.generations[-1]
            assert generation.mime.startswith(f'video/mp4; codecs="{picture}')
            assert generation.mime.endswith(',mp4a.40.2"')
            assert_sent(generation, camera)


async def test_sound_and_picture_are_in_step(tmp_path: Path) -> None:
    """The second in which the tone jumps is the one that the time code has at that time."""
    with rtsp_camera() as camera:
        async with published(camera.url, tmp_path) as server, watching(server) as (viewer, _):
            await until(lambda: viewer.generations and len(viewer.generations[-1].sounds()) > 80)
    data = viewer.generations[-1].data
    with av.open(io.BytesIO(data), "r", format="mp4") as file:
        lag = statistics.median(map(_behind_time_code, file.decode(video=0)))
    with av.open(io.BytesIO(data), "r", format="mp4") as file:
        jump = _jump(file.decode(audio=0))
    stray = (jump - lag) % 1.0  # from a full second
    assert min(stray, 1.0 - stray) < 0.05


def _behind_time_code(frame: Any) -> float:
    """Seconds from the time that is drawn to the time of showing."""
    plane = frame.planes[0]
    code = read(bytes(plane), plane.line_size, frame.width, frame.height)
    return frame.time - code.unix_ms / 1000 if code else math.nan


def _jump(frames: Iterable[Any]) -> float:
    """When the tone jumps up, in seconds of its times, on 5 ms."""
    window = SAMPLE_RATE // 200
    before = math.inf
    for frame in islice(frames, 2, None):  # the first ones are a decoder's beginning, and no tone
        samples = array("f", bytes(frame.planes[0])[: 4 * frame.samples])
        for begin in range(0, len(samples) - window, window):
            part = samples[begin : begin + window]
            waves = sum(a < 0 <= b for a, b in pairwise(part))
            if waves >= FLASH_HZ // 250 > before:  # all but one
                return float(frame.time + begin / SAMPLE_RATE)
            before = waves
    raise AssertionError("the tone never jumped")


async def test_a_camera_that_comes_back_as_another_goes_on_over_the_same_channel(
    tmp_path: Path,
) -> None:
    with rtsp_camera() as camera:
        async with published(camera.url, tmp_path) as server, watching(server) as (viewer, _):
            await until(lambda: "live" in viewer.heard)
            camera.stop()
            camera.variant = "high"
            camera.start()
            await until(
                lambda: viewer.said[-1] == {"type": "live"} and viewer.heard.count("live") > 1
            )
            await until(lambda: len(viewer.generations[-1].data) > 100_000)
            before, after = viewer.generations
            assert after.mime.startswith('video/mp4; codecs="avc1.64')
            assert_sent(after, camera)
            assert after.pictures()[0].pts > before.pictures()[-1].pts
