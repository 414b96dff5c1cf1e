"""A rendezvous, a camera of the wire, and an HTTP client, for what needs no others."""

from collections.abc import AsyncIterator

import aiohttp
import pytest_asyncio

from tests.support.server import Running, running_server
from tests.support.whep_requests import TURN, Camera, camera_of


@pytest_asyncio.fixture
async def running() -> AsyncIterator[Running]:
    """With ICE servers to hand out."""
    async with running_server(**TURN) as server:
        yield server


@pytest_asyncio.fixture
async def camera(running: Running) -> AsyncIterator[Camera]:
    """Holds the room that the helpers mean, and answers."""
    async with camera_of(running) as made:
        yield made


@pytest_asyncio.fixture
async def http(running: Running) -> AsyncIterator[aiohttp.ClientSession]:
    """A player's; paths are relative to the server."""
    async with aiohttp.ClientSession(f"http://{running.origin}") as session:
        yield session
