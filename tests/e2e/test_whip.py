"""WHIP out into Debian's Janus, watched from there in Chromium."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from tests.support import probe
from tests.support.browser import page_at
from tests.support.cameras import rtsp_camera
from tests.support.daemon import Publisher, publisher
from tests.support.janus_whip import TOKEN, JanusWhip, janus_whip
from tests.support.player import Player
from tests.support.server import Program
from tests.support.waiting import until

WITH_TOKEN = {"PUBLISHER_WHIP_TOKEN": TOKEN}


@pytest_asyncio.fixture(loop_scope="module")
async def janus(tmp_path: Path) -> AsyncIterator[JanusWhip]:
    """Debian's Janus with a WHIP front."""
    async with janus_whip(tmp_path / "janus") as front:
        yield front


@asynccontextmanager
async def publishing(
    janus: JanusWhip, source: str, state: Path, *words: str
) -> AsyncIterator[Publisher]:
    """A publisher that sends the source to Janus."""
    flags = ("start", "--whip", janus.url, "--source", source, *words)
    async with publisher(*flags, state=state, environ=WITH_TOKEN) as camera:
        await until(janus.publishers)
        yield camera


async def test_a_camera_is_watched_through_janus(
    janus: JanusWhip, chromium: Browser, tmp_path: Path
) -> None:
    with rtsp_camera("plain") as source:
        async with (
            publishing(janus, source.url, tmp_path) as camera,
            page_at(chromium, janus.origin) as page,
        ):
            await probe.live(page, "video", count=60)
            await probe.tone(page, "video")
            assert "Watch:" not in camera.terminal


@pytest.mark.parametrize(
    ("variant", "sounds"), [("high", True), ("g711", True), ("g711-mu", True), ("no-audio", False)]
)
async def test_every_kind_of_camera_is_watched_through_janus(
    variant: str, *, sounds: bool, janus: JanusWhip, chromium: Browser, tmp_path: Path
) -> None:
    with rtsp_camera(variant) as source:
        async with (
            publishing(janus, source.url, tmp_path),
            page_at(chromium, janus.origin) as page,
        ):
            await probe.live(page, "video")
            if sounds:
                await probe.tone(page, "video")


async def test_what_janus_hands_on_is_what_the_camera_made(
    janus: JanusWhip, chromium: Browser, tmp_path: Path
) -> None:
    with rtsp_camera("plain") as source:
        async with (
            publishing(janus, source.url, tmp_path),
            page_at(chromium, janus.origin, encoded=True) as page,
        ):
            await until(lambda: _received(page, 90))
            received = await probe.received_units(page)
            sent = {unit.nals for unit in source.records()}
    assert [unit for unit in received if unit not in sent] == []


async def _received(page: Page, count: int) -> bool:
    return len(await probe.received_units(page)) >= count


async def test_a_stop_deletes_the_session_at_janus(janus: JanusWhip, tmp_path: Path) -> None:
    async with publishing(janus, "test:?size=640x360", tmp_path) as camera:
        assert await camera.stop() == 0
        assert janus.methods == ["POST", "DELETE"]
        await until(lambda: _is_empty(janus))
        assert TOKEN not in camera.terminal


async def _is_empty(janus: JanusWhip) -> bool:
    return await janus.publishers() == []


async def test_a_room_and_janus_have_the_same_stream(
    rendezvous: Program, janus: JanusWhip, chromium: Browser, tmp_path: Path
) -> None:
    words = ("--server", f"{rendezvous.host}:{rendezvous.port}")
    async with (
        publishing(janus, "test:?size=640x360", tmp_path, *words) as camera,
        page_at(chromium, await camera.link()) as room,
        page_at(chromium, janus.origin) as page,
    ):
        await Player(room).live()
        await probe.live(page, "video")


async def test_a_stream_that_janus_has_lost_is_published_again(
    janus: JanusWhip, tmp_path: Path
) -> None:
    async with publishing(janus, "test:?size=640x360", tmp_path):
        (handle,) = janus.handles.values()
        await handle.destroy()
        await until(lambda: janus.methods.count("POST") >= 2)
        await until(janus.publishers)
