"""What a camera's streams are, for the legs that negotiate them and for people."""

from dataclasses import dataclass

from publisher.media.assembly import SYNTAXES
from publisher.media.audio import AudioPipeline
from publisher.media.packets import Stream
from publisher.media.sound import Sound
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


FOREIGN = Obstacle(
    "codec_unsupported",
    "The camera sends video that no browser plays, and nothing is set to encode it.",
    "Set the camera's video encoding to H.264, or leave out transcode=never.",
)


@dataclass(frozen=True, slots=True)
class Format:
    """How pictures and sound leave the publisher."""

    profile_level_id: str  # of H.264's SPS, RFC 6184 §8.1; empty for H.265
    audio_codec: str | None  # over RTP: opus, PCMA or PCMU as in SDP; None: no sound
    tracks: tuple[Track, ...]
    video_codec: str = "h264"  # FFmpeg's name: h264, hevc, or of what has to be encoded
    codec_string: str = ""  # the picture's in the codecs parameter of RFC 6381 §3.3
    parameter_sets: tuple[bytes, ...] = ()  # NAL units; for H.265 the VPS first
    width: int = 0  # pixels
    height: int = 0
    frame_rate: float = 0.0  # frames a second, 0 when the camera does not say
    extradata: bytes = b""  # for a decoder of what has to be encoded
    pixel_format: str = ""  # of raw video
    reordered: bool = False  # there are B-frames: dts differs from pts
    aac: bytes | None = None  # the AudioSpecificConfig of the camera's AAC; None: it sends none
    obstacle: Obstacle | None = None  # None: RTP can carry it


def describe(stream: Stream, video: VideoPipeline, sound: Sound | None) -> Format | None:
    """The format of a camera, or None before its parameter sets are known."""
    sps = video.sps
    if sps is None and stream.codec in SYNTAXES:
        return None
    audio = sound.rtp if sound else None
    tracks = [_video_track(video.name, stream, sps)]
    if audio:
        tracks.append(_audio_track(*audio))
    return Format(
        sps.profile_level_id if sps else "",
        audio[1].codec if audio else None,
        tuple(tracks),
        video_codec=stream.codec,
        codec_string=sps.codec_string if sps else "",
        parameter_sets=video.parameter_sets,
        width=sps.width if sps else stream.width,
        height=sps.height if sps else stream.height,
        frame_rate=stream.frame_rate,
        extradata=stream.extradata,
        pixel_format=stream.pixel_format,
        reordered=video.reordered,
        aac=sound.aac if sound else None,
        obstacle=_obstacle(stream.codec, reordered=video.reordered),
    )


def _obstacle(codec: str, *, reordered: bool) -> Obstacle | None:
    if codec == "h264":
        return B_FRAMES if reordered else None
    return H265 if codec == "hevc" else FOREIGN


def _video_track(name: str, stream: Stream, sps: Sps | None) -> Track:
    detail = f"{sps.profile} {sps.level}, {sps.width}×{sps.height}" if sps else ""
    if not sps and stream.width:
        detail = f"{stream.width}×{stream.height}"
    if stream.frame_rate:
        detail += f", {stream.frame_rate:.3g} frames/s"
    return Track(kind="video", codec=name, detail=detail.removeprefix(", "))


def _audio_track(audio: Stream, pipeline: AudioPipeline) -> Track:
    spoken = _SPOKEN.get(audio.codec, audio.codec)
    codec = "Opus" if pipeline.codec == "opus" else spoken
    channels = {1: "mono", 2: "stereo"}.get(audio.channels, f"{audio.channels} channels")
    origin = "" if codec == spoken else f"from {spoken}, "
    return Track(
        kind="audio", codec=codec, detail=f"{origin}{audio.sample_rate / 1000:g} kHz {channels}"
    )
