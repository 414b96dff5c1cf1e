"""Local devices on Linux: pictures from V4L2, sound from ALSA.

Many USB cameras and the Pi's deliver H.264 themselves, which passes untouched; the others deliver
Motion JPEG or raw pictures. Both devices stamp with the wall clock, so picture and sound share a
timeline.
"""

import queue
import threading
from collections.abc import Iterator

from publisher.errors import SourceError
from publisher.media.packets import Packet, Stream
from publisher.sources.address import Address
from publisher.sources.container import READ_SECONDS, OpenContainer, open_container

_FORMATS = ("h264", "mjpeg", "")  # in the order in which they are tried; the last: any
_QUEUE_PACKETS = 100  # what one device may be ahead of the reader


class Devices:
    """``v4l2:/dev/video0?size=1280x720&fps=30&audio=hw:1``."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self.name = address.shown

    def open(self) -> "OpenContainer | OpenDevices":
        """Raises SourceError."""
        video = self._open_video()
        alsa = self._address.options.get("audio")
        if not alsa:
            return video
        try:
            audio = open_container(alsa, f"alsa:{alsa}", container_format="alsa")
        except SourceError:
            video.close()
            raise
        return OpenDevices(video, audio)

    def _open_video(self) -> OpenContainer:
        asked = self._address.options
        formats = (asked["format"],) if "format" in asked else _FORMATS
        for index, name in enumerate(formats):
            try:
                return self._open_as(name)
            except SourceError as error:
                if error.code == "source_not_found" or index == len(formats) - 1:
                    raise
        raise AssertionError  # there is always a last format

    def _open_as(self, name: str) -> OpenContainer:
        asked = self._address.options
        options = {"timestamps": "abs"}
        if name:
            options["input_format"] = name
        if "size" in asked:
            options["video_size"] = asked["size"]
        if "fps" in asked:
            options["framerate"] = asked["fps"]
        return open_container(
            self._address.path, self.name, container_format="v4l2", options=options
        )


class OpenDevices:
    """Two devices read as one; a thread each, because either read blocks."""

    def __init__(self, *parts: OpenContainer) -> None:
        self._parts = parts
        self._packets: queue.Queue[Packet] = queue.Queue(_QUEUE_PACKETS)
        self._closed = False
        self.streams: tuple[Stream, ...] = tuple(s for part in parts for s in part.streams)

    def packets(self) -> Iterator[Packet]:
        """Packets of both in order of arrival; raises SourceError when either stops."""
        for part in self._parts:
            threading.Thread(target=self._pump, args=(part,), daemon=True).start()
        while not self._closed:
            try:
                yield self._packets.get(timeout=READ_SECONDS)
            except queue.Empty:
                raise SourceError("source_interrupted", "The device fell silent.") from None

    def _pump(self, part: OpenContainer) -> None:
        try:
            for packet in part.packets():
                # Blocking is right: the device's own ring loses what it has no room for.
                self._packets.put(packet, timeout=READ_SECONDS)
        except (SourceError, queue.Full):
            self.interrupt()
        finally:
            part.close()

    def interrupt(self) -> None:
        """Ends both reads."""
        self._closed = True
        for part in self._parts:
            part.interrupt()

    def close(self) -> None:
        """Each device's thread closes its own input."""
        self.interrupt()
