"""One camera's pictures decoded and encoded to H.264: the work itself, without thread or loop."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from typing import Final, TypeAlias

import av

from publisher.media.adaptation import most_bit_rate
from publisher.media.assembly import Assembler
from publisher.media.decoder import Decoder, converted
from publisher.media.encoder import KINDS, LIBX264, Coded, Encoder, Kind, Shape, best_kind
from publisher.media.format import Format
from publisher.media.units import AccessUnit
from rendezvous.wire.messages import Track

logger = logging.getLogger(__name__)

Item: TypeAlias = AccessUnit | Format

_USUAL_RATE: Final = 30.0  # frames a second, of a camera that does not say
_GOP_SECONDS: Final = 2  # who joins gets so much at the most to begin with


def prospect(media: Format) -> Format:
    """What will come out, as far as it is known before a picture was encoded."""
    return replace(
        media,
        video_codec="h264",
        profile_level_id="42e01f",  # of libx264; what it really is comes with the first picture
        codec_string="avc1.42e01f",
        parameter_sets=(),
        extradata=b"",
        pixel_format="",
        reordered=False,
        obstacle=None,
        tracks=tuple(map(_encoded, media.tracks)),
    )


def _encoded(track: Track) -> Track:
    if track.kind != "video":
        return track
    detail = ", ".join(part for part in (f"from {track.codec}", track.detail) if part)
    return Track(kind="video", codec="H.264", detail=detail)


class Conversion:
    """Opens its encoder with the first picture, and anew when the camera changes its size.

    An encoder that worked on trial may fail later: a graphics card, for one, has only so many
    sessions. Then the next kind goes on, with a key frame.
    """

    def __init__(self, media: Format, kinds: tuple[Kind, ...] = KINDS) -> None:
        """Raises FFmpegError or ValueError when the pictures cannot be decoded."""
        self._media = media
        self._kinds = kinds
        self._decoder = Decoder(media)
        self._encoder: Encoder | None = None
        self._assembler: Assembler | None = None
        self._said: Format | None = None
        self._last = -1
        self.bit_rate: int | None = None
        """What it shall be, bit/s; None: what a picture of this size needs."""
        self.key_wanted = False
        """Whether the next picture shall be a key frame."""

    @property
    def encoder(self) -> str:
        """The encoder's name, as soon as there is one."""
        return self._encoder.kind.name if self._encoder else ""

    @property
    def shape(self) -> Shape | None:
        """What is encoded now."""
        return self._encoder.shape if self._encoder else None

    @property
    def lost(self) -> int:
        """Pictures that could not be decoded."""
        return self._decoder.lost

    def skip(self, unit: AccessUnit) -> None:
        """Takes a picture that others refer to, but that is too old to be shown."""
        for _ in self._decoder.decode(unit):
            pass

    def feed(self, unit: AccessUnit) -> Iterator[Item]:
        """The pictures that are ready, and their format before them; raises FFmpegError."""
        for picture in self._decoder.decode(unit):
            if picture.pts is not None and picture.pts > self._last:
                self._last = picture.pts
                yield from self._encode(picture, picture.pts)

    def _encode(self, picture: av.VideoFrame, pts: int) -> Iterator[Item]:
        shape = self._shape_of(picture)
        key, self.key_wanted = self.key_wanted, False
        coded = None
        while coded is None:
            coded = self._try(picture, pts, shape, key=key)
        for one in coded:
            yield from self._assemble(one)

    def _try(
        self, picture: av.VideoFrame, pts: int, shape: Shape, *, key: bool
    ) -> list[Coded] | None:
        """None: with another kind once more. Raises when there is no other."""
        kind = self._kind_for(shape)
        try:
            encoder = self._encoder_for(kind, shape, self.bit_rate or shape.most_bit_rate)
            fitting = converted(picture, kind.pixel_format)
            return list(encoder.encode(fitting, pts, key=key))
        except (av.FFmpegError, ValueError) as error:
            if kind is LIBX264:
                raise
            self._leave_out(kind, error)
            return None

    def _leave_out(self, kind: Kind, error: Exception) -> None:
        logger.warning("%s has failed, and another encoder goes on: %s", kind.name, error)
        self._kinds = tuple(other for other in self._kinds if other is not kind)
        self._encoder = None

    def _shape_of(self, picture: av.VideoFrame) -> Shape:
        width, height = picture.width & ~1, picture.height & ~1
        rate = self._media.frame_rate or _USUAL_RATE
        most = most_bit_rate(width, height, rate)
        return Shape(width, height, rate, most, round(_GOP_SECONDS * rate))

    def _kind_for(self, shape: Shape) -> Kind:
        encoder = self._encoder
        if encoder and encoder.shape == shape:
            return encoder.kind
        return best_kind(shape, self._kinds)

    def _encoder_for(self, kind: Kind, shape: Shape, bit_rate: int) -> Encoder:
        encoder = self._encoder
        if encoder and encoder.shape == shape and encoder.use_bit_rate(bit_rate):
            return encoder
        return self._open(kind, shape, bit_rate)

    def _open(self, kind: Kind, shape: Shape, bit_rate: int) -> Encoder:
        self._encoder = Encoder(kind, shape, bit_rate)
        self._assembler = Assembler("h264", self._encoder.extradata)
        return self._encoder

    def _assemble(self, coded: Coded) -> Iterator[Item]:
        assert self._assembler  # noqa: S101  # tells the type checker
        assembled = self._assembler.take(coded.data)
        if assembled is None:
            return
        if assembled.key:
            yield from self._format_change(self._assembler)
        yield AccessUnit(assembled.data, coded.pts, coded.pts, assembled.key)

    def _format_change(self, assembler: Assembler) -> Iterator[Format]:
        sps = assembler.sps
        if sps is None:
            return
        media = replace(
            prospect(self._media),
            profile_level_id=sps.profile_level_id,
            codec_string=sps.codec_string,
            parameter_sets=assembler.parameter_sets,
            width=sps.width,
            height=sps.height,
        )
        if media != self._said:
            self._said = media
            yield media
