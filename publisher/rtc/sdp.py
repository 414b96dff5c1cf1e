"""The little we read and change in session descriptions (RFC 8866), as text."""

import re

_MDNS = re.compile(r"^a=candidate:\S+ \d+ \S+ \d+ \S+\.local .*\r?\n", re.MULTILINE)
_H264 = re.compile(r"^a=rtpmap:\d+ H264/90000\s*$", re.MULTILINE | re.IGNORECASE)


def without_mdns(sdp: str) -> str:
    """The description without candidates whose address is an mDNS name.

    Browsers hide their addresses so (RFC 8828). On another network the name resolves to nothing,
    and waiting for that costs a second; on the same network the browser's own checks reach the
    camera's plain addresses all the same.
    """
    return _MDNS.sub("", sdp)


def is_mdns(candidate: str) -> bool:
    """Whether a trickled candidate is one of those."""
    parts = candidate.split()
    return len(parts) > 4 and parts[4].endswith(".local")  # noqa: PLR2004


def offers_h264(sdp: str) -> bool:
    """Whether the peer can take H.264 at all."""
    return _H264.search(sdp) is not None
