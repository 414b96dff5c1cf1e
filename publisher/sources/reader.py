"""The one thread of a camera: reads, prepares every unit once, hands it to the event loop.

The loop never waits for the thread and the thread never waits for the loop: between them is a
bounded queue, and a loop that cannot keep up loses pictures up to the next IDR, counted.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator

from publisher.errors import SourceError, UnplayableError
from publisher.media.audio import AudioPipeline, audio_pipeline
from publisher.media.format import Format, describe
from publisher.media.packets import Packet, Stream
from publisher.media.timeline import Timeline
from publisher.media.units import AccessUnit, Unit
from publisher.media.video import VideoPipeline
from publisher.sources.source import OpenSource, Source

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
    thread = _ReaderThread(source, timeline, _Handoff(loop, on_format, on_unit), done)
    thread.start()
    try:
        await done
    finally:
        thread.interrupt()


class _Handoff:
    """A bounded queue from the reader thread to the loop, with one wake-up for many units."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        on_format: Callable[[Format], None],
        on_unit: Callable[[Unit], None],
    ) -> None:
        self._loop = loop
        self._on_format = on_format
        self._on_unit = on_unit
        self._items: deque[Unit | Format] = deque()
        self._gated = False
        self.dropped = 0

    def put(self, item: Unit | Format) -> None:
        """For the reader thread. Raises RuntimeError when the loop is gone."""
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
        while self._items:
            item = self._items[0]
            if isinstance(item, Format):
                self._on_format(item)
            else:
                self._on_unit(item)
            self._items.popleft()


class _ReaderThread(threading.Thread):
    def __init__(
        self, source: Source, timeline: Timeline, handoff: _Handoff, done: asyncio.Future[None]
    ) -> None:
        super().__init__(name=f"reader of {source.name}", daemon=True)
        self._source = source
        self._timeline = timeline
        self._handoff = handoff
        self._done = done
        self._opened: OpenSource | None = None
        self._interrupted = False

    def interrupt(self) -> None:
        """Ends the thread soon; for the loop."""
        self._interrupted = True
        if self._opened:
            self._opened.interrupt()

    def run(self) -> None:
        try:
            self._read()
            error: BaseException | None = SourceError(
                "source_interrupted", f"{self._source.name} has ended."
            )
        except BaseException as caught:  # noqa: BLE001  # it is raised again on the loop
            error = caught
        try:
            self._handoff.call(lambda: self._finish(error))
        except RuntimeError:
            return  # the loop was closed: nobody is waiting any more

    def _finish(self, error: BaseException | None) -> None:
        if not self._done.done() and error:
            self._done.set_exception(error)

    def _read(self) -> None:
        self._opened = self._source.open()
        try:
            self._timeline.restart()
            preparation = _Preparation(self._opened.streams, self._timeline)
            for packet in self._opened.packets():
                if self._interrupted:
                    return
                for item in preparation.feed(packet):
                    self._handoff.put(item)
        finally:
            self._opened.close()


class _Preparation:
    """All that is done to a camera's packets once, whoever watches."""

    def __init__(self, streams: tuple[Stream, ...], timeline: Timeline) -> None:
        video = [stream for stream in streams if stream.kind == "video"]
        audio = [stream for stream in streams if stream.kind == "audio"]
        if not video:
            raise UnplayableError(
                "no_video", "The source has sound but no picture.", "Choose a video stream."
            )
        self._video_stream = video[0]
        self._audio_stream = audio[0] if audio else None
        self._video = VideoPipeline(video[0], timeline)
        self._audio: AudioPipeline | None = audio_pipeline(audio[0], timeline) if audio else None
        self._format: Format | None = None
        self._announced_sps: object = None

    def feed(self, packet: Packet) -> Iterator[Unit | Format]:
        now = time.monotonic_ns() // 1000
        if packet.kind == "audio":
            if self._audio and self._format:
                yield from self._audio.feed(packet, now)
            return
        unit = self._video.feed(packet, now)
        # A camera that is opened, or has come back, mostly begins in the middle of a GOP: viewers
        # would see it painted over the last picture.
        if unit and unit.key:
            yield from self._format_change()
        if unit and self._format:
            yield unit

    def _format_change(self) -> Iterator[Format]:
        sps = self._video.sps
        if sps is None or sps == self._announced_sps:
            return
        self._announced_sps = sps
        self._format = describe(self._video_stream, sps, self._audio_stream, self._audio)
        yield self._format
