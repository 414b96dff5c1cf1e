"""Segments of fMP4 as a viewer gets them: a large one comes in several messages."""

from typing import Final

_HEAD: Final = 8  # bytes: the box's size and kind (ISO/IEC 14496-12 §4.2)
_LAST: Final = (b"moov", b"mdat")  # the boxes with which an init segment, and any other, ends


def whole_segments(media: bytes) -> bytes:
    """Without the segment that is under way: a demuxer would take what is there of it for all."""
    at = end = 0
    while at + _HEAD <= len(media):
        kind = media[at + 4 : at + _HEAD]
        at += max(_HEAD, int.from_bytes(media[at : at + 4]))
        if at <= len(media) and kind in _LAST:
            end = at
    return media[:end]
