"""IP cameras: RTSP and RTSPS, media inside the TCP connection unless UDP is asked for."""

from publisher.errors import SourceError
from publisher.sources.address import Address
from publisher.sources.container import READ_SECONDS, OpenContainer, open_container

# Probing stops as soon as the SDP's streams have shown a packet each; the bound is for cameras
# whose audio is announced but never comes.
_ANALYZE_SECONDS = 1.5


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
                "fflags": "nobuffer",
                "analyzeduration": str(int(_ANALYZE_SECONDS * 1_000_000)),
            },
        )
        if not opened.streams:
            opened.close()
            raise SourceError(
                "source_not_a_camera", f"{self.name} offers neither picture nor sound."
            )
        return opened
