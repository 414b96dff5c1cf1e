"""Waiting for conditions, never for time."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

_STEP = 0.05  # seconds between two looks at something that cannot call back


async def until(condition: Callable[[], Any], within: float = 10.0) -> Any:
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
