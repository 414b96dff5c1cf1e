"""A camera that no browser plays is encoded once for all viewers, and only while they watch."""

import asyncio
import io
from contextlib import AsyncExitStack
from hashlib import sha256
from pathlib import Path

import av
import pytest

from publisher.sources.pattern import read
from tests.integration.publisher import test_fmp4_session as fmp4
from tests.support.cameras import rtsp_camera
from tests.support.daemon import publisher
from tests.support.light_viewer import Link, watching
from tests.support.server import running_program
from tests.support.waiting import until

ONE_LOOP = True  # the publisher is a process with a loop of its own
VIEWERS = 8
pytestmark = pytest.mark.usefixtures("never_overtaken")
STARTED = "encoding to H.264 because somebody watches"


async def test_eight_viewers_share_one_encoder_which_ends_with_the_last(tmp_path: Path) -> None:
    with rtsp_camera("mjpeg") as camera:
        async with (
            running_program(state=tmp_path / "rendezvous.sqlite") as rendezvous,
            publisher(
                "start",
                f"--server={rendezvous.host}:{rendezvous.port}",
                f"--source={camera.url}",
                state=tmp_path,
            ) as terminal,
        ):
            link = Link.parse(await terminal.link())
            await terminal.says("live: H.264 .from Motion JPEG")
            assert STARTED not in terminal.terminal
            async with AsyncExitStack() as stack:
                joining = (stack.enter_async_context(watching(link)) for _ in range(VIEWERS))
                viewers = await asyncio.gather(*joining)
                await asyncio.gather(*(viewer.packets(100) for viewer in viewers))
                await terminal.says(STARTED)
                assert terminal.terminal.count(STARTED) == 1
                assert "the encoder has ended" not in terminal.terminal
            ended = await terminal.says("the encoder has ended. It took .* of a core for")
            assert "0 were broken" in ended
            async with watching(link) as late:  # and begins anew for whoever comes later
                await late.packets(50)
            await until(lambda: terminal.terminal.count(STARTED) == 2)


async def test_a_viewer_of_the_fmp4_leg_gets_the_encoder_s_picture_and_the_camera_s_own_sound(
    tmp_path: Path,
) -> None:
    with rtsp_camera("mjpeg") as camera:
        async with (
            fmp4.published(camera.url, tmp_path) as server,
            fmp4.watching(server) as (viewer, source),
        ):
            assert source.code is None
            await until(lambda: viewer.generations and len(viewer.generations[-1].data) > 60_000)
        generation = viewer.generations[-1]
        sounds = [sha256(sound.data).hexdigest() for sound in generation.sounds()]
        fmp4.assert_part(sounds, camera.sounds())
    assert generation.mime.startswith('video/mp4; codecs="avc1.42c0')
    with av.open(io.BytesIO(bytes(generation.data)), "r", format="mp4") as file:
        codes = [_code(frame) for frame in file.decode(video=0)]
    assert len(codes) > 5
    assert codes == sorted(codes)


def _code(frame: av.VideoFrame) -> int:
    """The number that is drawn into a picture."""
    plane = frame.planes[0]
    code = read(bytes(plane), plane.line_size, frame.width, frame.height)
    assert code
    return code.frame
