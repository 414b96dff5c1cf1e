"""Several cameras in one process: started together, stopped together, failing one by one."""

import asyncio
import logging
import signal
from collections.abc import Sequence

from publisher.errors import SignallingError
from publisher.supervisor.camera import Camera

logger = logging.getLogger(__name__)


async def run(cameras: Sequence[Camera]) -> None:
    """Runs until SIGTERM or SIGINT, or until no camera has a room any more.

    Raises the last SignallingError in that case.
    """
    tasks = {asyncio.create_task(camera.run()) for camera in cameras}
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _stop, tasks)
    failure: SignallingError | None = None
    while tasks:
        done, tasks_left = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        tasks &= tasks_left
        for task in done:
            failure = _outcome(task, others=len(tasks)) or failure
    if failure:
        raise failure


def _stop(tasks: set[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()


def _outcome(task: asyncio.Task[None], *, others: int) -> SignallingError | None:
    if task.cancelled():
        return None
    error = task.exception()
    if isinstance(error, SignallingError):
        if others:
            logger.error("[%s] %s The other cameras go on.", error.code, error)
        return error
    if error:
        raise error
    return None
