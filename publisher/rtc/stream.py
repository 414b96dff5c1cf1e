"""One viewer's RTP stream: headers, SRTP, retransmission; no object is made for a packet.

A burst, made once for all viewers, is copied, given its headers, encrypted in place and sent. What
was lost is made anew from the burst, which all viewers' histories share.
"""

import functools
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

import pylibsrtp
from aiortc.rtp import HeaderExtensions, HeaderExtensionsMap
from pylibsrtp import Session

from publisher.media.packets import SECOND
from publisher.media.rtp import BURST_BYTES, Burst
from publisher.rtc.history import History, RepairBudget, Repeats, Sent
from publisher.rtc.path import Path
from publisher.rtc.reception import Reception
from publisher.rtc.reports import Reports

MOST_NAMED: Final = 1024  # packets that one NACK may name: more than an IDR has
REPEATABLE: Final = 1000  # packets: aiortc's window is 1024, and libsrtp refuses what is older
_ABS_SEND_TIME_RATE: Final = 1 << 18  # Hz, of 24 bits
_NTP_EPOCH: Final = 2_208_988_800  # seconds from 1900 to 1970, RFC 868
_VERSION: Final = 0x80  # RFC 3550 §5.1
_EXTENSION: Final = 0x10
_ONE_BYTE: Final = b"\xbe\xde"  # headers of elements, RFC 8285 §4.2, with numbers below 15
_RESERVED: Final = 15

# The binding that pylibsrtp hides beneath its own calls, which copy twice. A version without it
# fails the self-test instead of the program's start.
_lib: Any = getattr(pylibsrtp, "lib", None)
_ffi: Any = getattr(pylibsrtp, "ffi", None)


class Workspace:
    """Where packets are encrypted: one for all streams, for nothing else runs meanwhile."""

    def __init__(self) -> None:
        self.memory: Any = _ffi.new("unsigned char[]", 2 * BURST_BYTES)
        self.buffer = memoryview(_ffi.buffer(self.memory))
        self.length: Any = _ffi.new("int *")


_workspace = functools.cache(Workspace)


class Extensions:
    """The header extensions of every packet, laid out as aiortc does.

    Behind them is room for the playout delay that it does not know; 0: that was not negotiated.
    """

    def __init__(self, negotiated: HeaderExtensionsMap, mid: str, playout_delay: int = 0) -> None:
        early, late = (
            _extensions(negotiated, HeaderExtensions(mid=mid, abs_send_time=moment))
            for moment in (0, 0xFFFFFF)
        )
        changing = [index for index, (a, b) in enumerate(zip(early, late, strict=True)) if a != b]
        fits = 0 < playout_delay < _RESERVED and early[:2] in (b"", _ONE_BYTE)
        self._playout_delay = playout_delay if fits else 0
        self._fixed = _with_room(early) if fits else early
        self._moment = changing[0] if changing else None

    def __len__(self) -> int:
        return len(self._fixed)

    def play_at_once(self, *, at_once: bool) -> None:
        """From the next packet on the receiver shall show pictures as they come, or as usual.

        Of the two limits, each of 12 bits and in 10 ms, the higher one is 0 or all that it can be.
        """
        if self._playout_delay:
            limits = 0 if at_once else 0xFFF
            element = bytes([self._playout_delay << 4 | 2]) + limits.to_bytes(3)
            self._fixed = self._fixed[: -len(element)] + element

    def at(self, now: float) -> bytes:
        """For packets that leave now, in Unix seconds."""
        if self._moment is None:
            return self._fixed
        ticks = int((now + _NTP_EPOCH) * _ABS_SEND_TIME_RATE) & 0xFFFFFF
        return self._fixed[: self._moment] + ticks.to_bytes(3) + self._fixed[self._moment + 3 :]


def _with_room(extensions: bytes) -> bytes:
    """Four bytes more, of padding: it may be between elements as behind them (RFC 8285 §4.2)."""
    words = len(extensions[4:]) // 4 + 1
    return _ONE_BYTE + words.to_bytes(2) + extensions[4:] + bytes(4)


def _extensions(negotiated: HeaderExtensionsMap, values: HeaderExtensions) -> bytes:
    profile, value = negotiated.set(values)
    return struct.pack("!HH", profile, len(value) // 4) + value if value else b""


@dataclass(frozen=True, slots=True)
class Parameters:
    """What was negotiated for one stream; ``origin`` and the sequences are chosen at random."""

    ssrc: int
    payload_type: int
    clock_rate: int  # Hz
    sequence: int
    origin: int  # timestamp of time 0
    repair_ssrc: int = 0
    repair_payload_type: int | None = None  # None: lost packets are repeated as they were
    repair_sequence: int = 0
    cname: str = ""


class Outcome(Enum):
    """Of a burst."""

    SENT = "sent"
    FULL = "full"  # the path takes no more for the moment
    LOST = "lost"


class RtpStream:
    """Sends bursts through a path, and packets of them again."""

    def __init__(
        self, path: Path, srtp: Session, tag: int, extensions: Extensions, parameters: Parameters
    ) -> None:
        self._path = path
        self._work = _workspace()
        self._srtp = srtp  # keeps what the pointer points to
        self._context = srtp._srtp[0]  # noqa: SLF001
        self._extensions = extensions
        self._parameters = parameters
        self._first = _VERSION | _EXTENSION * bool(len(extensions))
        self._rtx = parameters.repair_payload_type is not None
        self._header = struct.Struct(f"!BBHII{len(extensions)}s")
        self._count = 0  # packets that have a number
        self._repair_sequence = parameters.repair_sequence
        self._last_ticks: int | None = None
        self._history = History()
        self._budget = RepairBudget()
        self._repeats = Repeats()
        self._rest: tuple[memoryview, Sent]
        self.head = self._header.size
        self.tag = tag
        self._pts = 0  # of the unit that was sent last
        self.estimate: int | None = None  # what the receiver thinks that the path carries, bit/s
        self.reception = Reception()
        self.reports = Reports(parameters.ssrc, parameters.cname, time.monotonic())
        self.packets = 0
        self.octets = 0  # of payload
        self.repaired = 0
        self.unrepaired = 0  # packets that were asked for: too old, or too many
        self.unencrypted = 0  # bursts and packets that libsrtp refused; none of them was sent

    def use(self, pts: int) -> int:
        """The timestamp for a unit of this time, in microseconds; never the same, never older.

        Pictures of a GOP that is sent once more are so packed between the last picture and the
        next one: a receiver takes no timestamp that it has had.
        """
        ticks = self._ticks_of(pts)
        if self._last_ticks is not None and ticks <= self._last_ticks:
            ticks = self._last_ticks + 1
        self._last_ticks = ticks
        self._pts = pts
        return (self._parameters.origin + ticks) & 0xFFFFFFFF

    def _ticks_of(self, pts: int) -> int:
        return pts * self._parameters.clock_rate // SECOND

    def send(self, burst: Burst, timestamp: int) -> Outcome:
        """Sends all packets of the burst; what is left of the one before is given up."""
        now = time.time()
        first, self._count = self._count, self._count + len(burst.packets)
        # Numbers are never used twice, also when nothing was sent: the cipher's nonce is made of
        # them.
        if not self._protect(burst, first, timestamp, self._extensions.at(now)):
            self.unencrypted += 1
            return Outcome.LOST
        packets = self._work.buffer[: len(burst.data)]
        outcome = self._pass_on(packets, Sent(first, timestamp, now, burst))
        self._report()
        return outcome

    def go_on(self) -> Outcome:
        """Sends what the path did not take of the burst that was sent last."""
        outcome = self._pass_on(*self._rest)
        self._report()
        return outcome

    def _pass_on(self, packets: memoryview, sent: Sent) -> Outcome:
        burst = sent.burst
        taken = self._path.send(packets, burst.size)
        if taken is None:
            return Outcome.LOST
        if taken < len(packets):
            # A copy: where they lie, the next viewer's will be encrypted.
            self._rest = memoryview(bytes(packets[taken:])), sent
            return Outcome.FULL
        # What was never sent to its end is not worth repairing: a key frame comes next.
        self._history.add(sent)
        self.packets += len(burst.packets)
        self.octets += burst.octets
        return Outcome.SENT

    def _protect(self, burst: Burst, count: int, timestamp: int, extensions: bytes) -> bool:
        # The hot loop: about a microsecond a packet, and most of it is the cipher's.
        pack_into, protect, context = self._header.pack_into, _lib.srtp_protect, self._context
        memory, buffer, size = self._work.memory, self._work.buffer, self._work.length
        p = self._parameters
        first, payload_type, ssrc = self._first, p.payload_type, p.ssrc
        sequence = (p.sequence + count) & 0xFFFF
        buffer[: len(burst.data)] = burst.data
        for offset, length, marker in burst.packets:
            pack_into(
                buffer, offset,
                first, payload_type | marker, sequence, timestamp, ssrc, extensions,
            )  # fmt: skip
            size[0] = length
            if protect(context, memory + offset, size):
                return False  # and the packet still lies there in clear
            sequence = (sequence + 1) & 0xFFFF
        return True

    def _report(self) -> None:
        """Sends what is due of reports, behind what it reports of."""
        now = time.monotonic()
        if now < self.reports.due:
            return
        # The picture's own time, whatever it was packed to.
        timestamp = (self._parameters.origin + self._ticks_of(self._pts)) & 0xFFFFFFFF
        ntp, packet = self.reports.make(self._pts, timestamp, self.packets, self.octets)
        if self._send_one(packet, _lib.srtp_protect_rtcp):
            self.reports.sent(now)
            self.reception.sent(ntp, now)

    def _send_one(self, packet: bytes, protect: Any) -> bool:
        work = self._work
        work.buffer[: len(packet)] = packet
        work.length[0] = len(packet)
        if protect(self._context, work.memory, work.length):
            self.unencrypted += 1
            return False
        size: int = work.length[0]
        return self._path.send(work.buffer[:size], size) == size

    # ── retransmission ───────────────────────────────────────────────────────────────────────

    def resend(self, sequences: Sequence[int]) -> None:
        """Sends these packets again, as RTX (RFC 4588) where that was negotiated.

        Numbers count modulo 65536: aiortc names 65536 where a NACK's mask reaches beyond 65535.
        """
        now = time.time()
        before, under_way = self.repaired, 0
        for sequence in sequences[:MOST_NAMED]:
            count = self._count_of(sequence)
            sent = self._history.find(count)
            if sent is None:
                continue
            if not self._repeats.due(count, now, self.reception.round_trip or 0.0):
                under_way += 1
                continue
            if not self._budget.spend(sent.burst.size) or not self._resend(count, sent, now):
                break
            self.repaired += 1
        self.unrepaired += len(sequences) - (self.repaired - before) - under_way

    def play_at_once(self, *, at_once: bool) -> None:
        """Whether the receiver shall show pictures as they come, from the next burst on.

        Not where lost packets are repeated as they were: they would no longer be.
        """
        if self._rtx:
            self._extensions.play_at_once(at_once=at_once)

    def forget(self) -> None:
        """What was sent until now is not sent again."""
        self._history = History()

    def _count_of(self, sequence: int) -> int:
        """Of the newest packet with this number; negative where nothing can be had."""
        age = (self._parameters.sequence + self._count - sequence) & 0xFFFF
        return -1 if age > REPEATABLE and not self._rtx else self._count - age

    def _resend(self, count: int, sent: Sent, now: float) -> bool:
        index = count - sent.first
        sequence = (self._parameters.sequence + count) & 0xFFFF
        marker = sent.burst.packets[index].marker
        again = self._rtx_header if self._rtx else self._same_header
        packet = again(sequence, marker, sent, now) + sent.burst.payload(index)
        return self._send_one(packet, _lib.srtp_protect)

    def _same_header(self, sequence: int, marker: int, sent: Sent, _now: float) -> bytes:
        """As it was, to the bit: another packet under the same nonce would betray the cipher's key.

        (RFC 7714 §8.4: two texts under one nonce let anybody forge packets.)
        """
        p = self._parameters
        extensions = self._extensions.at(sent.at)
        header = (self._first, p.payload_type | marker, sequence, sent.timestamp, p.ssrc)
        return self._header.pack(*header, extensions)

    def _rtx_header(self, sequence: int, marker: int, sent: Sent, now: float) -> bytes:
        """A new number, and the old one before the payload (RFC 4588 §4)."""
        p = self._parameters
        number = self._repair_sequence
        self._repair_sequence = (number + 1) & 0xFFFF
        payload_type = (p.repair_payload_type or 0) | marker
        header = (self._first, payload_type, number, sent.timestamp, p.repair_ssrc)
        return self._header.pack(*header, self._extensions.at(now)) + sequence.to_bytes(2)
