"""Real sockets on port 0, under asyncio's loop and uvloop's alike."""

import asyncio
from collections.abc import Callable, Mapping

import pytest
import uvloop

LoopFactory = Callable[[], asyncio.AbstractEventLoop]


def pytest_asyncio_loop_factories(
    config: pytest.Config,  # noqa: ARG001  # the hook's signature
    item: pytest.Item,
) -> Mapping[str, LoopFactory]:
    """Both loops, unless a module says that the loop makes no difference to it."""
    if getattr(getattr(item, "module", None), "ONE_LOOP", False):
        return {"uvloop": uvloop.new_event_loop}
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
