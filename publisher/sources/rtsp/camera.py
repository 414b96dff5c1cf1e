"""IP cameras: RTSP and RTSPS, media inside the TCP connection unless UDP is asked for."""

import logging

from publisher.sources.address import Address
from publisher.sources.rtsp.ffmpeg import open_with_ffmpeg
from publisher.sources.rtsp.location import Location
from publisher.sources.rtsp.opening import UnknownError, open_camera
from publisher.sources.source import OpenSource

logger = logging.getLogger(__name__)


class RtspCamera:
    """A camera that speaks RTSP 1.0."""

    def __init__(self, address: Address, *, transport: str = "tcp") -> None:
        self._address = address
        self._transport = transport

    @property
    def name(self) -> str:
        """The address without user name and password."""
        return self._address.shown

    def open(self) -> OpenSource:
        """Connects, describes and plays; raises SourceError.

        FFmpeg reads what our own client does not know: other codecs, other transports.
        """
        if self._transport != "tcp":
            return open_with_ffmpeg(self._address, self._transport)
        try:
            return open_camera(Location.parse(self._address.secret_url), self.name)
        except UnknownError as reason:
            logger.debug("%s is read by FFmpeg: %s.", self.name, reason)
            return open_with_ffmpeg(self._address, self._transport)
