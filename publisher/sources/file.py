"""A file that plays for ever, in real time, as if it were a camera."""

import threading
import time
from collections.abc import Iterator

from publisher.errors import SourceError
from publisher.media.packets import SECOND, Packet, Stream
from publisher.sources.container import OpenContainer, open_container


class LoopingFile:
    """An mp4, mkv or ts file."""

    def __init__(self, path: str) -> None:
        self.name = path

    def open(self) -> "OpenFile":
        """Raises SourceError."""
        return OpenFile(self.name, _open(self.name))


def _open(path: str) -> OpenContainer:
    opened = open_container(path, path)
    if opened.streams:
        return opened
    opened.close()
    raise SourceError("source_not_a_camera", f"{path} has neither picture nor sound.")


class OpenFile:
    """One file, reopened at its end; times go on growing from pass to pass."""

    def __init__(self, path: str, container: OpenContainer) -> None:
        self._path = path
        self._container = container
        self._closed = threading.Event()
        self.streams: tuple[Stream, ...] = container.streams

    def packets(self) -> Iterator[Packet]:
        """Packets when they are due; raises SourceError when the file is no longer readable."""
        pace = _Pace(self._closed)
        end = 0
        while not self._closed.is_set():
            begin = end
            first: int | None = None  # files may begin at any time, as recordings of streams do
            for packet in self._container.packets():
                if first is None:
                    first = packet.dts
                shifted = _shift(packet, begin - (first or 0))
                if not pace.wait(shifted):
                    return
                end = max(end, (shifted.dts or 0) + _STEP)
                yield shifted
            if end == begin:
                raise SourceError("source_not_a_camera", f"{self._path} has no media.")
            self._container.close()
            self._container = _open(self._path)

    def interrupt(self) -> None:
        """Ends a wait for the next packet at once."""
        self._closed.set()

    def close(self) -> None:
        """Closes the file."""
        self._closed.set()
        self._container.close()


_STEP = SECOND // 30  # between the last picture of a pass and the first of the next


def _shift(packet: Packet, offset: int) -> Packet:
    pts = None if packet.pts is None else packet.pts + offset
    dts = None if packet.dts is None else packet.dts + offset
    return Packet(packet.kind, packet.data, pts, dts, packet.key)


class _Pace:
    """Holds packets back until they are due on the monotonic clock."""

    def __init__(self, closed: threading.Event) -> None:
        self._closed = closed
        self._start: float | None = None

    def wait(self, packet: Packet) -> bool:
        """False when the source was closed meanwhile."""
        if packet.dts is None:
            return True
        now = time.monotonic()
        due = packet.dts / SECOND
        if self._start is None:
            self._start = now - due
        return not self._closed.wait(max(0.0, self._start + due - now))
