"""A camera's sound, in both of its shapes: as the camera made it, and as RTP carries it."""

from collections.abc import Iterator

from publisher.media.aac import AacPassage
from publisher.media.audio import AudioPipeline, audio_pipeline, interval
from publisher.media.packets import Packet, Stream
from publisher.media.timeline import Timeline
from publisher.media.units import AacFrame, AudioBlock


class Sound:
    """Turns the sound of one opened camera into units."""

    def __init__(self, stream: Stream, timeline: Timeline) -> None:
        self._stream = stream
        self._timeline = timeline
        self._rtp = audio_pipeline(stream)
        self._aac = AacPassage(stream) if stream.codec == "aac" else None

    @property
    def rtp(self) -> tuple[Stream, AudioPipeline] | None:
        """What was made for RTP from which stream; None when nothing can decode it."""
        return (self._stream, self._rtp) if self._rtp else None

    @property
    def aac(self) -> bytes | None:
        """The AudioSpecificConfig of the camera's AAC, as soon as it is known."""
        return self._aac.config if self._aac else None

    @property
    def lost(self) -> int:
        """Packets that could not be used."""
        return sum(part.lost for part in (self._rtp, self._aac) if part)

    def feed(self, packet: Packet, now: int) -> Iterator[AudioBlock | AacFrame]:
        """The units that are ready with the packet; ``now`` in microseconds, monotonic."""
        pts = self._timeline.place("audio", packet.pts, now, interval(self._stream, packet))
        if self._aac and (frame := self._aac.feed(packet, pts)):
            yield frame
        if self._rtp:
            yield from self._rtp.feed(packet, pts)
