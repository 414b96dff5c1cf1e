"""All that is done to a camera's packets once, whoever watches.

Nothing is handed on before a picture that can be shown, and nothing at all of a stream that
browsers cannot show: a viewer hears "live" only when it is true.
"""

import time
from collections.abc import Iterator

from publisher.errors import SourceError, UnplayableError
from publisher.media.format import Format, describe
from publisher.media.packets import SECOND, Packet, Stream
from publisher.media.sound import Sound
from publisher.media.timeline import Timeline
from publisher.media.units import AccessUnit, Unit
from publisher.media.video import video_pipeline

PICTURE_SECONDS = 5  # without a picture while sound goes on: the stream is broken
KEY_FRAME_SECONDS = 30  # longer than the GOP of any camera that is set up to be watched


class Preparation:
    """Turns the packets of one opened camera into units and the format before them."""

    def __init__(self, streams: tuple[Stream, ...], timeline: Timeline) -> None:
        """Raises UnplayableError when there is nothing that browsers could show."""
        video = next((stream for stream in streams if stream.kind == "video"), None)
        audio = next((stream for stream in streams if stream.kind == "audio"), None)
        if video is None:
            raise UnplayableError(
                "no_video", "The source has sound but no picture.", "Choose a video stream."
            )
        self._stream = video
        self._video = video_pipeline(video, timeline)
        self._sound = Sound(audio, timeline) if audio else None
        self._announced: Format | None = None
        self._opened_at = self._pictured_at = _now()

    @property
    def lost(self) -> int:
        """Packets that could not be used."""
        return self._video.malformed + (self._sound.lost if self._sound else 0)

    def feed(self, packet: Packet) -> Iterator[Unit | Format]:
        """What the packet brings for viewers; raises SourceError or UnplayableError."""
        now = _now()
        if packet.kind == "video":
            self._pictured_at = now
            for unit in self._video.feed(packet, now):
                yield from self._picture(unit)
        elif self._sound and self._announced:
            yield from self._sounds(self._sound, packet, now)
        self._check(now)

    def _picture(self, unit: AccessUnit) -> Iterator[Unit | Format]:
        if unit.key or self._video.reordered != self._reordered:
            yield from self._format_change()
        if self._announced:
            yield unit

    @property
    def _reordered(self) -> bool:
        return self._announced is not None and self._announced.reordered

    def _sounds(self, sound: Sound, packet: Packet, now: int) -> Iterator[Unit | Format]:
        known = sound.aac
        units = list(sound.feed(packet, now))
        if sound.aac != known:
            yield from self._format_change()
        yield from units

    def _format_change(self) -> Iterator[Format]:
        media = describe(self._stream, self._video, self._sound)
        if media and media != self._announced:
            self._announced = media
            yield media

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
