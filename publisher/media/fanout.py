"""From one camera to all its viewers, on the event loop."""

from typing import Protocol

from publisher.media.gop import GopCache
from publisher.media.units import AccessUnit, AudioBlock, Unit


class Subscriber(Protocol):
    """A leg. ``put`` must not block and must not raise."""

    def put_video(self, unit: AccessUnit) -> None:
        """The next picture, or one of the cached GOP."""

    def put_audio(self, block: AudioBlock) -> None:
        """The next block of sound."""


class FanOut:
    """Hands each unit to every subscriber; a new one gets the current GOP first."""

    def __init__(self) -> None:
        self.gop = GopCache()
        self._subscribers: set[Subscriber] = set()

    def __len__(self) -> int:
        return len(self._subscribers)

    def publish(self, unit: Unit) -> None:
        """Takes the next unit of the camera."""
        if isinstance(unit, AccessUnit):
            self.gop.add(unit)
            for subscriber in self._subscribers:
                subscriber.put_video(unit)
        else:
            for subscriber in self._subscribers:
                subscriber.put_audio(unit)

    def subscribe(self, subscriber: Subscriber) -> None:
        """The subscriber sees the current GOP at once and everything after it."""
        for unit in self.gop.units():
            subscriber.put_video(unit)
        self._subscribers.add(subscriber)

    def unsubscribe(self, subscriber: Subscriber) -> None:
        """No more units; harmless when there was no subscription."""
        self._subscribers.discard(subscriber)
