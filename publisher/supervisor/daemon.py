"""Several cameras in one process: started together, stopped together, failing one by one."""

import asyncio
import logging
import signal
from collections.abc import Sequence

from publisher.errors import SignallingError
from publisher.supervisor.camera import Camera
from publisher.supervisor.network import NetworkWatch

logger = logging.getLogger(__name__)


async def run(cameras: Sequence[Camera]) -> None:
    """Runs until SIGTERM or SIGINT, or until no camera has a room any more.

    Raises the last one's SignallingError in that case.
    """
    running = {asyncio.create_task(camera.run()) for camera in cameras}
    _stop_on_signals(running)
    watching = asyncio.create_task(_watch_network(cameras))
    try:
        while running:
            done, left = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            running &= left  # the set that the signal handler holds
            for task in done:
                _report(task, others=len(running))
    finally:
        watching.cancel()


async def _watch_network(cameras: Sequence[Camera]) -> None:
    def changed() -> None:
        for camera in cameras:
            camera.network_changed()

    await NetworkWatch(changed).run()


def _stop_on_signals(tasks: set[asyncio.Task[None]]) -> None:
    def stop() -> None:
        for task in tasks:
            task.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)


def _report(task: asyncio.Task[None], *, others: int) -> None:
    """One camera has ended; raises its error when it was the last one."""
    error = None if task.cancelled() else task.exception()
    if error is None:
        return
    if not others or not isinstance(error, SignallingError):
        raise error
    logger.error("[%s] %s The other cameras go on.", error.code, error)
