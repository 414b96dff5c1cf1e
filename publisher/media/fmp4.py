"""A camera's units as fragmented MP4, for Media Source Extensions: made once, for all viewers.

NAL units and frames of sound stay as the camera made them, bit for bit. What is added is the
container, and durations that are known before the next picture is there.
"""

from collections import deque
from collections.abc import Sequence

from publisher.media import bitstream, boxes
from publisher.media.boxes import Timing, Track
from publisher.media.packets import SECOND
from publisher.media.sample_entries import LENGTH_BYTES
from publisher.media.tracks import PICTURE_RATE
from publisher.media.units import AacFrame, AccessUnit, AudioBlock

_USUAL_INTERVAL = SECOND // 30
_SILK, _CELT = (480, 960, 1920, 2880), (120, 240, 480, 960)
_OPUS_FRAMES = (*_SILK * 3, *_SILK[:2] * 2, *_CELT * 4)  # samples by configuration, table 2
_INTERVALS = 8  # pictures: a camera that grows slow in the dark is known after so many
_LONGEST_STRIDED = SECOND  # after a longer silence there is a gap, and a key frame to come
_LAG_SHARE = 6  # of it a duration is at least; a stride then takes a quarter of the lag away


def mime(tracks: Sequence[Track]) -> str:
    """What MediaSource.isTypeSupported wants to know."""
    return f'video/mp4; codecs="{",".join(track.codec for track in tracks)}"'


def picture(sequence: int, track: Track, unit: AccessUnit, timing: Timing) -> bytes:
    """A fragment with one access unit, each NAL unit behind its length."""
    nals = bitstream.split_annex_b(unit.data)
    sample = b"".join(len(nal).to_bytes(LENGTH_BYTES) + nal for nal in nals)
    return boxes.fragment(sequence, track, timing, sample, sync=unit.key)


def carries(track: Track, unit: AacFrame | AudioBlock) -> bool:
    """Whether it is a sound of the track's codec: a camera with AAC has it in two shapes."""
    return len(unit.data) > 0 and isinstance(unit, AacFrame) is bool(track.frame)


def sound(sequence: int, track: Track, unit: AacFrame | AudioBlock) -> bytes:
    """A fragment with one frame of sound."""
    duration = track.frame or opus_samples(unit.data)
    timing = Timing(ticks(unit.pts, track.timescale), 0, duration)
    return boxes.fragment(sequence, track, timing, unit.data, sync=True)


def opus_samples(packet: bytes) -> int:
    """How long an Opus packet lasts, in 1/48000 s (RFC 6716 §3.1 and §3.2)."""
    configuration, code = packet[0] >> 3, packet[0] & 3
    frames = (1, 2, 2, packet[1] & 63 if len(packet) > 1 else 0)[code]
    return frames * _OPUS_FRAMES[configuration]


def ticks(time: int, rate: int) -> int:
    """Microseconds in a track's clock."""
    return (time * rate + SECOND // 2) // SECOND


class PictureTimes:
    """Decoding times and durations of a camera's pictures.

    A fragment leaves before the next picture has come, so its duration is an estimate: the last
    intervals but the longest, which may be a glitch. Too long does no harm, too short does: a
    picture that is decoded later than twice the last duration after the last one is taken for
    the other side of a gap, and is discarded like all others up to the next key frame (Media
    Source Extensions §3.5.8). So decoding times, which nobody sees, take short gaps in strides
    that are allowed; the times of showing are the camera's. The more decoding times lag behind,
    the longer the strides: a camera that sends in bursts has mostly intervals that are too short.
    """

    def __init__(self) -> None:
        self._intervals = deque((_USUAL_INTERVAL,) * 2, _INTERVALS)
        self._last: int | None = None
        self._decode = 0
        self._duration = 0

    def place(self, unit: AccessUnit) -> Timing:
        """Of the next access unit, in 1/90000 s."""
        self._decode = self._decoded(unit.dts)
        self._last = unit.dts
        lag = unit.dts - self._decode
        self._duration = max(sorted(self._intervals)[-2], lag // _LAG_SHARE)
        decode = ticks(self._decode, PICTURE_RATE)
        offset = ticks(unit.pts, PICTURE_RATE) - decode
        return Timing(decode, offset, ticks(self._duration, PICTURE_RATE))

    def _decoded(self, dts: int) -> int:
        if self._last is None or dts - self._last > _LONGEST_STRIDED:
            return dts
        self._intervals.append(dts - self._last)
        return min(dts, self._decode + self._duration * 3 // 2)
