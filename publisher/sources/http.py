"""Cameras that stream over HTTP: Motion JPEG as multipart, FLV or MPEG-TS."""

from publisher.errors import SourceError
from publisher.sources.address import Address
from publisher.sources.container import READ_SECONDS, OpenContainer, open_container

_OPTIONS = {
    "timeout": str(int(READ_SECONDS * 1_000_000)),  # of the socket, microseconds
    # What a camera streams, and nothing that would make FFmpeg follow other addresses.
    "format_whitelist": "mpjpeg,mjpeg,flv,mpegts",
    "protocol_whitelist": "http,https,tls,tcp",
    # One picture says what there is; to measure the frame rate would delay all that follow.
    "fpsprobesize": "0",
    "fflags": "nobuffer",
}


class HttpCamera:
    """A camera, or a program beside it, that answers a GET with an endless stream."""

    def __init__(self, address: Address) -> None:
        self._address = address

    @property
    def name(self) -> str:
        """The address without user name and password."""
        return self._address.shown

    def open(self) -> OpenContainer:
        """Connects and reads the first picture; raises SourceError."""
        opened = open_container(self._address.secret_url, self.name, options=_OPTIONS)
        if not opened.streams:
            opened.close()
            raise SourceError("source_not_a_camera", f"{self.name} offers no picture.")
        return opened
