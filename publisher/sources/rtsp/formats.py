"""Which of a camera's streams our client reads, decided by its description alone."""

from base64 import b64decode
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from publisher.media.bitstream import join_annex_b
from publisher.media.packets import Stream
from publisher.sources.rtsp import payloads
from publisher.sources.rtsp.pictures import Pictures
from publisher.sources.rtsp.sdp import Media
from publisher.sources.rtsp.sounds import Aac, Blocks
from publisher.sources.rtsp.units import Depacketiser

_AAC_FRAME: Final = 1024  # samples, ISO/IEC 14496-3 §4.5.1.1
_AAC_SHORT: Final = 960
_CODECS: Final = {"h264": "h264", "h265": "hevc", "pcma": "pcm_alaw", "pcmu": "pcm_mulaw"}


@dataclass(frozen=True, slots=True)
class Plan:
    """A stream that is to be set up, and how it is read."""

    media: Media
    stream: Stream
    depacketiser: Callable[[], Depacketiser]


def choose(media: Iterable[Media]) -> tuple[Plan, ...] | None:
    """The first video and the first audio stream; None when FFmpeg has to read the camera."""
    chosen: dict[str, Media] = {}
    for one in media:
        if one.kind in ("video", "audio") and one.sent:
            chosen.setdefault(one.kind, one)
    plans = [_plan(chosen[kind]) for kind in ("video", "audio") if kind in chosen]
    known = tuple(plan for plan in plans if plan)
    return known if known and len(known) == len(plans) else None


def _plan(media: Media) -> Plan | None:
    reader = _READERS.get(media.encoding)
    if reader is None or not 0 < media.clock_rate < 1 << 20 or media.profile != "RTP/AVP":
        return None
    return reader(media)


def _h264(media: Media) -> Plan | None:
    if media.parameters.get("packetization-mode", "0") not in ("0", "1"):
        return None
    sets = _sets(media.parameters.get("sprop-parameter-sets", ""))
    return _video(media, sets, payloads.H264)


def _h265(media: Media) -> Plan | None:
    given = media.parameters
    if any(
        given.get(name, "0") != "0" for name in ("sprop-max-don-diff", "sprop-depack-buf-nalus")
    ):
        return None  # NAL units out of order: nobody sends that
    sets = [nal for name in ("vps", "sps", "pps") for nal in _sets(given.get(f"sprop-{name}", ""))]
    return _video(media, sets, payloads.H265)


def _video(media: Media, sets: list[bytes], how: payloads.PayloadFormat) -> Plan:
    codec = _CODECS[media.encoding]
    stream = Stream("video", codec, join_annex_b(sets), frame_rate=media.frame_rate)
    return Plan(media, stream, lambda: Pictures(how))


def _sets(text: str) -> list[bytes]:
    """Parameter sets of a description; broken ones may come again in the stream."""
    found = []
    for part in text.split(","):
        try:
            nal = b64decode(part + "=" * (-len(part) % 4))
        except ValueError:
            continue
        if nal := nal.removeprefix(b"\x00\x00\x00\x01").rstrip(b"\x00"):
            found.append(nal)
    return found


def _aac(media: Media) -> Plan | None:
    given = media.parameters
    sizes = [given.get(name, "") for name in ("sizelength", "indexlength", "indexdeltalength")]
    if given.get("mode", "").lower() != "aac-hbr" or sizes != ["13", "3", "3"]:
        return None
    try:
        config = bytes.fromhex(given.get("config", ""))
    except ValueError:
        return None
    if len(config) < 2:  # noqa: PLR2004
        return None
    fields = int.from_bytes(config[:2])
    channels = fields >> 3 & 15 if fields >> 7 & 15 != 15 else 0  # noqa: PLR2004  # an escape
    short = fields >> 11 == 2 and fields & 4  # noqa: PLR2004  # AAC-LC's frameLengthFlag
    stated = given.get("constantduration", "")
    samples = int(stated) if stated.isdigit() else _AAC_SHORT if short else _AAC_FRAME
    stream = _audio(media, "aac", channels or media.channels, config)
    return Plan(media, stream, lambda: Aac(samples))


def _g711(media: Media) -> Plan:
    return Plan(media, _audio(media, _CODECS[media.encoding], media.channels), Blocks)


def _opus(media: Media) -> Plan:
    return Plan(media, _audio(media, "opus", media.channels), Blocks)


def _audio(media: Media, codec: str, channels: int, config: bytes = b"") -> Stream:
    return Stream("audio", codec, config, sample_rate=media.clock_rate, channels=channels)


_READERS: Final[dict[str, Callable[[Media], Plan | None]]] = {
    "h264": _h264,
    "h265": _h265,
    "mpeg4-generic": _aac,
    "pcma": _g711,
    "pcmu": _g711,
    "opus": _opus,
}
