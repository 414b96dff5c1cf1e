"""The one thread of a camera: reads, prepares every unit once, hands it to the event loop.

The loop never waits for the thread and the thread never waits for the loop: between them is a
bounded queue, and a loop that cannot keep up loses pictures up to the next IDR, counted.
"""

import asyncio
import contextlib
import functools
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator

from publisher.errors import SourceError, UnplayableError
from publisher.media import h264
from publisher.media.audio import AudioPipeline, audio_pipeline
from publisher.media.format import Format, describe
from publisher.media.packets import SECOND, Packet, Stream
from publisher.media.timeline import Timeline
from publisher.media.units import AccessUnit, Unit
from publisher.media.video import VideoPipeline
from publisher.sources.source import OpenSource, Source

logger = logging.getLogger(__name__)

HANDOFF_UNITS = 400  # about four seconds of a camera with sound
PICTURE_SECONDS = 5  # without a picture while sound goes on: the stream is broken
KEY_FRAME_SECONDS = 30  # longer than the GOP of any camera that is set up to be watched


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

    thread = _ReaderThread(source, timeline, _Handoff(loop, on_format, on_unit, end), end)
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
        on_defect: Callable[[BaseException], None],
    ) -> None:
        self._loop = loop
        self._on_format = on_format
        self._on_unit = on_unit
        self._on_defect = on_defect
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
            try:
                self._hand_over(self._items[0])
            except Exception as defect:  # noqa: BLE001  # it ends the reading, for the supervisor
                self._items.clear()
                self._on_defect(defect)
                return
            self._items.popleft()

    def _hand_over(self, item: Unit | Format) -> None:
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
        end: Callable[[BaseException], None],
    ) -> None:
        super().__init__(name=f"reader of {source.name}", daemon=True)
        self._source = source
        self._timeline = timeline
        self._handoff = handoff
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
            self._read()
            error: BaseException = SourceError(
                "source_interrupted", f"{self._source.name} has ended."
            )
        except BaseException as caught:  # noqa: BLE001  # it is raised again on the loop
            error = caught
        with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits any more
            self._handoff.call(functools.partial(self._end, error))

    def _read(self) -> None:
        preparation: _Preparation | None = None
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
            self._report(preparation)

    def _report(self, preparation: "_Preparation | None") -> None:
        lost = preparation.lost if preparation else 0
        if lost or self._handoff.dropped:
            logger.warning(
                "%s: %d packets were broken; %d pictures and sounds were dropped for lack of time.",
                self._source.name,
                lost,
                self._handoff.dropped,
            )


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
        self._announced: h264.Sps | None = None
        self._held: list[AccessUnit] = []
        self._opened_at = self._pictured_at = _now()

    @property
    def lost(self) -> int:
        """Packets that could not be used."""
        return self._video.malformed + (self._audio.lost if self._audio else 0)

    def feed(self, packet: Packet) -> Iterator[Unit | Format]:
        """What the packet brings for viewers; raises SourceError or UnplayableError."""
        now = _now()
        if packet.kind == "video":
            self._pictured_at = now
            yield from self._picture(self._video.feed(packet, now))
        elif self._audio and self._announced:
            yield from self._audio.feed(packet, now)
        self._check(now)

    def _picture(self, unit: AccessUnit | None) -> Iterator[Unit | Format]:
        # A camera that is opened, or has come back, mostly begins in the middle of a GOP: viewers
        # would see it painted over the last picture. And what may have B-frames is looked at for
        # some pictures before anybody is told that it is live.
        if unit is None or not (unit.key or self._held or self._announced):
            return
        self._held.append(unit)
        if not self._video.judged:
            return
        yield from self._format_change()
        if self._announced:
            yield from self._held
        self._held = []

    def _format_change(self) -> Iterator[Format]:
        sps = self._video.sps
        if sps is not None and sps != self._announced:
            self._announced = sps
            yield describe(self._video_stream, sps, self._audio_stream, self._audio)

    def _check(self, now: int) -> None:
        if now - self._pictured_at > PICTURE_SECONDS * SECOND:
            raise SourceError(
                "source_interrupted", "The camera sends sound but no picture.", "Waiting for it."
            )
        if self._announced is None and now - self._opened_at > KEY_FRAME_SECONDS * SECOND:
            raise UnplayableError(
                "no_key_frames",
                f"The camera has sent no key frame for {KEY_FRAME_SECONDS} seconds.",
                "Set its I-frame interval to 1 or 2 seconds and turn off intra refresh and "
                "smart codecs.",
            )


def _now() -> int:
    return time.monotonic_ns() // 1000
