"""Sound out of RTP packets: AAC (RFC 3640 §3.3.6), and what travels one block in a packet."""

from typing import Final

from publisher.sources.rtsp.rtp import RtpPacket
from publisher.sources.rtsp.units import Coded

_HEADER: Final = 2  # bytes, of an access unit: 13 bits of size, 3 of index
_INDEX_BITS: Final = 3


class Blocks:
    """G.711 (RFC 3551 §4.5.14) and Opus (RFC 7587 §4.2)."""

    damaged = 0

    def put(self, packet: RtpPacket, *, gap: bool) -> list[Coded]:  # noqa: ARG002
        """The packet's block."""
        if not packet.payload:
            return []
        return [Coded(bytes(packet.payload), packet.timestamp, key=True)]


class Aac:
    """AAC-hbr: one frame or more in a packet, or a part of one."""

    def __init__(self, samples: int) -> None:
        """``samples`` of a frame, in ticks of the stream's clock."""
        self._samples = samples
        self._parts: list[bytes] = []
        self._missing = 0  # bytes of the frame that came in part
        self._timestamp = -1
        self.damaged = 0

    def put(self, packet: RtpPacket, *, gap: bool) -> list[Coded]:
        """The frames that are complete."""
        found = _sections(packet.payload)
        if found is None:
            self.damaged += 1
            return []
        sizes, data = found
        if self._missing:
            if not gap and packet.timestamp == self._timestamp:
                return self._go_on(data)
            self._give_up()
        if len(sizes) == 1 and sizes[0] > len(data):
            return self._begin(packet.timestamp, sizes[0], data)
        return self._frames(packet.timestamp, sizes, data)

    def _frames(self, timestamp: int, sizes: list[int], data: memoryview) -> list[Coded]:
        frames = []
        for number, size in enumerate(sizes):
            if not 0 < size <= len(data):
                self.damaged += 1
                break
            time = (timestamp + number * self._samples) & 0xFFFFFFFF
            frames.append(Coded(bytes(data[:size]), time, key=True))
            data = data[size:]
        return frames

    def _begin(self, timestamp: int, size: int, data: memoryview) -> list[Coded]:
        self._parts = [bytes(data)]
        self._missing = size - len(data)
        self._timestamp = timestamp
        return []

    def _go_on(self, data: memoryview) -> list[Coded]:
        self._parts.append(bytes(data[: self._missing]))
        self._missing -= len(self._parts[-1])
        if self._missing or not data:
            return []
        frame, self._parts = b"".join(self._parts), []
        return [Coded(frame, self._timestamp, key=True)]

    def _give_up(self) -> None:
        self.damaged += 1
        self._parts, self._missing = [], 0


def _sections(payload: memoryview) -> tuple[list[int], memoryview] | None:
    """The sizes of a packet's frames, and what follows the headers."""
    if len(payload) < 2 * _HEADER:
        return None
    bits = payload[0] << 8 | payload[1]
    begin = 2 + (bits + 7) // 8
    if bits % 16 or not bits or begin > len(payload):
        return None
    headers = (payload[at] << 8 | payload[at + 1] for at in range(2, begin, _HEADER))
    return [header >> _INDEX_BITS for header in headers], payload[begin:]
