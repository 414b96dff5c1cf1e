"""Encodes one camera's pictures to H.264, once for all viewers, on a thread of its own.

The event loop never waits for the thread, nor the thread for the loop. A thread that is too slow
leaves pictures out and counts them: what a viewer sees is new, never complete.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

import av

from publisher.media.conversion import Conversion, Item
from publisher.media.format import Format
from publisher.media.inbox import Inbox
from publisher.media.units import AccessUnit

logger = logging.getLogger(__name__)

_WAITING: Final = 60  # pictures that refer to each other: what comes in while a GOP is caught up
_BEHIND: Final = 8  # waiting pictures, more than B-frames come at once: then they are decoded only
_COST_SECONDS: Final = 5.0  # of running, before anybody is told what it costs


class Transcoder:
    """Runs from ``start`` until it is closed.

    ``on_item`` is called on the thread, with each new format and with the pictures after it;
    ``on_failure`` when nothing more will come. ``backlog`` are the pictures that a decoder needs
    before the next: they are not encoded.
    """

    def __init__(
        self,
        name: str,
        media: Format,
        backlog: Sequence[AccessUnit],
        on_item: Callable[[Item], None],
        on_failure: Callable[[], None],
    ) -> None:
        """Raises FFmpegError or ValueError when the pictures cannot be decoded."""
        self._name = name
        self._backlog = backlog
        self._on_item = on_item
        self._on_failure = on_failure
        self._conversion = Conversion(media)
        intra = av.Codec(media.video_codec, "r").intra_only
        self._inbox = Inbox(1 if intra else _WAITING, begun=bool(backlog))
        self._left_out = 0
        self._pictures = 0
        self._started = time.monotonic()
        self._told_cost = False
        self._thread = threading.Thread(target=self._run, name=f"encoder of {name}", daemon=True)

    def start(self) -> None:
        """Begins with the next picture that can be decoded."""
        self._thread.start()

    def put(self, unit: AccessUnit) -> None:
        """The camera's next picture; never blocks."""
        self._inbox.put(unit)

    def request_key_frame(self) -> None:
        """The next picture will be one."""
        self._conversion.key_wanted = True

    def use_bit_rate(self, bit_rate: int) -> None:
        """From the next picture on, bit/s."""
        self._conversion.bit_rate = bit_rate

    def close(self) -> None:
        """Ends soon; nobody waits for it."""
        self._inbox.close()

    @property
    def most_bit_rate(self) -> int | None:
        """What a picture of this size needs, bit/s, as soon as that is known."""
        shape = self._conversion.shape
        return shape.most_bit_rate if shape else None

    # ── on the thread ────────────────────────────────────────────────────────────────────────

    def _run(self) -> None:
        try:
            for old in self._backlog:
                self._conversion.skip(old)
            self._backlog = ()  # up to 16 MB, for nobody any more
            while unit := self._inbox.get():
                self._convert(unit)
        except Exception:
            logger.exception("%s: the encoder failed.", self._name)
            self._on_failure()
        logger.info("%s: the encoder has ended. It took %s.", self._name, self._cost())

    def _convert(self, unit: AccessUnit) -> None:
        if len(self._inbox) > _BEHIND:
            self._left_out += 1
            self._conversion.skip(unit)
            return
        for item in self._conversion.feed(unit):
            self._on_item(item)
            self._note(item)

    def _note(self, item: Item) -> None:
        if isinstance(item, Format):
            self._say_start(item)
            return
        self._pictures += 1
        if not self._told_cost and time.monotonic() - self._started > _COST_SECONDS:
            self._told_cost = True
            logger.info("%s: the encoder takes %s.", self._name, self._cost())

    def _say_start(self, media: Format) -> None:
        logger.info(
            "%s: encoding to H.264 because somebody watches: %s, %d×%d, at most %.1f Mbit/s.",
            self._name,
            self._conversion.encoder,
            media.width,
            media.height,
            (self.most_bit_rate or 0) / 1e6,
        )

    def _cost(self) -> str:
        """In words, of this thread."""
        cpu = time.thread_time()
        share = cpu / (time.monotonic() - self._started)
        each = 1000 * cpu / max(self._pictures, 1)
        left_out = self._inbox.dropped + self._left_out
        return (
            f"{share:.0%} of a core for {self._pictures} pictures, {each:.1f} ms each; "
            f"{left_out} were left out for lack of time, {self._conversion.lost} were broken"
        )
