"""IP cameras: RTSP and RTSPS, media inside the TCP connection unless UDP is asked for."""

from publisher.errors import SourceError
from publisher.sources.address import Address
from publisher.sources.container import READ_SECONDS, OpenContainer, open_container

# The SDP says what there is, and we read the SPS ourselves. Probing would cost a second and hand
# over its packets in a burst or, with "nobuffer", throw away the IDR that a camera sends at PLAY.
_NO_PROBING = {"probesize": "32", "fpsprobesize": "0"}


class RtspCamera:
    """A camera that speaks RTSP (RFC 2326, RFC 7826)."""

    def __init__(self, address: Address, *, transport: str = "tcp") -> None:
        self._address = address
        self._transport = transport

    @property
    def name(self) -> str:
        """The address without user name and password."""
        return self._address.shown

    def open(self) -> OpenContainer:
        """Connects, describes and plays; raises SourceError."""
        opened = open_container(
            self._address.secret_url,
            self.name,
            options={
                "rtsp_transport": self._transport,
                "timeout": str(int(READ_SECONDS * 1_000_000)),  # of the socket, microseconds
                **_NO_PROBING,
            },
        )
        if not opened.streams:
            opened.close()
            raise SourceError(
                "source_not_a_camera", f"{self.name} offers neither picture nor sound."
            )
        return opened
