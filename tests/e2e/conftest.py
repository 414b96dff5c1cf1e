"""What the end-to-end tests stand on: the real programs and a real browser."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.support.browser import browser
from tests.support.clips import record
from tests.support.server import Program, running_program


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tests of a module share a loop, for they share a browser."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.asyncio(loop_scope="module"), append=False)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium() -> AsyncIterator[Browser]:
    """Debian's Chromium; pages may sound before anybody touched them.

    Each test is a visitor of its own there.
    """
    async with browser(autoplay=True) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def rendezvous(tmp_path: Path) -> AsyncIterator[Program]:
    """The real program on a free port."""
    async with running_program(state=tmp_path / "rendezvous.sqlite") as program:
        yield program


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """One second of the test camera in an mp4."""
    return record(tmp_path / "clip.mp4")
