"""From a camera's packets to access units.

The pictures stay as the camera made them, bit for bit. What is added are the parameter sets
before a key frame that came without them (many cameras put them into the SDP only, where no
browser looks), and what is taken away is only the framing: length prefixes become start codes.
"""

from collections.abc import Iterator

from publisher.errors import SourceError, UnplayableError
from publisher.media import h264, hevc
from publisher.media.bitstream import Configuration, MalformedError, join_annex_b
from publisher.media.order import DecodingOrder, Ordered, Picture
from publisher.media.packets import SECOND, Packet, Stream
from publisher.media.syntax import Sps, Syntax
from publisher.media.timeline import Timeline
from publisher.media.units import AccessUnit

SYNTAXES = {"h264": h264.SYNTAX, "hevc": hevc.SYNTAX}


class VideoPipeline:
    """Turns the packets of one opened camera into access units, beginning with a key frame."""

    def __init__(self, stream: Stream, timeline: Timeline) -> None:
        """Raises UnplayableError when no browser takes the codec."""
        self._syntax = _syntax(stream)
        self._configuration = _configuration(self._syntax, stream)
        self._timeline = timeline
        self._interval = round(SECOND / stream.frame_rate) if stream.frame_rate else SECOND // 30
        self._order = DecodingOrder(self._interval)
        self._begun = False
        self.parameter_sets = self._configuration.parameter_sets
        self.sps = self._first_sps()
        self.malformed = 0

    @property
    def name(self) -> str:
        """The codec's name."""
        return self._syntax.name

    @property
    def reordered(self) -> bool:
        """Whether there are B-frames."""
        return self._order.reordered

    def feed(self, packet: Packet, now: int) -> Iterator[AccessUnit]:
        """The access units whose times are known with the packet.

        ``now`` is the monotonic clock in microseconds.
        """
        nals = self._split(packet.data)
        kinds = {self._syntax.nal_type(nal) for nal in nals}
        if kinds.intersection(self._syntax.parameter_sets):
            self._remember(nals)
        if not any(map(self._syntax.is_picture, kinds)):
            return
        # A camera that is opened, or has come back, mostly begins in the middle of a GOP: viewers
        # would see it painted over the last picture.
        key = any(map(self._syntax.is_key, kinds))
        self._begun = self._begun or key
        if self._begun:
            if key:
                nals = self._complete(nals, kinds)
                self._order.expect(self.sps.max_reorder if self.sps else None)
            b_slices = any(map(self._is_b_slice, nals))
            picture = Picture(join_annex_b(nals), key, b_slices, packet.pts, now)
            yield from map(self._place, self._order.put(picture))

    def _split(self, data: bytes) -> list[bytes]:
        try:
            return self._configuration.split(data)
        except MalformedError:
            self.malformed += 1
            return []

    def _remember(self, nals: list[bytes]) -> None:
        nal_type = self._syntax.nal_type
        for kind in self._syntax.parameter_sets:
            found = tuple(nal for nal in nals if nal_type(nal) == kind)
            if found:
                others = tuple(nal for nal in self.parameter_sets if nal_type(nal) != kind)
                # They refer to each other in the order of their types.
                self.parameter_sets = tuple(sorted(others + found, key=nal_type))
        self.sps = self._first_sps() or self.sps

    def _first_sps(self) -> Sps | None:
        for nal in self.parameter_sets:
            if self._syntax.nal_type(nal) == self._syntax.sps:
                try:
                    return self._syntax.parse_sps(nal)
                except MalformedError:
                    return None
        return None

    def _complete(self, nals: list[bytes], kinds: set[int]) -> list[bytes]:
        """All parameter sets go first, behind an access unit delimiter (H.264 §7.4.1.2.3)."""
        missing = set(self._syntax.parameter_sets) - kinds
        nal_type = self._syntax.nal_type
        added = [nal for nal in self.parameter_sets if nal_type(nal) in missing]
        if not added:
            return nals
        first = {self._syntax.delimiter, *self._syntax.parameter_sets}
        delimiter = [nal for nal in nals if nal_type(nal) == self._syntax.delimiter]
        sets = [nal for nal in nals if nal_type(nal) in self._syntax.parameter_sets]
        rest = [nal for nal in nals if nal_type(nal) not in first]
        return [*delimiter, *sorted(sets + added, key=nal_type), *rest]

    def _is_b_slice(self, nal: bytes) -> bool:
        try:
            return self._syntax.is_b_slice(nal)
        except MalformedError:
            return False

    def _place(self, ordered: Ordered) -> AccessUnit:
        picture = ordered.picture
        dts = self._timeline.place("video", ordered.dts, picture.now, self._interval)
        return AccessUnit(picture.data, dts + ordered.delay, dts, picture.key)


def _syntax(stream: Stream) -> Syntax:
    syntax = SYNTAXES.get(stream.codec)
    if syntax is None:
        raise UnplayableError(
            "codec_unsupported",
            f"The camera sends {stream.codec}, which is not passed on.",
            "Set the camera's video encoding to H.264.",
        )
    return syntax


def _configuration(syntax: Syntax, stream: Stream) -> Configuration:
    try:
        return syntax.configuration(stream.extradata)
    except MalformedError as error:
        raise SourceError(
            "source_not_a_camera", f"The {syntax.name} configuration is broken: {error}."
        ) from None
