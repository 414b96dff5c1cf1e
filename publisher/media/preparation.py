"""All that is done to a camera's packets once, whoever watches.

Nothing is handed on before a picture that can be shown, and nothing at all of a stream that
browsers cannot show: a viewer hears "live" only when it is true.
"""

import time
from collections.abc import Iterator

from publisher.errors import SourceError, UnplayableError
from publisher.media import h264
from publisher.media.audio import AudioPipeline, audio_pipeline
from publisher.media.format import Format, describe
from publisher.media.packets import SECOND, Packet, Stream
from publisher.media.timeline import Timeline
from publisher.media.units import AccessUnit, Unit
from publisher.media.video import VideoPipeline

PICTURE_SECONDS = 5  # without a picture while sound goes on: the stream is broken
KEY_FRAME_SECONDS = 30  # longer than the GOP of any camera that is set up to be watched


class Preparation:
    """Turns the packets of one opened camera into units and the format before them."""

    def __init__(self, streams: tuple[Stream, ...], timeline: Timeline) -> None:
        """Raises UnplayableError when there is nothing that browsers could show."""
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
