"""AAC as the camera made it: its configuration, and its frames without ADTS headers.

RTSP, mp4 and mkv carry raw frames and an AudioSpecificConfig (ISO/IEC 14496-3 §1.6.2.1) beside
them; MPEG-TS carries an ADTS header (§1.A.2.2) before every frame, which says the same.
"""

from publisher.media.packets import Packet, Stream
from publisher.media.units import AacFrame

_ADTS_HEADER = 7  # bytes, and two more with a checksum
_EXPLICIT_RATE = 15  # samplingFrequencyIndex: the rate itself follows


class AacPassage:
    """Hands on the AAC of one opened camera, untouched."""

    def __init__(self, stream: Stream) -> None:
        self.config: bytes | None = stream.extradata or None
        """The AudioSpecificConfig; None until a frame has told it."""
        self._adts = not stream.extradata
        self.lost = 0

    def feed(self, packet: Packet, pts: int) -> AacFrame | None:
        """The packet's frame; None, and counted, when it is no AAC that could be passed on."""
        data = packet.data if not self._adts else self._without_header(packet.data)
        if not data:
            self.lost += 1
            return None
        return AacFrame(data, pts)

    def _without_header(self, data: bytes) -> bytes:
        header = data[:_ADTS_HEADER]
        if len(header) < _ADTS_HEADER or not _is_header_of_one(header):
            return b""
        self.config = _config(header)
        return data[_ADTS_HEADER + (0 if header[1] & 1 else 2) :]


def _is_header_of_one(header: bytes) -> bool:
    """Whether it begins with the sync word, and only one frame follows it."""
    syncs = header[0] == 0xFF and header[1] & 0xF6 == 0xF0  # noqa: PLR2004
    return syncs and header[6] & 3 == 0


def _config(adts: bytes) -> bytes:
    """An AudioSpecificConfig with what an ADTS header says."""
    object_type = (adts[2] >> 6) + 1
    rate_index = adts[2] >> 2 & 15
    channels = (adts[2] & 1) << 2 | adts[3] >> 6
    return (object_type << 11 | rate_index << 7 | channels << 3).to_bytes(2)


def codec_string(config: bytes) -> str:
    """The codecs parameter of RFC 6381 §3.3 for an AudioSpecificConfig."""
    object_type = config[0] >> 3
    if object_type == 31:  # noqa: PLR2004  # the escape of §1.6.2.1
        object_type = 32 + ((config[0] & 7) << 3 | config[1] >> 5)
    return f"mp4a.40.{object_type}"
