"""Access units as RTP packets (RFC 6184, packetization mode 1): made once, shared by all viewers.

What differs between viewers is the header and the encryption, so a burst is an image of its
packets with room for both: a viewer's stream copies it, fills in the headers and sends it.
"""

from collections.abc import Iterable, Iterator
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

    ``data`` has ``head`` bytes before and ``tag`` bytes behind each payload.
    """

    __slots__ = ("data", "head", "octets", "packets", "size")

    def __init__(self, payloads: list[bytes], head: int, tag: int, *, last: bool) -> None:
        before, behind = bytes(head), bytes(tag)
        self.data = b"".join(part for p in payloads for part in (before, p, behind))
        self.head = head
        self.size = head + len(payloads[0]) + tag
        self.octets = sum(map(len, payloads))
        end = len(payloads) - 1 if last else len(payloads)
        self.packets = tuple(
            Packet(index * self.size, head + len(payload), _MARKER * (index == end))
            for index, payload in enumerate(payloads)
        )

    def payload(self, index: int) -> bytes:
        """The payload of one packet."""
        packet = self.packets[index]
        return self.data[packet.offset + self.head : packet.offset + packet.length]


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
    return list(h264_payloads(unit.data)) if isinstance(unit, AccessUnit) else [unit.data]


def bursts(payloads: list[bytes], head: int, tag: int) -> Iterator[Burst]:
    """The payloads of one unit in order, the last packet with the marker (RFC 6184 §5.1)."""
    room = BURST_BYTES // (PAYLOAD_BYTES + head + tag)
    begin = 0
    for at in range(1, len(payloads) + 1):
        end = at == len(payloads)
        if end or at - begin >= room or not _continues(payloads, begin, at):
            yield Burst(payloads[begin:at], head, tag, last=end)
            begin = at


def _continues(payloads: list[bytes], begin: int, at: int) -> bool:
    """Whether the payload fits behind the others: none was shorter, and it is no longer."""
    return len(payloads[at]) <= len(payloads[begin]) == len(payloads[at - 1])


def h264_payloads(data: bytes, limit: int = PAYLOAD_BYTES) -> Iterator[bytes]:
    """The payloads of one access unit in annex B: small NAL units together, large ones in parts."""
    together: list[bytes] = []
    size = 1
    for nal in split_annex_b(data):
        if together and size + 2 + len(nal) > limit:
            yield _aggregate(together)
            together, size = [], 1
        if len(nal) > limit:
            yield from _fragments(nal, limit)
        else:
            together.append(nal)
            size += 2 + len(nal)
    if together:
        yield _aggregate(together)


def _aggregate(nals: list[bytes]) -> bytes:
    """One NAL unit as it is (§5.6), several as a STAP-A (§5.7.1)."""
    if len(nals) == 1:
        return nals[0]
    header = max(nal[0] & 0x60 for nal in nals) | any(nal[0] & 0x80 for nal in nals) << 7 | _STAP_A
    return bytes([header]) + b"".join(_sized(nals))


def _sized(nals: Iterable[bytes]) -> Iterator[bytes]:
    for nal in nals:
        yield len(nal).to_bytes(2)
        yield nal


def _fragments(nal: bytes, limit: int) -> Iterator[bytes]:
    """Parts as FU-A (§5.8): equally long, for then one system call sends them all."""
    count = -(-(len(nal) - 1) // (limit - 2))
    size = -(-(len(nal) - 1) // count)
    indicator, kind = nal[0] & 0xE0 | _FU_A, nal[0] & 0x1F
    for begin in range(1, len(nal), size):
        place = _START * (begin == 1) | _END * (begin + size >= len(nal))
        yield bytes([indicator, place | kind]) + nal[begin : begin + size]
