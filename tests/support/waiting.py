"""Waiting for conditions, never for time.

A deadline is for what never comes: it says nothing of how fast the machine is, so that a test that
passes on an idle one passes on one that is several times slower. How fast the product is, is what
`tests/bench` measures.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

PATIENCE: Final = 60.0  # seconds; only a failure takes so long

_STEP = 0.05  # seconds between two looks at something that cannot call back


async def until(condition: Callable[[], Any], within: float = PATIENCE) -> Any:
    """Waits until the condition, awaited if need be, gives something true, and returns it.

    Raises TimeoutError.
    """
    async with asyncio.timeout(within):
        while True:
            found = condition()
            if isinstance(found, Awaitable):
                found = await found
            if found:
                return found
            await asyncio.sleep(_STEP)
