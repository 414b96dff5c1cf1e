"""One opening of a camera: its packets, prepared for viewers."""

import logging
from collections.abc import Iterator

from publisher.media.format import Format
from publisher.media.preparation import Preparation
from publisher.media.timeline import Timeline
from publisher.media.units import Unit
from publisher.sources.source import OpenSource, WatchableSource

logger = logging.getLogger(__name__)


class Reading:
    """In whichever thread it goes on."""

    def __init__(self, name: str, opened: OpenSource, timeline: Timeline) -> None:
        """Raises SourceError or UnplayableError."""
        self._name = name
        self._opened = opened
        self._watchable = opened if isinstance(opened, WatchableSource) else None
        timeline.restart()
        self._preparation = Preparation(opened.streams, timeline)
        self.dropped = 0
        """Units that nobody had time for."""

    def watch(self) -> int | None:
        """What the event loop can watch, and ``take`` from; None: ``units`` needs a thread."""
        return self._watchable.watch() if self._watchable else None

    def units(self) -> Iterator[Unit | Format]:
        """What the camera brings until it ends; blocks."""
        for packet in self._opened.packets():
            yield from self._preparation.feed(packet)

    def take(self) -> Iterator[Unit | Format]:
        """What a watched camera has brought."""
        assert self._watchable  # noqa: S101  # tells the type checker
        for packet in self._watchable.take():
            yield from self._preparation.feed(packet)

    def close(self) -> None:
        """Lets go of the camera."""
        self._opened.close()
        lost = self._preparation.lost
        if lost or self.dropped:
            logger.warning(
                "%s: %d packets were broken; %d pictures and sounds were dropped for lack of time.",
                self._name,
                lost,
                self.dropped,
            )
