"""UDP sockets that are never left behind."""

import asyncio
from collections.abc import Callable
from typing import Any

_Opened = tuple[asyncio.DatagramTransport, Any]


async def open_datagrams(factory: Callable[[], Any], **where: Any) -> _Opened:
    """As the loop's ``create_datagram_endpoint``, whose ``where`` this is; raises OSError.

    In uvloop that leaves its socket open for good when whoever waits for it is cancelled.
    """
    loop = asyncio.get_running_loop()
    opening = asyncio.create_task(loop.create_datagram_endpoint(factory, **where))
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(_close)
        raise


def _close(opening: asyncio.Task[_Opened]) -> None:
    if not opening.cancelled() and not opening.exception():
        transport, _ = opening.result()
        transport.close()
