"""Where a camera's units come out: for RTP legs, and for fMP4 legs; encoded where it must be.

Either has a fan-out of its own that stays the same whatever the camera sends. What passes
untouched goes to both; what does not, through one encoder, only while somebody is subscribed.
"""

import logging
import time
from collections.abc import Callable
from enum import StrEnum
from typing import Final

import av

from publisher.errors import UnplayableError
from publisher.media.assembly import SYNTAXES
from publisher.media.conversion import prospect
from publisher.media.encoding import Encoding, Outlet
from publisher.media.format import Format
from publisher.media.units import AccessUnit, Unit

logger = logging.getLogger(__name__)

_RETRY_SECONDS: Final = 5.0  # after an encoder that failed


class Transcode(StrEnum):
    """What is decoded and encoded to H.264."""

    NEVER = "never"
    AUTO = "auto"  # what no browser plays
    ALWAYS = "always"  # also what only the fMP4 leg carries: H.265 and B-frames


class Outlets:
    """Of one camera, whatever it sends and however often it comes and goes."""

    def __init__(self, name: str, transcode: Transcode, on_media: Callable[[], None]) -> None:
        """``on_media`` is called when the format of either outlet has changed."""
        self._name = name
        self._transcode = transcode
        self._on_media = on_media
        self.rtp, self.fmp4 = Outlet(), Outlet()
        self._straight: tuple[Outlet, ...] = ()
        self._encoded: tuple[Outlet, ...] = ()
        self._source: Format | None = None
        self._encoding: Encoding | None = None
        self._retry_at = 0.0

    def use(self, media: Format) -> None:
        """The format of the next units. Raises UnplayableError when they may not be encoded."""
        foreign = media.video_codec not in SYNTAXES
        if foreign and self._transcode == Transcode.NEVER and media.obstacle:
            why = media.obstacle
            raise UnplayableError(why.code, why.sentence, why.cure)
        blocked = media.obstacle is not None
        encoded = foreign or (blocked and self._transcode == Transcode.ALWAYS)
        self._stop()
        self._source = media
        self._encoded = (self.rtp, self.fmp4) if foreign else (self.rtp,) * encoded
        self._straight = () if foreign else (self.fmp4,) if blocked else (self.rtp, self.fmp4)
        self.rtp.media = self.fmp4.media = media
        if encoded:
            self._use_encoded(prospect(media))
        else:
            self._on_media()

    def publish(self, unit: Unit) -> None:
        """The camera's next unit; on the loop."""
        picture = isinstance(unit, AccessUnit)
        for outlet in self._straight if picture else (self.rtp, self.fmp4):
            outlet.publish(unit)
        if isinstance(unit, AccessUnit) and self._source and self._encoded:
            self._encode(self._source, unit)

    def clear(self) -> None:
        """The camera was lost: nobody may begin with what it sent."""
        self._stop()
        self.rtp.clear()
        self.fmp4.clear()

    # ── the encoder ──────────────────────────────────────────────────────────────────────────

    def _encode(self, source: Format, unit: AccessUnit) -> None:
        if not any(map(len, self._encoded)):
            self._stop()
            return
        if self._encoding is None and time.monotonic() >= self._retry_at:
            self._start(source)
        if self._encoding:
            self._encoding.put(unit)

    def _start(self, source: Format) -> None:
        # Pictures that refer to others can be decoded at once with those that are kept for fMP4.
        backlog = self.fmp4.gop.units()[:-1] if self.fmp4 in self._straight else ()
        try:
            self._encoding = Encoding(
                self._name,
                source,
                backlog,
                self._encoded,
                on_media=self._use_encoded,
                on_failure=self._fail,
            )
        except (av.FFmpegError, ValueError):
            logger.exception("%s: the pictures cannot be decoded.", self._name)
            self._fail()

    def _stop(self) -> None:
        encoding, self._encoding = self._encoding, None
        if encoding:
            encoding.close()

    def _fail(self) -> None:
        self._stop()
        self._retry_at = time.monotonic() + _RETRY_SECONDS

    def _use_encoded(self, media: Format) -> None:
        for outlet in self._encoded:
            outlet.media = media
        self._on_media()
