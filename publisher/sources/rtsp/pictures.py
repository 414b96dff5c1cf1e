"""Pictures out of RTP packets, complete with the marker bit and not a packet later.

A picture with a hole is dropped and counted: nothing is lost inside TCP, but cameras leave packets
out when their buffers are full. Cameras that do not set the marker, or set it inside a picture,
are recognised: then a picture ends when the timestamp changes.
"""

from typing import Final

from publisher.media.bitstream import START_CODE, MalformedError
from publisher.sources.rtsp.payloads import PayloadFormat, Piece
from publisher.sources.rtsp.rtp import RtpPacket
from publisher.sources.rtsp.units import Coded

MAX_BYTES: Final = 16 * 1024 * 1024


class Pictures:
    """One video stream's packets on their way to access units in Annex B."""

    def __init__(self, payload_format: PayloadFormat) -> None:
        self._format = payload_format
        self._parts: list[bytes] = []
        self._kinds: set[int] = set()
        self._size = 0
        self._timestamp = -1
        self._open = False  # inside a fragmented NAL unit
        self._broken = False
        self._shown_at = -1  # timestamp of the last picture that was handed on
        self._markers_lie = False
        self.middle: bytes | None = None
        """What a payload begins with that goes on with the open NAL unit."""
        self.damaged = 0
        """Access units that were dropped."""
        self.unmarked = 0
        """Access units whose end was known by the next one only."""

    def put(self, packet: RtpPacket, *, gap: bool) -> list[Coded]:
        """The access units that are complete; ``gap``: packets are missing before this one."""
        done: list[Coded] = []
        if packet.timestamp != self._timestamp:
            self._broken = self._broken or (gap and bool(self._parts))
            self.unmarked += self._pending
            done += self._finish()
            self._timestamp = packet.timestamp
        self._take(packet.payload, gap=gap)
        if packet.marker and not self._markers_lie:
            done += self._finish()
        whole = self._broken or not self._open
        self.middle = None if whole else self._format.middle(packet.payload)
        return done

    def go_on(self, parts: list[bytes]) -> None:
        """Takes what payloads have behind ``middle``."""
        self._parts += parts
        self._size += sum(map(len, parts))
        if self._size > MAX_BYTES:
            self._broken = True
            self._parts.clear()

    @property
    def _pending(self) -> bool:
        return bool(self._parts) or self._broken

    def _take(self, payload: memoryview, *, gap: bool) -> None:
        try:
            for piece in self._format.pieces(payload):
                if gap:
                    fresh = not self._parts and self._format.starts_picture(piece)
                    self._broken = self._broken or not fresh
                    gap = False
                self._append(piece)
        except MalformedError:
            self._broken = True

    def _append(self, piece: Piece) -> None:
        self._size += len(piece.data)
        if piece.begins == self._open or self._size > MAX_BYTES:
            self._broken = True
        if self._broken:
            self._parts.clear()
            return
        if piece.begins:
            self._parts.append(START_CODE)
            self._kinds.add(piece.kind)
        self._parts.append(piece.data)
        self._open = not piece.ends

    def _finish(self) -> list[Coded]:
        parts, kinds = self._parts, self._kinds
        broken = self._broken or self._open
        self.damaged += broken
        self._parts, self._kinds, self._size = [], set(), 0
        self._open = self._broken = False
        if broken or not parts:
            return []
        syntax = self._format.syntax
        if any(map(syntax.is_picture, kinds)):
            # Two pictures of one time are one picture, or the fields of one.
            self._markers_lie = self._markers_lie or self._shown_at == self._timestamp
            self._shown_at = self._timestamp
        return [Coded(b"".join(parts), self._timestamp, any(map(syntax.is_key, kinds)))]
