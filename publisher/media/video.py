"""From a camera's packets to access units, with the times of decoding and of showing."""

from collections.abc import Iterator
from typing import Protocol

import av

from publisher.errors import SourceError, UnplayableError
from publisher.media.assembly import SYNTAXES, Assembler
from publisher.media.bitstream import MalformedError
from publisher.media.order import DecodingOrder, Ordered, Picture
from publisher.media.packets import SECOND, Packet, Stream
from publisher.media.syntax import Sps
from publisher.media.timeline import Timeline
from publisher.media.units import AccessUnit

_USUAL_RATE = 30.0  # frames a second, of a camera that does not say


class VideoPipeline(Protocol):
    """Turns the packets of one opened camera into access units, beginning with a key frame."""

    name: str
    """The codec's name."""

    @property
    def sps(self) -> Sps | None:
        """What is known of the stream; None before that, and for codecs without."""

    @property
    def parameter_sets(self) -> tuple[bytes, ...]:
        """The NAL units that a decoder begins with."""

    @property
    def reordered(self) -> bool:
        """Whether there are B-frames that are known of."""

    @property
    def malformed(self) -> int:
        """Packets that could not be used."""

    def feed(self, packet: Packet, now: int) -> Iterator[AccessUnit]:
        """The units whose times are known with the packet; ``now`` in microseconds, monotonic."""


def video_pipeline(stream: Stream, timeline: Timeline) -> VideoPipeline:
    """For H.264 and H.265, or for what has to be encoded anew. Raises UnplayableError."""
    if stream.codec in SYNTAXES:
        return CodedVideo(stream, timeline)
    return ForeignVideo(stream, timeline)


class CodedVideo:
    """H.264 and H.265 as the camera made them."""

    def __init__(self, stream: Stream, timeline: Timeline) -> None:
        """Raises SourceError when the stream's configuration is broken."""
        try:
            self._assembler = Assembler(stream.codec, stream.extradata)
        except MalformedError as error:
            raise SourceError(
                "source_not_a_camera", f"The stream's configuration is broken: {error}."
            ) from None
        self.name = self._assembler.name
        self._timeline = timeline
        self._interval = _interval(stream)
        self._order = DecodingOrder(self._interval)
        self._begun = False

    @property
    def sps(self) -> Sps | None:
        """Of the newest parameter sets."""
        return self._assembler.sps

    @property
    def parameter_sets(self) -> tuple[bytes, ...]:
        """The newest of each type, in order."""
        return self._assembler.parameter_sets

    @property
    def malformed(self) -> int:
        """Packets that could not be used."""
        return self._assembler.malformed

    @property
    def reordered(self) -> bool:
        """Whether there are B-frames."""
        return self._order.reordered

    def feed(self, packet: Packet, now: int) -> Iterator[AccessUnit]:
        """None for the first pictures, perhaps, and several with the next."""
        coded = self._assembler.take(packet.data)
        # A camera that is opened, or has come back, mostly begins in the middle of a GOP: viewers
        # would see it painted over the last picture.
        if coded is None or not (coded.key or self._begun):
            return
        self._begun = True
        if coded.key:
            self._order.expect(self.sps.max_reorder if self.sps else None)
        picture = Picture(coded.data, coded.key, coded.b_slices, packet.pts, now)
        yield from map(self._place, self._order.put(picture))

    def _place(self, ordered: Ordered) -> AccessUnit:
        picture = ordered.picture
        dts = self._timeline.place("video", ordered.dts, picture.now, self._interval)
        return AccessUnit(picture.data, dts + ordered.delay, dts, picture.key)


class ForeignVideo:
    """What no browser plays, Motion JPEG above all, on its way to an encoder."""

    sps = None
    parameter_sets = ()
    reordered = False
    malformed = 0

    def __init__(self, stream: Stream, timeline: Timeline) -> None:
        """Raises UnplayableError when nothing can decode it either."""
        try:
            codec = av.Codec(stream.codec, "r")
        except av.codec.codec.UnknownCodecError:
            raise UnplayableError(
                "codec_unsupported",
                f"The camera sends {stream.codec}, which cannot be decoded.",
                "Set the camera's video encoding to H.264.",
            ) from None
        self.name = spoken(stream.codec)
        self._intra = codec.intra_only
        self._timeline = timeline
        self._interval = _interval(stream)
        self._begun = False

    def feed(self, packet: Packet, now: int) -> Iterator[AccessUnit]:
        """One for each packet."""
        key = packet.key or self._intra
        self._begun = self._begun or key
        if self._begun and packet.data:
            pts = self._timeline.place("video", packet.pts, now, self._interval)
            yield AccessUnit(packet.data, pts, pts, key)


def spoken(codec: str) -> str:
    """How people call a codec."""
    return {"mjpeg": "Motion JPEG", "rawvideo": "raw video"}.get(codec, codec.upper())


def _interval(stream: Stream) -> int:
    return round(SECOND / (stream.frame_rate or _USUAL_RATE))
