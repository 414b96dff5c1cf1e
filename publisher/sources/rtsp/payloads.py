"""NAL units out of RTP payloads: H.264 (RFC 6184 §5.6 to §5.8) and H.265 (RFC 7798 §4.4)."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from publisher.media import h264, hevc
from publisher.media.bitstream import MalformedError
from publisher.media.syntax import Syntax

_STAP_A, _FU_A = 24, 28
_AP, _FU = 48, 49
_FIRST: Final = 0x80  # of a fragment's header: it begins the NAL unit
_LAST: Final = 0x40


class Piece(NamedTuple):
    """A NAL unit or a part of it; the first part has the unit's header."""

    begins: bool
    ends: bool
    kind: int  # of the NAL unit
    data: bytes


@dataclass(frozen=True, slots=True)
class PayloadFormat:
    """How one codec is carried. ``pieces`` raises MalformedError."""

    syntax: Syntax
    pieces: Callable[[memoryview], Sequence[Piece]]
    header: int  # bytes of a NAL unit's
    fragment: tuple[int, int]  # a fragment's type as in the payload's first byte, and its mask

    def middle(self, payload: memoryview) -> bytes | None:
        """What the next payload begins with if it goes on with this one's NAL unit.

        None if this one is no fragment.
        """
        kind, mask = self.fragment
        at = self.header  # of the fragment's own header
        if len(payload) <= at or payload[0] & mask != kind:
            return None
        return bytes((*payload[:at], payload[at] & ~(_FIRST | _LAST)))

    def starts_picture(self, piece: Piece) -> bool:
        """Whether nothing of its picture can have come before: no slice, or the first one.

        first_mb_in_slice is zero, written as a one; first_slice_segment_in_pic_flag is set.
        """
        if not piece.begins:
            return False
        slices = self.syntax.is_picture(piece.kind)
        return not slices or piece.data[self.header : self.header + 1] >= b"\x80"


def _h264_pieces(payload: memoryview) -> Sequence[Piece]:
    if len(payload) < 2:  # noqa: PLR2004
        raise MalformedError("a payload is too short")
    kind = payload[0] & 31
    if kind == _FU_A:
        header = payload[1]
        kind = header & 31
        head = bytes((payload[0] & 0xE0 | kind,))
        return (_fragment(header, kind, head, payload[2:]),)
    if 0 < kind < _STAP_A:
        return (_whole(kind, bytes(payload)),)
    if kind == _STAP_A:
        return [_whole(nal[0] & 31, nal) for nal in _aggregated(payload[1:])]
    raise MalformedError("a payload of an unknown type")


def _h265_pieces(payload: memoryview) -> Sequence[Piece]:
    if len(payload) < 3:  # noqa: PLR2004
        raise MalformedError("a payload is too short")
    kind = payload[0] >> 1 & 63
    if kind == _FU:
        header = payload[2]
        kind = header & 63
        head = bytes((payload[0] & 0x81 | kind << 1, payload[1]))
        return (_fragment(header, kind, head, payload[3:]),)
    if kind < _AP:
        return (_whole(kind, bytes(payload)),)
    if kind == _AP:
        return [_whole(nal[0] >> 1 & 63, nal) for nal in _aggregated(payload[2:])]
    raise MalformedError("a payload of an unknown type")


def _whole(kind: int, nal: bytes) -> Piece:
    return Piece(True, True, kind, nal)


def _fragment(header: int, kind: int, head: bytes, part: memoryview) -> Piece:
    begins = header & _FIRST != 0
    return Piece(begins, header & _LAST != 0, kind, head + part if begins else bytes(part))


def _aggregated(data: memoryview) -> Iterator[bytes]:
    while len(data) >= 2:  # noqa: PLR2004
        size = data[0] << 8 | data[1]
        if not 0 < size <= len(data) - 2:
            raise MalformedError("a NAL unit's length does not fit its packet")
        yield bytes(data[2 : 2 + size])
        data = data[2 + size :]


H264: Final = PayloadFormat(h264.SYNTAX, _h264_pieces, header=1, fragment=(_FU_A, 31))
H265: Final = PayloadFormat(hevc.SYNTAX, _h265_pieces, header=2, fragment=(_FU << 1, 63 << 1))
