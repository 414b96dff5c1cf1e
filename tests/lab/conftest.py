"""The laboratory's tests share one and need root; where it cannot be, each says what is missing."""

import functools
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.support.lab import namespaces
from tests.support.lab.lab import laboratory
from tests.support.lab.stage import Camera, Stage, stage

ONE_LOOP = True  # namespaces, programs and the browser are the same on both


@functools.cache
def _obstacle() -> str:
    lacking = namespaces.missing()
    return f"NOT TESTED: real networks. The laboratory needs {lacking}." if lacking else ""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """They need namespaces."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and _obstacle():
            item.add_marker(pytest.mark.skip(reason=_obstacle()))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scene(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """Rendezvous, two TURN servers and a browser for the tests of a module."""
    folder = tmp_path_factory.mktemp("lab")
    async with laboratory() as lab, stage(lab, folder, turns=2) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def camera(scene: Stage) -> AsyncIterator[Camera]:
    """The tests of a module share it: each start takes longer than many a test."""
    made = Camera(scene)
    yield made
    await made.stop()
