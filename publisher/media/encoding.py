"""The event loop's side of one running encoder: what viewers get of it, and what they ask for."""

import asyncio
import contextlib
import functools
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final, Protocol, runtime_checkable

from publisher.media.adaptation import BitRate
from publisher.media.conversion import Item
from publisher.media.fanout import FanOut
from publisher.media.format import Format
from publisher.media.transcoder import Transcoder
from publisher.media.units import AccessUnit

_ADAPT_SECONDS: Final = 1.0  # between two looks at what the viewers' paths carry
_KEY_FRAME_SECONDS: Final = 0.5  # between two key frames that are asked for


@runtime_checkable
class Estimating(Protocol):
    """A subscriber that hears what its path carries."""

    @property
    def estimate(self) -> int | None:
        """In bit/s; None: not known."""


class Outlet(FanOut):
    """What one kind of leg subscribes to, and the format of what comes there."""

    def __init__(self) -> None:
        super().__init__()
        self.media: Format | None = None

    def estimates(self) -> Iterator[int]:
        """What the paths of its subscribers carry, where that is known, in bit/s."""
        for subscriber in self._subscribers:
            if isinstance(subscriber, Estimating) and subscriber.estimate is not None:
                yield subscriber.estimate


class Encoding:
    """Runs from its construction, on a running loop, until it is closed."""

    def __init__(
        self,
        name: str,
        media: Format,
        backlog: Sequence[AccessUnit],
        outlets: Sequence[Outlet],
        *,
        on_media: Callable[[Format], None],
        on_failure: Callable[[], None],
    ) -> None:
        """``on_media`` comes before the first picture; arguments as of Transcoder, which raises."""
        self._outlets = outlets
        self._on_media = on_media
        self._on_failure = on_failure
        self._loop = asyncio.get_running_loop()
        self._closed = False
        self._bit_rate: BitRate | None = None
        self._sent = 0
        self._adapted = self._asked = time.monotonic()
        self._transcoder = Transcoder(
            name,
            media,
            backlog,
            lambda item: self._hand_over(functools.partial(self._take, item)),
            lambda: self._hand_over(self._fail),
        )
        for outlet in outlets:
            outlet.key_frame_source = self.request_key_frame
        self._transcoder.start()

    def put(self, unit: AccessUnit) -> None:
        """The camera's next picture."""
        self._transcoder.put(unit)
        now = time.monotonic()
        if now - self._adapted > _ADAPT_SECONDS:
            self._adapt(now)

    def request_key_frame(self) -> bool:
        """Whether one will come, or has just come: so yes, always."""
        now = time.monotonic()
        if now - self._asked > _KEY_FRAME_SECONDS:
            self._asked = now
            self._transcoder.request_key_frame()
        return True

    def close(self) -> None:
        """Its pictures are forgotten: whoever comes later must not begin with them."""
        self._closed = True
        self._transcoder.close()
        for outlet in self._outlets:
            outlet.key_frame_source = None
            outlet.clear()

    def _adapt(self, now: float) -> None:
        most = self._transcoder.most_bit_rate
        sent = round(8 * self._sent / (now - self._adapted))
        self._adapted, self._sent = now, 0
        if most is None:
            return
        if self._bit_rate is None or self._bit_rate.most != most:
            self._bit_rate = BitRate(most)
        estimates = [e for outlet in self._outlets for e in outlet.estimates()]
        self._transcoder.use_bit_rate(self._bit_rate.adapt(estimates, sent, now))

    # ── from the thread ──────────────────────────────────────────────────────────────────────

    def _hand_over(self, callback: Callable[[], object]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop was closed: nobody watches any more
            self._loop.call_soon_threadsafe(callback)

    def _take(self, item: Item) -> None:
        if self._closed:
            return
        if isinstance(item, Format):
            self._on_media(item)
            return
        self._sent += len(item.data)
        for outlet in self._outlets:
            outlet.publish(item)

    def _fail(self) -> None:
        if not self._closed:
            self._on_failure()
