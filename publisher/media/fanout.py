"""From one camera to all its viewers, on the event loop."""

import logging
from collections.abc import Callable
from typing import Protocol

from publisher.media.fragments import Fragments
from publisher.media.gop import GopCache
from publisher.media.rtp import Packetiser
from publisher.media.units import AacFrame, AccessUnit, AudioBlock, Unit

logger = logging.getLogger(__name__)


class Subscriber(Protocol):
    """A leg. ``put`` must not block."""

    def put_video(self, unit: AccessUnit) -> None:
        """The next picture, or one of the cached GOP."""

    def put_audio(self, block: AudioBlock) -> None:
        """The next block of sound for RTP."""

    def put_aac(self, frame: AacFrame) -> None:
        """The next frame of the camera's own AAC."""

    def fail(self) -> None:
        """It has raised, and gets nothing more: whoever it serves must hear of the end."""


class FanOut:
    """Hands each unit to every subscriber; a new one gets the current GOP first.

    One that raises is dropped: the camera and the others must not suffer for it.
    ``key_frame_source`` asks the source for a key frame and says whether one will come.
    """

    def __init__(self) -> None:
        self.gop = GopCache()
        self.fragments = Fragments()
        self.packetiser = Packetiser()
        self.key_frame_source: Callable[[], bool] | None = None
        self._subscribers: set[Subscriber] = set()

    def __len__(self) -> int:
        return len(self._subscribers)

    def publish(self, unit: Unit) -> None:
        """Takes the next unit of the camera."""
        self.fragments.add(unit)
        if isinstance(unit, AccessUnit):
            self.gop.add(unit)
        for subscriber in tuple(self._subscribers):  # who is given something may leave
            self._give(subscriber, unit)

    def request_key_frame(self) -> bool:
        """Whether the source can be asked for a key frame, and was: else the cached GOP serves."""
        return self.key_frame_source is not None and self.key_frame_source()

    def clear(self) -> None:
        """Forgets what the camera sent, as when it was lost."""
        self.gop.clear()
        self.fragments.clear()

    def subscribe(self, subscriber: Subscriber) -> None:
        """The subscriber sees the current GOP at once and everything after it."""
        self._subscribers.add(subscriber)
        for unit in self.gop.units():
            if subscriber in self._subscribers:
                self._give(subscriber, unit)

    def unsubscribe(self, subscriber: Subscriber) -> None:
        """No more units; harmless when there was no subscription."""
        self._subscribers.discard(subscriber)

    def _give(self, subscriber: Subscriber, unit: Unit) -> None:
        try:
            _put(subscriber, unit)
        except Exception:  # whatever fails there is that viewer's affair
            logger.exception("A viewer's delivery has failed; its session ends.")
            self.unsubscribe(subscriber)
            subscriber.fail()


def _put(subscriber: Subscriber, unit: Unit) -> None:
    if isinstance(unit, AccessUnit):
        subscriber.put_video(unit)
    elif isinstance(unit, AudioBlock):
        subscriber.put_audio(unit)
    else:
        subscriber.put_aac(unit)
