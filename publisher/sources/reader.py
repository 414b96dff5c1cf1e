"""Reads one camera and prepares every unit once.

A thread opens it. What can be watched is read by the event loop from then on, because waking
another thread for each picture costs more than the picture; all else by the thread. Then neither
waits for the other: between them is a bounded queue, and a loop that cannot keep up loses pictures
up to the next IDR, counted.
"""

import asyncio
import contextlib
import functools
import threading
from collections import deque
from collections.abc import Callable

from publisher.errors import SourceError
from publisher.media.format import Format
from publisher.media.timeline import Timeline
from publisher.media.units import AccessUnit, Unit
from publisher.sources.reading import Reading
from publisher.sources.source import OpenSource, Source
from publisher.sources.watch import Watch

HANDOFF_UNITS = 400  # about four seconds of a camera with sound


async def read(
    source: Source,
    timeline: Timeline,
    *,
    on_format: Callable[[Format], None],
    on_unit: Callable[[Unit], None],
) -> None:
    """Reads the source until it ends; both callbacks run on the event loop.

    ``on_format`` comes before the first unit, and again whenever the format changes. Raises
    SourceError or UnplayableError. Cancelling returns at once; the thread then ends by itself.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def end(error: BaseException) -> None:
        if not done.done():
            done.set_exception(error)

    handoff = _Handoff(loop, on_format, on_unit, end)
    watch = Watch(handoff.hand_over, end)
    thread = _ReaderThread(source, timeline, handoff, watch, end)
    thread.start()
    try:
        await done
    finally:
        handoff.close()
        thread.interrupt()
        watch.close()


class _Handoff:
    """A bounded queue from the reader thread to the loop, with one wake-up for many units."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        on_format: Callable[[Format], None],
        on_unit: Callable[[Unit], None],
        on_defect: Callable[[BaseException], None],
    ) -> None:
        self._loop = loop
        self._on_format = on_format
        self._on_unit = on_unit
        self._on_defect = on_defect
        self._items: deque[Unit | Format] = deque()
        self._gated = False
        self._closed = False
        self.dropped = 0

    def close(self) -> None:
        """Nothing is handed over any more: another reading may have begun."""
        self._closed = True

    def put(self, item: Unit | Format) -> None:
        """For the reader thread. Raises RuntimeError when the loop is gone."""
        if self._closed:
            return
        if self._must_drop(item):
            self.dropped += 1
            return
        self._items.append(item)
        if len(self._items) == 1:
            self.call(self._drain)

    def call(self, callback: Callable[[], object]) -> None:
        """Runs the callback on the loop."""
        self._loop.call_soon_threadsafe(callback)

    def _must_drop(self, item: Unit | Format) -> bool:
        if isinstance(item, Format):
            return False
        full = len(self._items) >= HANDOFF_UNITS
        if isinstance(item, AccessUnit):
            self._gated = full or (self._gated and not item.key)
            return self._gated
        return full

    def _drain(self) -> None:
        # The thread wakes the loop only for the first item of an empty queue, so the last item
        # leaves the queue after it was handled, never before.
        while self._items and not self._closed:
            try:
                self.hand_over(self._items[0])
            except Exception as defect:  # noqa: BLE001  # it ends the reading, for the supervisor
                self.close()
                self._on_defect(defect)
            self._items.popleft()

    def hand_over(self, item: Unit | Format) -> None:
        """For the loop."""
        if isinstance(item, Format):
            self._on_format(item)
        else:
            self._on_unit(item)


class _ReaderThread(threading.Thread):
    def __init__(
        self,
        source: Source,
        timeline: Timeline,
        handoff: _Handoff,
        watch: Watch,
        end: Callable[[BaseException], None],
    ) -> None:
        super().__init__(name=f"reader of {source.name}", daemon=True)
        self._source = source
        self._timeline = timeline
        self._handoff = handoff
        self._watch = watch
        self._end = end
        self._opened: OpenSource | None = None
        self._interrupted = False

    def interrupt(self) -> None:
        """Ends the thread soon; for the loop."""
        self._interrupted = True
        if self._opened:
            self._opened.interrupt()

    def run(self) -> None:
        try:
            if self._read():
                return
            error: BaseException = SourceError(
                "source_interrupted", f"{self._source.name} has ended."
            )
        except BaseException as caught:  # noqa: BLE001  # it is raised again on the loop
            error = caught
        with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits any more
            self._handoff.call(functools.partial(self._end, error))

    def _read(self) -> bool:
        """Whether the loop reads on."""
        with contextlib.ExitStack() as closing:
            self._opened = self._source.open()
            closing.callback(self._opened.close)
            reading = Reading(self._source.name, self._opened, self._timeline)
            closing.pop_all()
            closing.callback(reading.close)
            descriptor = reading.watch()
            if descriptor is not None:
                self._handoff.call(functools.partial(self._watch.begin, reading, descriptor))
                closing.pop_all()
                return True
            self._hand_on(reading)
        return False

    def _hand_on(self, reading: Reading) -> None:
        for item in reading.units():
            if self._interrupted:
                return
            self._handoff.put(item)
            reading.dropped = self._handoff.dropped
