"""A camera that no browser plays is encoded once for all viewers, and only while they watch."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

from tests.support.cameras import rtsp_camera
from tests.support.daemon import publisher
from tests.support.light_viewer import Link, watching
from tests.support.server import running_program

ONE_LOOP = True  # the publisher is a process with a loop of its own
VIEWERS = 8
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
                assert terminal.terminal.count(STARTED) == 1
                assert "the encoder has ended" not in terminal.terminal
            ended = await terminal.says("the encoder has ended. It took .* of a core for")
            assert "0 were broken" in ended
            async with watching(link) as late:  # and begins anew for whoever comes later
                await late.packets(50)
            assert terminal.terminal.count(STARTED) == 2
