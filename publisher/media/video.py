"""From a camera's packets to access units that any browser can be sent.

The pictures stay as the camera made them, bit for bit. What is added are the parameter sets
before an IDR that came without them (many cameras put them into the SDP only, where no browser
looks), and what is taken away is only the framing: length prefixes become start codes.
"""

from fractions import Fraction

import av

from publisher.errors import SourceError, UnplayableError
from publisher.media import h264
from publisher.media.packets import SECOND, Packet, Stream
from publisher.media.timeline import Timeline
from publisher.media.units import AccessUnit

CLOCK_RATE = 90_000  # Hz, RFC 6184 §8.2.1
_TIME_BASE = Fraction(1, CLOCK_RATE)
_REORDERED_ENOUGH = 3  # pictures out of order before B-frames are blamed: one may be a glitch
_JUDGED_AFTER = 10  # pictures: two B-frames between each two others have shown themselves by then


class VideoPipeline:
    """Turns the packets of one opened camera into access units."""

    def __init__(self, stream: Stream, timeline: Timeline) -> None:
        """Raises UnplayableError when no browser takes the codec over RTP."""
        _require_h264(stream)
        self._configuration = _configuration(stream)
        self._parameter_sets = self._configuration.parameter_sets
        self._timeline = timeline
        self._interval = round(SECOND / stream.frame_rate) if stream.frame_rate else SECOND // 30
        self._reordering = _Reordering()
        self.sps = _first_sps(self._parameter_sets)
        self.malformed = 0

    @property
    def judged(self) -> bool:
        """Whether enough was seen to say that there are no B-frames."""
        return self._reordering.pictures >= _JUDGED_AFTER or (
            self.sps is not None and self.sps.profile_idc == h264.BASELINE  # it has none
        )

    def feed(self, packet: Packet, now: int) -> AccessUnit | None:
        """The access unit of the packet, or None when there is nothing to show in it.

        ``now`` is the monotonic clock in microseconds. Raises UnplayableError.
        """
        nals = self._split(packet.data)
        types = {h264.nal_type(nal) for nal in nals}
        if not types & {h264.SLICE, h264.IDR}:
            self._remember(nals)
            return None
        self._reordering.watch(packet, nals)
        if types & {h264.SPS, h264.PPS}:
            self._remember(nals)
        key = h264.IDR in types
        if key:
            missing = {h264.SPS, h264.PPS} - types
            nals = _insert([n for n in self._parameter_sets if h264.nal_type(n) in missing], nals)
        pts = self._timeline.place(packet, now, self._interval)
        return _access_unit(h264.join_annex_b(nals), pts, key=key)

    def _split(self, data: bytes) -> list[bytes]:
        try:
            return self._configuration.split(data)
        except h264.MalformedError:
            self.malformed += 1
            return []

    def _remember(self, nals: list[bytes]) -> None:
        for kind in (h264.SPS, h264.PPS):
            found = tuple(nal for nal in nals if h264.nal_type(nal) == kind)
            if found:
                others = tuple(n for n in self._parameter_sets if h264.nal_type(n) != kind)
                # Sequence parameter sets go first: the others refer to them.
                self._parameter_sets = tuple(sorted(others + found, key=h264.nal_type))
        self.sps = _first_sps(self._parameter_sets) or self.sps


def _require_h264(stream: Stream) -> None:
    if stream.codec == "hevc":
        raise UnplayableError(
            "codec_h265",
            "The camera sends H.265, which browsers do not take over WebRTC.",
            "Set the camera's video encoding to H.264, or use its H.264 sub-stream.",
        )
    if stream.codec != "h264":
        raise UnplayableError(
            "codec_unsupported",
            f"The camera sends {stream.codec}, which is not passed on.",
            "Set the camera's video encoding to H.264.",
        )


def _configuration(stream: Stream) -> h264.Configuration:
    try:
        return h264.Configuration.parse(stream.extradata)
    except h264.MalformedError as error:
        raise SourceError(
            "source_not_a_camera", f"The H.264 configuration is broken: {error}."
        ) from None


def _first_sps(nals: tuple[bytes, ...]) -> h264.Sps | None:
    for nal in nals:
        if h264.nal_type(nal) == h264.SPS:
            try:
                return h264.Sps.parse(nal)
            except h264.MalformedError:
                return None
    return None


def _insert(parameter_sets: list[bytes], nals: list[bytes]) -> list[bytes]:
    """The sets go first, behind an SPS or an access unit delimiter if there is one (§7.4.1.2.3)."""
    begin = 0
    while h264.nal_type(nals[begin]) in (h264.DELIMITER, h264.SPS):
        begin += 1
    return [*nals[:begin], *parameter_sets, *nals[begin:]] if parameter_sets else nals


def _access_unit(data: bytes, pts: int, *, key: bool) -> AccessUnit:
    packet = av.Packet(data)
    packet.pts = packet.dts = pts * CLOCK_RATE // SECOND
    packet.time_base = _TIME_BASE
    packet.is_keyframe = key
    return AccessUnit(data, pts, key, packet)


class _Reordering:
    """Tells B-frames from glitches: B slices, and times that go back again and again.

    WebRTC has no reordering: Chromium decodes a few per cent of such pictures and asks for key
    frames for ever, so saying so is better than trying.
    """

    def __init__(self) -> None:
        self._highest: int | None = None
        self._seen = 0
        self.pictures = 0

    def watch(self, packet: Packet, nals: list[bytes]) -> None:
        """Takes the next picture; raises UnplayableError."""
        self.pictures += 1
        if packet.pts is None or not any(_is_b_slice(nal) for nal in nals):
            self._highest = packet.pts
            return
        if self._highest is not None and packet.pts < self._highest:
            self._seen += 1
        if self._seen >= _REORDERED_ENOUGH:
            raise UnplayableError(
                "b_frames",
                "The camera sends B-frames, which WebRTC cannot carry.",
                "Set B-frames to 0 in the camera, or its profile to Baseline.",
            )


def _is_b_slice(nal: bytes) -> bool:
    try:
        return h264.is_b_slice(nal)
    except h264.MalformedError:
        return False
