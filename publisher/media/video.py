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
        if key and h264.SPS not in types:
            nals = _insert(self._parameter_sets, nals)
        pts = self._timeline.place(packet, now, self._interval)
        return _access_unit(h264.join_annex_b(nals), pts, key=key)

    def _split(self, data: bytes) -> list[bytes]:
        try:
            return self._configuration.split(data)
        except h264.MalformedError:
            self.malformed += 1
            return []

    def _remember(self, nals: list[bytes]) -> None:
        found = tuple(nal for nal in nals if h264.nal_type(nal) in (h264.SPS, h264.PPS))
        sps = _first_sps(found)
        if sps:
            self.sps = sps
            self._parameter_sets = found
        else:
            self._parameter_sets += tuple(n for n in found if n not in self._parameter_sets)


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


def _insert(parameter_sets: tuple[bytes, ...], nals: list[bytes]) -> list[bytes]:
    """The sets go first, but an access unit delimiter precedes everything (§7.4.1.2.3)."""
    has_delimiter = h264.nal_type(nals[0]) == h264.DELIMITER
    return [*nals[:has_delimiter], *parameter_sets, *nals[has_delimiter:]]


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

    def watch(self, packet: Packet, nals: list[bytes]) -> None:
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
