"""Access units as RTP packets (RFC 6184, packetization mode 1): made once, shared by all viewers.

What differs between viewers is the header and the encryption, so a burst is an image of its
packets with room for both: a viewer's stream copies it, fills in the headers and sends it.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from publisher.media.bitstream import split_annex_b
from publisher.media.units import AccessUnit, AudioBlock

PAYLOAD_BYTES: Final = 1150
"""What is left of IPv6's smallest MTU, 1280, below the headers of IPv6 (40), UDP (8), TURN (36),
RTP with extensions (28), RTX (2) and the SRTP tag (16)."""
BURST_BYTES: Final = 32 * 1024  # half of what fits a receiver's socket while it is not read

_STAP_A: Final = 24  # NAL unit types of RFC 6184 §5.4
_FU_A: Final = 28
_START: Final = 0x80  # of an FU header, §5.8
_END: Final = 0x40
_MARKER: Final = 0x80  # beside the payload type, RFC 3550 §5.1


class Packet(NamedTuple):
    """Where a packet lies in its burst: with its header, without its tag."""

    offset: int
    length: int
    marker: int  # to be added to the payload type


class Burst:
    """Packets of one size, only the last may be shorter: what one system call can send.

    ``data`` has ``head`` bytes before and ``tag`` bytes behind each payload; ``last`` says whether
    the unit ends with this burst.
    """

    __slots__ = ("data", "head", "octets", "packets", "size")

    def __init__(self, payloads: list[bytes], head: int, tag: int, *, last: bool) -> None:
        self.data = b"".join((bytes(head), bytes(tag + head).join(payloads), bytes(tag)))
        self.head = head
        self.size = size = head + len(payloads[0]) + tag
        self.octets = len(self.data) - len(payloads) * (head + tag)
        begin = (len(payloads) - 1) * size
        self.packets = [Packet(offset, size - tag, 0) for offset in range(0, begin, size)]
        self.packets.append(Packet(begin, head + len(payloads[-1]), _MARKER if last else 0))

    def payload(self, index: int) -> bytes:
        """The payload of one packet."""
        offset, length, _ = self.packets[index]
        return self.data[offset + self.head : offset + length]

    def split(self, most: int) -> Iterator["Burst"]:
        """Its packets in bursts of so many bytes, or of one packet."""
        payloads = [self.payload(index) for index in range(len(self.packets))]
        tag = self.size - self.head - len(payloads[0])
        count = max(1, most // self.size)
        for begin in range(0, len(payloads), count):
            last = bool(self.packets[-1].marker) and begin + count >= len(payloads)
            yield Burst(payloads[begin : begin + count], self.head, tag, last=last)


class Packetiser:
    """The bursts of one camera's units; those of the newest unit are kept for the next viewer."""

    def __init__(self) -> None:
        self._unit: AccessUnit | AudioBlock | None = None
        self._payloads: list[bytes] = []
        self._bursts: dict[tuple[int, int], tuple[Burst, ...]] = {}

    def bursts(self, unit: AccessUnit | AudioBlock, head: int, tag: int) -> tuple[Burst, ...]:
        """The unit in packets with so many bytes of header and of authentication tag."""
        if unit is not self._unit:
            self._unit = unit
            self._payloads = _payloads(unit)
            self._bursts = {}
        known = self._bursts.get((head, tag))
        if known is None:
            known = self._bursts[head, tag] = tuple(bursts(self._payloads, head, tag))
        return known


def _payloads(unit: AccessUnit | AudioBlock) -> list[bytes]:
    return h264_payloads(unit.data) if isinstance(unit, AccessUnit) else [unit.data]


def bursts(payloads: list[bytes], head: int, tag: int) -> Iterator[Burst]:
    """The payloads of one unit in order, the last packet with the marker (RFC 6184 §5.1)."""
    room = BURST_BYTES // (PAYLOAD_BYTES + head + tag)
    begin = 0
    while begin < len(payloads):
        end = _end_of_burst(payloads, begin, min(begin + room, len(payloads)))
        yield Burst(payloads[begin:end], head, tag, last=end == len(payloads))
        begin = end


def _end_of_burst(payloads: list[bytes], begin: int, most: int) -> int:
    """Behind those that are as long as the first one, and one that is shorter."""
    size = len(payloads[begin])
    for at in range(begin + 1, most):
        if len(payloads[at]) != size:
            return at + (len(payloads[at]) < size)
    return most


def h264_payloads(data: bytes, limit: int = PAYLOAD_BYTES) -> list[bytes]:
    """The payloads of one access unit in annex B: small NAL units together, large ones in parts."""
    payloads: list[bytes] = []
    together: list[bytes] = []
    size = 1
    for nal in split_annex_b(data):
        if together and size + 2 + len(nal) > limit:
            payloads.append(_aggregate(together))
            together, size = [], 1
        if len(nal) > limit:
            payloads += _fragments(nal, limit)
        else:
            together.append(nal)
            size += 2 + len(nal)
    return [*payloads, _aggregate(together)] if together else payloads


def _aggregate(nals: list[bytes]) -> bytes:
    """One NAL unit as it is (§5.6), several as a STAP-A (§5.7.1)."""
    if len(nals) == 1:
        return nals[0]
    header = max(nal[0] & 0x60 for nal in nals) | any(nal[0] & 0x80 for nal in nals) << 7 | _STAP_A
    return bytes([header]) + b"".join(len(nal).to_bytes(2) + nal for nal in nals)


def _fragments(nal: bytes, limit: int) -> list[bytes]:
    """Parts as FU-A (§5.8): equally long, for then one system call sends them all."""
    count = -(-(len(nal) - 1) // (limit - 2))
    size = -(-(len(nal) - 1) // count)
    indicator, kind = nal[0] & 0xE0 | _FU_A, nal[0] & 0x1F
    first, middle, last = (bytes([indicator, at | kind]) for at in (_START, 0, _END))
    parts = [middle + nal[begin : begin + size] for begin in range(1, len(nal), size)]
    parts[0] = first + parts[0][2:]
    parts[-1] = last + parts[-1][2:]
    return parts
