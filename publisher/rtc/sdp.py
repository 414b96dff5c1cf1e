"""The little we read and change in session descriptions (RFC 8866), as text."""

import re
from math import inf
from typing import Final

_MDNS = re.compile(r"^a=candidate:\S+ \d+ \S+ \d+ \S+\.local .*\r?\n", re.MULTILINE)
_MID = re.compile(r"^a=mid:(\S+)", re.MULTILINE)
_COMPLETE = re.compile(r"^a=end-of-candidates\s*?\r?\n", re.MULTILINE)
_MESSAGE_LIMIT = re.compile(r"^a=max-message-size:(\d{1,18})\s*$", re.MULTILINE)
_DEFAULT_MESSAGE_LIMIT: Final = 64 * 1024
_H264 = re.compile(r"^a=rtpmap:\d+ H264/90000\s*$", re.MULTILINE | re.IGNORECASE)


def for_answering(sdp: str) -> str:
    """The offer without mDNS candidates and without the word that there are no more.

    Browsers hide their addresses behind mDNS names (RFC 8828). On another network a name resolves
    to nothing, and waiting for that costs a second; on the same network the browser's own checks
    reach the camera's plain addresses all the same. For those checks to be awaited aioice must
    not hear that all candidates are known: with none left it would give up at once.
    """
    return incomplete(without_mdns(sdp))


def incomplete(sdp: str) -> str:
    """The description without the word that there are no more candidates (RFC 8838 §8.2)."""
    return _COMPLETE.sub("", sdp)


def mdns_candidates(sdp: str) -> list[str]:
    """What ``without_mdns`` takes out, as in ``IceCandidate``."""
    return [line.strip().removeprefix("a=") for line in _MDNS.findall(sdp)]


def first_mid(sdp: str) -> str:
    """Which section a bundle's candidates belong to (RFC 9143 §7.1.3)."""
    found = _MID.search(sdp)
    return found[1] if found else "0"


def without_mdns(sdp: str) -> str:
    """The description without mDNS candidates."""
    return _MDNS.sub("", sdp)


def is_mdns(candidate: str) -> bool:
    """Whether a trickled candidate is one of those."""
    parts = candidate.split()
    return len(parts) > 4 and parts[4].endswith(".local")  # noqa: PLR2004


def has_section(sdp: str, kind: str) -> bool:
    """Whether there is a media section of the kind that is not rejected (port 0)."""
    return re.search(rf"^m={kind} (?!0 )", sdp, re.MULTILINE) is not None


def asks_for_channel(sdp: str) -> bool:
    """Whether the offerer wants no media but a data channel (RFC 8841), as on the fMP4 leg."""
    return has_section(sdp, "application") and not has_section(sdp, "video")


def message_limit(sdp: str) -> float:
    """Bytes that the peer takes in one message of a data channel (RFC 8841 §6.1)."""
    found = _MESSAGE_LIMIT.search(sdp)
    return (int(found[1]) or inf) if found else _DEFAULT_MESSAGE_LIMIT


def has_h264(sdp: str) -> bool:
    """Whether the peer can take H.264 at all."""
    return _H264.search(sdp) is not None
