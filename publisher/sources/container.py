"""Reading cameras and files through FFmpeg: opening with deadlines, packets as plain values."""

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, TypeAlias

import av
from av.container import InputContainer

from publisher.errors import SourceError
from publisher.media.packets import SECOND, Kind, Packet, Stream
from publisher.sources import faults

OPEN_SECONDS = 8.0
READ_SECONDS = 5.0

_UNTIMED = ("mpjpeg", "mjpeg")  # formats without times; FFmpeg supposes 25 pictures a second

AvStream: TypeAlias = av.VideoStream | av.AudioStream


class OpenContainer:
    """An FFmpeg input with at most one video and one audio stream; one thread reads it."""

    def __init__(self, container: InputContainer, shown: str) -> None:
        self._container = container
        self._shown = shown
        self._chosen = _choose(container)
        self._closed = False
        self._untimed = container.format.name in _UNTIMED
        self.streams = tuple(_describe(stream) for stream in self._chosen.values())

    def packets(self) -> Iterator[Packet]:
        """What arrives, until the end of a file; raises SourceError when a camera falls silent."""
        kinds: dict[int, Kind] = {stream.index: kind for kind, stream in self._chosen.items()}
        try:
            for packet in self._container.demux(*self._chosen.values()):
                if self._closed:
                    return
                if packet.size:
                    plain = _plain(packet, kinds[packet.stream_index])
                    yield _timed_by_arrival(plain) if self._untimed else plain
        except av.FFmpegError as error:
            if not self._closed:
                raise translate(error, self._shown, interrupted=True) from None

    def interrupt(self) -> None:
        """Ends reading at the next packet: FFmpeg's inputs cannot be closed under a read."""
        self._closed = True

    def close(self) -> None:
        """Closes the input."""
        self._closed = True
        self._container.close()


def open_container(
    url: str,
    shown: str,
    *,
    container_format: str | None = None,
    options: dict[str, str] | None = None,
) -> OpenContainer:
    """Opens for reading; raises SourceError whose text never holds the URL with its password."""
    deadline = time.monotonic() + READ_SECONDS
    try:
        container = av.open(
            url,
            format=container_format,
            options=options or {},
            timeout=(OPEN_SECONDS, READ_SECONDS),
        )
    except (av.FFmpegError, OSError) as error:
        if time.monotonic() >= deadline:  # FFmpeg calls an answer that never came invalid data
            raise faults.error(faults.SILENT, shown) from None
        raise translate(error, shown, interrupted=False) from None
    try:
        return OpenContainer(container, shown)
    except BaseException:
        container.close()
        raise


def _choose(container: InputContainer) -> dict[Kind, AvStream]:
    """The first stream of each kind whose codec FFmpeg knows at all."""
    chosen: dict[Kind, AvStream] = {}
    for stream in container.streams:
        known: Any = stream.codec_context  # None for codecs without decoder, whatever the types say
        if known is not None and isinstance(stream, av.VideoStream | av.AudioStream):
            chosen.setdefault("video" if isinstance(stream, av.VideoStream) else "audio", stream)
    return chosen


def _describe(stream: AvStream) -> Stream:
    context = stream.codec_context
    extradata = context.extradata or b""
    if isinstance(stream, av.VideoStream):
        rate = stream.average_rate or stream.guessed_rate
        return Stream(
            "video",
            context.name,
            extradata,
            width=stream.codec_context.width,
            height=stream.codec_context.height,
            frame_rate=float(rate) if rate and rate < 1000 else 0.0,  # noqa: PLR2004
            pixel_format=(context.name == "rawvideo" and stream.codec_context.pix_fmt) or "",
        )
    return Stream(
        "audio",
        context.name,
        extradata,
        sample_rate=stream.codec_context.sample_rate,
        channels=stream.codec_context.channels,
    )


def _plain(packet: Any, kind: Kind) -> Packet:
    base = packet.time_base
    return Packet(
        kind,
        bytes(packet),
        _microseconds(packet.pts, base),
        _microseconds(packet.dts, base),
        packet.is_keyframe,
    )


def _timed_by_arrival(packet: Packet) -> Packet:
    now = time.monotonic_ns() // 1000
    return replace(packet, pts=now, dts=now)


def _microseconds(ticks: int | None, base: Any) -> int | None:
    return None if ticks is None else ticks * SECOND * base.numerator // base.denominator


_FAULTS: tuple[tuple[tuple[type[BaseException], ...], faults.Fault], ...] = (
    ((av.error.HTTPUnauthorizedError, av.error.HTTPForbiddenError), faults.UNAUTHORIZED),
    ((av.error.HTTPNotFoundError,), faults.NOT_FOUND),
    ((FileNotFoundError,), faults.NO_FILE),
    ((av.error.HTTPServerError,), faults.BUSY),
    (
        (
            av.error.HTTPError,
            av.error.HTTPClientError,
            av.error.InvalidDataError,
            av.error.ProtocolNotFoundError,
            av.error.OptionNotFoundError,
            av.error.DemuxerNotFoundError,
        ),
        faults.NOT_A_CAMERA,
    ),
)


def translate(error: BaseException, shown: str, *, interrupted: bool) -> SourceError:
    """FFmpeg's error as ours; its own text is dropped because it repeats the URL."""
    if interrupted:
        return faults.error(faults.INTERRUPTED, shown)
    kinds = (fault for kinds, fault in _FAULTS if isinstance(error, kinds))
    return faults.error(next(kinds, faults.UNREACHABLE), shown)
