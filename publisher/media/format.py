"""What a camera's streams are, for the legs that negotiate them and for people."""

from dataclasses import dataclass

from publisher.media.audio import AudioPipeline
from publisher.media.h264 import Sps
from publisher.media.packets import Stream
from rendezvous.wire.messages import Track

_SPOKEN = {
    "aac": "AAC",
    "opus": "Opus",
    "pcm_alaw": "G.711 A-law",
    "pcm_mulaw": "G.711 µ-law",
    "mp3": "MP3",
}


@dataclass(frozen=True, slots=True)
class Format:
    """How pictures and sound leave the publisher."""

    profile_level_id: str  # of the camera's SPS, RFC 6184 §8.1
    audio_codec: str | None  # opus, PCMA or PCMU as in SDP; None: no sound
    tracks: tuple[Track, ...]


def describe(
    video: Stream, sps: Sps, audio: Stream | None, pipeline: AudioPipeline | None
) -> Format:
    """The format of a camera whose first IDR has been seen."""
    tracks = [_video_track(video, sps)]
    if audio and pipeline:
        tracks.append(_audio_track(audio, pipeline))
    return Format(sps.profile_level_id, pipeline.codec if pipeline else None, tuple(tracks))


def _video_track(video: Stream, sps: Sps) -> Track:
    detail = f"{sps.profile} {sps.level}, {sps.width}×{sps.height}"
    if video.frame_rate:
        detail += f", {video.frame_rate:.3g} frames/s"
    return Track(kind="video", codec="H.264", detail=detail)


def _audio_track(audio: Stream, pipeline: AudioPipeline) -> Track:
    spoken = _SPOKEN.get(audio.codec, audio.codec)
    codec = "Opus" if pipeline.codec == "opus" else spoken
    channels = {1: "mono", 2: "stereo"}.get(audio.channels, f"{audio.channels} channels")
    origin = "" if codec == spoken else f"from {spoken}, "
    return Track(
        kind="audio", codec=codec, detail=f"{origin}{audio.sample_rate / 1000:g} kHz {channels}"
    )
