"""A camera at one node, a page of another, over one Redis: in a real browser."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.support.browser import page_at
from tests.support.daemon import publisher
from tests.support.player import Player
from tests.support.redis import RedisServer, running_redis
from tests.support.server import Program, running_program


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with running_redis() as server:
        yield server


@pytest_asyncio.fixture(loop_scope="module")
async def nodes(redis: RedisServer) -> AsyncIterator[list[Program]]:
    """Two programs."""
    async with AsyncExitStack() as stack:
        programs = [running_program("--redis", redis.url, state=None) for _ in range(2)]
        yield [await stack.enter_async_context(program) for program in programs]


async def test_a_picture_crosses_nodes_and_outlives_its_cameras_node(
    nodes: list[Program], redis: RedisServer, chromium: Browser, tmp_path: Path
) -> None:
    """It never stops: not without the node, not without Redis; and newcomers join again."""
    servers = ",".join(f"127.0.0.1:{node.port}" for node in nodes)
    words = ("--server", servers, "--room", "MyRoom", "--source", "test:")
    async with publisher("start", *words, state=tmp_path) as daemon:
        link = await daemon.link()
        home, edge = sorted(nodes, key=lambda node: f":{node.port}/" not in link)
        link = link.replace(f":{home.port}/", f":{edge.port}/")
        async with page_at(chromium, link, patient=True) as page:
            player = Player(page)
            await player.live()
            stream = await player.stream()
            home.process.kill()
            await home.process.wait()
            await daemon.says(f"{edge.port}: room claimed")
            redis.stop()
            await player.moves()
            redis.start()
            async with page_at(chromium, link) as newcomer:
                await Player(newcomer).live()
            await player.moves()
            assert await player.stream() == stream
