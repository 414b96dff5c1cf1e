"""Cameras whose streams or transport our own client does not know, read by FFmpeg."""

from publisher.errors import SourceError
from publisher.sources.address import Address
from publisher.sources.container import READ_SECONDS, OpenContainer, open_container

# The SDP says what there is, and we read the SPS ourselves. Probing would cost a second and hand
# over its packets in a burst or, with "nobuffer", throw away the IDR that a camera sends at PLAY.
_NO_PROBING = {"probesize": "32", "fpsprobesize": "0"}


def open_with_ffmpeg(address: Address, transport: str) -> OpenContainer:
    """Connects, describes and plays; raises SourceError."""
    opened = open_container(
        address.secret_url,
        address.shown,
        options={
            "rtsp_transport": transport,
            "timeout": str(int(READ_SECONDS * 1_000_000)),  # of the socket, microseconds
            **_NO_PROBING,
        },
    )
    if not opened.streams:
        opened.close()
        raise SourceError(
            "source_not_a_camera", f"{address.shown} offers neither picture nor sound."
        )
    return opened
