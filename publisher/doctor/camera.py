"""The camera: does it answer, and can browsers live with what it sends?"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from publisher.errors import SourceError, UnplayableError
from publisher.media.assembly import SYNTAXES
from publisher.media.format import Format
from publisher.media.outlets import Transcode
from publisher.media.packets import SECOND
from publisher.media.preparation import Preparation
from publisher.media.timeline import Timeline
from publisher.media.units import AccessUnit, Unit
from publisher.sources.rtsp.session import OpenRtspCamera
from publisher.sources.source import OpenSource, Source
from rendezvous.probes.findings import Finding, fault, note, of_error, warning, well

_LEAST_SECONDS: Final = 1.0  # of pictures, before their rate is believed
LONGEST_GOP: Final = 4.0  # seconds; who loses the picture waits for the next key frame
_MUCH: Final = 8_000_000  # bits a second: more than most homes send
_NO_PICTURE: Final = "Viewers see that the camera is not there, and why."


@dataclass(slots=True)
class Observed:
    """What came of a camera in some seconds."""

    format: Format | None = None
    pictures: int = 0
    size: int = 0  # bytes of pictures
    keys: list[int] = field(default_factory=list)  # their times, microseconds
    seconds: float = 0.0
    lost: int = 0  # packets that never came
    broken: int = 0  # packets that could not be used

    def enough(self) -> bool:
        """Whether longer watching would tell no more."""
        return self.seconds >= _LEAST_SECONDS and len(self.keys) > 1

    @property
    def gop(self) -> float | None:
        """The longest time between key frames, in seconds; None if there were not two."""
        gaps = [after - before for before, after in zip(self.keys, self.keys[1:], strict=False)]
        return max(gaps) / SECOND if gaps else None


def watch(source: Source, seconds: float) -> Observed:
    """Looks for so long at the most, not counting the opening. Blocks.

    Raises SourceError or UnplayableError.
    """
    opened = source.open()
    try:
        return _watch(opened, seconds)
    finally:
        opened.close()


def _watch(opened: OpenSource, seconds: float) -> Observed:
    seen = Observed()
    preparation = Preparation(opened.streams, Timeline())
    begin = time.monotonic()
    for packet in opened.packets():
        _count(preparation.feed(packet), seen)
        seen.seconds = time.monotonic() - begin
        if seen.seconds >= seconds or seen.enough():
            break
    seen.broken = preparation.lost
    seen.lost = opened.lost if isinstance(opened, OpenRtspCamera) else 0
    return seen


def _count(items: Iterator[Unit | Format], seen: Observed) -> None:
    for item in items:
        if isinstance(item, Format):
            seen.format = item
        elif isinstance(item, AccessUnit):
            seen.pictures += 1
            seen.size += len(item.data)
            if item.key:
                seen.keys.append(item.pts)


# ── judging ──────────────────────────────────────────────────────────────────────────────────


def examine(source: Source, seconds: float, transcode: Transcode) -> list[Finding]:
    """Watches the camera and says what is wrong with it. Blocks."""
    try:
        seen = watch(source, seconds)
    except (SourceError, UnplayableError) as error:
        return [of_error(error, _NO_PICTURE)]
    answers = well("source", f"{source.name} answers.")
    return [answers, *judge(seen, transcode)]


def judge(seen: Observed, transcode: Transcode) -> list[Finding]:
    """What the pictures and the sound mean for viewers. Pure."""
    if seen.format is None:
        return [_no_key_frames(seen.seconds)]
    findings = [_described(seen, seen.format), *_obstacles(seen.format, transcode)]
    if seen.format.video_codec in SYNTAXES:
        findings += _gop(seen)
    findings += _sound(seen.format)
    return findings + _losses(seen)


def _no_key_frames(seconds: float) -> Finding:
    return fault(
        "no_key_frames",
        f"The camera has sent no key frame in {_spoken(seconds)}.",
        "A picture can only begin with one: viewers see nothing.",
        "Set its I-frame interval to 1 or 2 seconds and turn off intra refresh and smart codecs.",
    )


def _described(seen: Observed, media: Format) -> Finding:
    rate = 8 * seen.size / max(seen.seconds, 0.1)
    tracks = "; ".join(f"{track.codec} ({track.detail})" for track in media.tracks)
    sentence = f"It sends {tracks}; {rate / 1e6:.1f} Mbit/s."
    if rate < _MUCH or media.video_codec not in SYNTAXES:
        return well("format", sentence)
    meaning = "Each viewer takes as much of this network's uplink."
    return note("bit_rate_high", sentence, meaning, "Set the camera to 2 to 4 Mbit/s.")


def _obstacles(media: Format, transcode: Transcode) -> list[Finding]:
    if media.obstacle is None:
        return []
    why = media.obstacle
    foreign = media.video_codec not in SYNTAXES
    if foreign and transcode == Transcode.NEVER:
        return [fault(why.code, why.sentence, "No browser shows it.", why.cure)]
    if foreign or transcode == Transcode.ALWAYS:
        sentence = "The picture is encoded to H.264 while somebody watches."
        return [note("encoded", sentence, "It costs this machine's processor.")]
    meaning = (
        "Only browsers that play H.265 show it, half a second late."
        if why.code == "codec_h265"
        else "It is shown over Media Source Extensions only, half a second late."
    )
    return [warning(why.code, why.sentence, meaning, f"{why.cure} Or say transcode=always.")]


def _gop(seen: Observed) -> list[Finding]:
    if seen.gop is None:
        return [_long_gop(f"There was one key frame in {_spoken(seen.seconds)}.")]
    if seen.gop > LONGEST_GOP:
        return [_long_gop(f"There are up to {seen.gop:.1f} seconds from key frame to key frame.")]
    return [well("gop", f"A key frame comes every {seen.gop:.1f} seconds.")]


def _long_gop(sentence: str) -> Finding:
    return warning(
        "gop_long",
        sentence,
        "A viewer who has lost the picture, by a bad network, waits as long for the next one.",
        "Set the camera's I-frame interval to 1 or 2 seconds.",
    )


def _sound(media: Format) -> list[Finding]:
    if any(track.kind == "audio" for track in media.tracks):
        return []
    cure = "If it has a microphone, turn sound on in its settings: AAC, Opus or G.711."
    return [note("no_sound", "There is no sound that browsers play.", "", cure)]


def _losses(seen: Observed) -> list[Finding]:
    if not seen.lost and not seen.broken:
        return [well("losses", "Nothing was lost on the way from the camera.")]
    return [
        warning(
            "source_losses",
            f"{seen.lost} packets were lost on the way from the camera, and {seen.broken} broken, "
            f"in {_spoken(seen.seconds)}.",
            "Pictures stutter or show blocks.",
            "Use a cable instead of Wi-Fi, rtsp_transport=tcp, or a lower bit rate.",
        )
    ]


def _spoken(seconds: float) -> str:
    return f"{seconds:.1f} seconds"
