"""What a camera's streams are, for the legs that negotiate them and for people."""

from dataclasses import dataclass

from publisher.media.audio import AudioPipeline
from publisher.media.packets import Stream
from publisher.media.syntax import Sps
from publisher.media.video import VideoPipeline
from rendezvous.wire.messages import Track

_SPOKEN = {
    "aac": "AAC",
    "opus": "Opus",
    "pcm_alaw": "G.711 A-law",
    "pcm_mulaw": "G.711 µ-law",
    "mp3": "MP3",
}


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why a stream cannot go over RTP: a stable code, a sentence, and the cure."""

    code: str
    sentence: str
    cure: str


H265 = Obstacle(
    "codec_h265",
    "The camera sends H.265, which browsers do not take over WebRTC.",
    "Set the camera's video encoding to H.264, or use its H.264 sub-stream.",
)
B_FRAMES = Obstacle(
    "b_frames",
    "The camera sends B-frames, which WebRTC cannot carry.",
    "Set B-frames to 0 in the camera, or its profile to Baseline.",
)


@dataclass(frozen=True, slots=True)
class Format:
    """How pictures and sound leave the publisher."""

    profile_level_id: str  # of H.264's SPS, RFC 6184 §8.1; empty for H.265
    audio_codec: str | None  # over RTP: opus, PCMA or PCMU as in SDP; None: no sound
    tracks: tuple[Track, ...]
    video_codec: str = "h264"  # or hevc
    codec_string: str = ""  # the picture's in the codecs parameter of RFC 6381 §3.3
    parameter_sets: tuple[bytes, ...] = ()  # NAL units; for H.265 the VPS first
    width: int = 0  # pixels
    height: int = 0
    reordered: bool = False  # there are B-frames: dts differs from pts
    aac: bytes | None = None  # the AudioSpecificConfig of the camera's AAC; None: it sends none
    obstacle: Obstacle | None = None  # None: RTP can carry it


def describe(
    stream: Stream,
    video: VideoPipeline,
    audio: tuple[Stream, AudioPipeline] | None,
    aac: bytes | None,
) -> Format | None:
    """The format of a camera, or None before its parameter sets are known."""
    sps = video.sps
    if sps is None:
        return None
    tracks = [_video_track(video.name, stream.frame_rate, sps)]
    if audio:
        tracks.append(_audio_track(*audio))
    return Format(
        sps.profile_level_id,
        audio[1].codec if audio else None,
        tuple(tracks),
        video_codec=stream.codec,
        codec_string=sps.codec_string,
        parameter_sets=video.parameter_sets,
        width=sps.width,
        height=sps.height,
        reordered=video.reordered,
        aac=aac,
        obstacle=_obstacle(stream.codec, reordered=video.reordered),
    )


def _obstacle(codec: str, *, reordered: bool) -> Obstacle | None:
    if codec != "h264":
        return H265
    return B_FRAMES if reordered else None


def _video_track(name: str, frame_rate: float, sps: Sps) -> Track:
    detail = f"{sps.profile} {sps.level}, {sps.width}×{sps.height}"
    if frame_rate:
        detail += f", {frame_rate:.3g} frames/s"
    return Track(kind="video", codec=name, detail=detail)


def _audio_track(audio: Stream, pipeline: AudioPipeline) -> Track:
    spoken = _SPOKEN.get(audio.codec, audio.codec)
    codec = "Opus" if pipeline.codec == "opus" else spoken
    channels = {1: "mono", 2: "stereo"}.get(audio.channels, f"{audio.channels} channels")
    origin = "" if codec == spoken else f"from {spoken}, "
    return Track(
        kind="audio", codec=codec, detail=f"{origin}{audio.sample_rate / 1000:g} kHz {channels}"
    )
