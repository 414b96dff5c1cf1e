"""Reads on the event loop what a thread has opened."""

import asyncio
from collections.abc import Callable
from typing import Final

from publisher.media.format import Format
from publisher.media.units import Unit
from publisher.sources.reading import Reading

LOOK_SECONDS: Final = 1.0  # between looks at a camera that may be silent


class Watch:
    """Waits for one reading's socket; ``end`` is told why it is over."""

    def __init__(
        self, on_item: Callable[[Unit | Format], None], end: Callable[[BaseException], None]
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._on_item = on_item
        self._end = end
        self._reading: Reading | None = None
        self._descriptor = -1
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    def begin(self, reading: Reading, descriptor: int) -> None:
        """Takes the reading over, and closes it whatever happens."""
        if self._closed:
            reading.close()
            return
        self._reading, self._descriptor = reading, descriptor
        self._loop.add_reader(descriptor, self._take)
        self._look()

    def close(self) -> None:
        """Ends it; idempotent."""
        self._closed = True
        if self._timer:
            self._timer.cancel()
        reading, self._reading = self._reading, None
        if reading:
            self._loop.remove_reader(self._descriptor)
            reading.close()

    def _look(self) -> None:
        self._timer = self._loop.call_later(LOOK_SECONDS, self._look)
        self._take()

    def _take(self) -> None:
        if self._reading is None:
            return
        try:
            for item in self._reading.take():
                self._on_item(item)
        except Exception as error:  # noqa: BLE001  # it ends the reading, for the supervisor
            self.close()
            self._end(error)
