"""`make demo` is what a newcomer sees first: one line, and behind it the right picture."""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page

from tests.support import probe
from tests.support.browser import page_at
from tests.support.cameras import rtsp_camera
from tests.support.player import Player
from tests.support.ports import free_port
from tests.support.waiting import PATIENCE, until

DEMO = str(Path(__file__).parents[2] / "deploy/demo.py")
RATE = 25  # pictures a second


@asynccontextmanager
async def demo(*words: str, state: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """The program behind `make demo`."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, DEMO, "--state", str(state), *words),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def link_of(process: asyncio.subprocess.Process) -> str:
    """The one line that it prints."""
    assert process.stdout
    line = (await asyncio.wait_for(process.stdout.readline(), PATIENCE)).decode()
    assert line.startswith("Watch: http://")
    return line.removeprefix("Watch: ").strip()


@pytest.mark.alone
async def test_the_demo_shows_a_moving_picture_and_sounds_its_tone(
    chromium: Browser, tmp_path: Path
) -> None:
    async with demo("--port", str(free_port()), state=tmp_path) as process:
        async with page_at(chromium, await link_of(process)) as page:
            await Player(page).live()
            await until(lambda: _fluent(page))
            await probe.tone(page)
        process.terminate()
        assert process.stdout
        assert await process.stdout.read() == b""  # it was one line


async def _fluent(page: Page) -> bool:
    """Two seconds of it; what else the machine does may take some from others."""
    return (await probe.live(page, count=60)).rate >= RATE


async def test_the_demo_shows_a_camera_of_one_s_own(chromium: Browser, tmp_path: Path) -> None:
    with rtsp_camera("plain") as camera:
        words = ("--port", str(free_port()), "--source", camera.url)
        async with (
            demo(*words, state=tmp_path) as process,
            page_at(chromium, await link_of(process)) as page,
        ):
            await Player(page).live()
            await probe.live(page)


async def test_the_demo_says_when_its_port_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("0.0.0.0", 0)) as taken:
        async with demo("--port", str(taken.getsockname()[1]), state=tmp_path) as process:
            _, errors = await asyncio.wait_for(process.communicate(), PATIENCE)
    assert process.returncode == 69
    assert b"already in use" in errors
    assert b"Traceback" not in errors
