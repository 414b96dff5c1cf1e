"""From a camera's coded pictures to pixels, for an encoder."""

from collections.abc import Iterator
from fractions import Fraction

import av
from av.video.reformatter import ColorRange

from publisher.media.format import Format
from publisher.media.packets import SECOND
from publisher.media.units import AccessUnit

_TIME_BASE = Fraction(1, SECOND)


class Decoder:
    """Decodes the pictures of one format, each as soon as it can be shown."""

    def __init__(self, media: Format) -> None:
        """Raises FFmpegError or ValueError when FFmpeg has no decoder for it."""
        decoder = av.CodecContext.create(media.video_codec, "r")
        if not isinstance(decoder, av.VideoCodecContext):
            raise ValueError(f"{media.video_codec} is not a video codec")  # noqa: TRY004
        if media.extradata:
            decoder.extradata = media.extradata
        if media.pixel_format:  # raw video says nothing about itself
            decoder.width, decoder.height = media.width, media.height
            decoder.pix_fmt = media.pixel_format
        # Threads that decode several pictures at once would each add one of delay.
        decoder.thread_count = 1
        self._decoder = decoder
        self.lost = 0

    def decode(self, unit: AccessUnit) -> Iterator[av.VideoFrame]:
        """The pictures that can be shown now, timed in microseconds; broken ones are counted."""
        packet = av.Packet(unit.data)
        packet.pts, packet.dts, packet.time_base = unit.pts, unit.dts, _TIME_BASE
        packet.is_keyframe = unit.key
        try:
            yield from self._decoder.decode(packet)
        except av.FFmpegError:
            self.lost += 1


def converted(picture: av.VideoFrame, pixel_format: str) -> av.VideoFrame:
    """The picture as browsers show it: even sides, 4:2:0, and levels of video, not of JPEG."""
    return picture.reformat(
        width=picture.width & ~1,
        height=picture.height & ~1,
        format=pixel_format,
        dst_color_range=ColorRange.MPEG,
    )
