"""What arrives at a viewer, packet by packet: counted, partly lost on purpose, asked for again.

It takes the place of aiortc's receivers, which cost several times as much, beneath a peer
connection that does the rest. Nothing is decoded.
"""

import asyncio
import itertools
import random
import struct
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final

from aiortc import RTCPeerConnection
from aiortc.rtp import (
    RTCP_PSFB_APP,
    RTCP_PSFB_PLI,
    RTCP_RTPFB_NACK,
    RtcpPsfbPacket,
    RtcpReceiverInfo,
    RtcpRrPacket,
    RtcpRtpfbPacket,
    is_rtcp,
    pack_remb_fci,
)

_TICK_SECONDS: Final = 0.05  # how long a packet that was asked for may take
_REPORT_TICKS: Final = 20
_MOST_NAMED: Final = 200  # packets in one NACK
_HEADER: Final = struct.Struct("!BBHII")


@dataclass
class Stream:
    """One RTP stream as it comes."""

    ssrc: int
    next: int  # the sequence number after the highest
    received: int = 0
    missing: set[int] = field(default_factory=set)
    timestamps: list[int] = field(default_factory=list)  # of its packets, in order of sending


class RtpReceiver:
    """Attached to a peer connection that has its descriptions and is not connected yet.

    ``loss`` of all packets of pictures, also of repeated ones, are lost, by ``seed``. The streams
    are told by the kind of media that a payload type stands for in the answer.
    """

    def __init__(self, connection: RTCPeerConnection, *, loss: float = 0.0, seed: int = 0) -> None:
        self._video, self._rtx = _payload_types(connection)
        self._dtls: Any = connection.getTransceivers()[0].receiver.transport
        ice: Any = self._dtls.transport._connection
        self._stock = ice.data_received
        ice.data_received = self._take
        self._random = random.Random(seed)
        self.loss = loss
        self.rate: float | None = None  # bytes/s that the path takes; what is more is lost
        self._room, self._filled = 0.0, time.monotonic()
        self.keep = False
        self.payloads: dict[int, bytes] = {}  # of pictures, by sequence number, if ``keep``
        self.frames: deque[float] = deque(maxlen=10_000)  # when each picture's last packet came
        self.video: Stream | None = None
        self.arrived = self.sounds = self.lost = self.repaired = self.bytes = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._ticking = asyncio.create_task(self._tick())

    def close(self) -> None:
        """Sends nothing more."""
        self._ticking.cancel()

    @property
    def received(self) -> int:
        """Packets of pictures so far, each once."""
        return self.video.received if self.video else 0

    def forget(self) -> None:
        """Starts counting anew."""
        self.frames.clear()
        self.lost = self.repaired = self.sounds = self.bytes = 0
        if self.video:
            self.video.received = 0

    # ── packets ──────────────────────────────────────────────────────────────────────────────

    def _take(self, data: bytes, component: int) -> None:
        if not 127 < data[0] < 192 or is_rtcp(data) or self._dtls._rx_srtp is None:
            self._stock(data, component)
            return
        self.arrived += 1
        self.bytes += len(data)
        payload_type = data[1] & 0x7F
        if payload_type not in (self._video, self._rtx):
            self.sounds += 1
        elif self._random.random() < self.loss or self._over(len(data)):
            self.lost += 1
        else:
            self._picture(self._dtls._rx_srtp.unprotect(data), payload_type)

    def _over(self, size: int) -> bool:
        """Whether the packet is more than the rate allows, with a tenth of a second's burst."""
        if self.rate is None:
            return False
        now = time.monotonic()
        self._room = min(self._room + (now - self._filled) * self.rate, self.rate / 10)
        self._filled = now
        if self._room < size:
            return True
        self._room -= size
        return False

    def _picture(self, packet: bytes, payload_type: int) -> None:
        first, second, sequence, timestamp, ssrc = _HEADER.unpack_from(packet)
        payload = packet[_payload_at(first, packet) :]
        if payload_type == self._rtx:
            sequence, payload = int.from_bytes(payload[:2]), payload[2:]
            self.repaired += 1
        if self.video is None:
            self.video = Stream(ssrc, sequence)
        if self._new(self.video, sequence):
            self.video.received += 1
            self._keep(sequence, timestamp, payload)
        if second & 0x80:
            self.frames.append(time.monotonic())

    def _keep(self, sequence: int, timestamp: int, payload: bytes) -> None:
        if self.keep and self.video:
            self.payloads[sequence] = payload
            self.video.timestamps.append(timestamp)

    def _new(self, stream: Stream, sequence: int) -> bool:
        ahead = (sequence - stream.next) & 0xFFFF
        if ahead < 0x8000:
            gap = {(stream.next + step) & 0xFFFF for step in range(ahead)}
            stream.missing |= gap
            stream.next = (sequence + 1) & 0xFFFF
            self._ask(gap)
            return True
        known = sequence not in stream.missing
        stream.missing.discard(sequence)
        return not known

    # ── control ──────────────────────────────────────────────────────────────────────────────

    def ask_for_key_frame(self) -> None:
        """A PLI."""
        if self.video:
            self._send(bytes(RtcpPsfbPacket(RTCP_PSFB_PLI, 1, self.video.ssrc)))

    def estimate(self, bit_rate: int) -> None:
        """A REMB."""
        if self.video:
            fci = pack_remb_fci(bit_rate, [self.video.ssrc])
            self._send(bytes(RtcpPsfbPacket(RTCP_PSFB_APP, 1, 0, fci)))

    def _ask(self, sequences: set[int]) -> None:
        if sequences and self.video:
            named = sorted(sequences)[:_MOST_NAMED]
            self._send(bytes(RtcpRtpfbPacket(RTCP_RTPFB_NACK, 1, self.video.ssrc, named)))

    def _report(self) -> None:
        if self.video:
            report = RtcpReceiverInfo(self.video.ssrc, 0, 0, self.video.next, 0, 0, 0)
            self._send(bytes(RtcpRrPacket(1, [report])))

    def _send(self, control: bytes) -> None:
        task = asyncio.create_task(self._dtls._send_rtp(control))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _tick(self) -> None:
        asked: set[int] = set()
        for tick in itertools.count(1):
            await asyncio.sleep(_TICK_SECONDS)
            missing = self.video.missing if self.video else set()
            self._ask(missing & asked)
            asked = set(missing)
            if tick % _REPORT_TICKS == 0:
                self._report()


def _payload_at(first: int, packet: bytes) -> int:
    begin = 12 + 4 * (first & 0x0F)
    if first & 0x10:
        begin += 4 + 4 * int.from_bytes(packet[begin + 2 : begin + 4])
    return begin


def _payload_types(connection: RTCPeerConnection) -> tuple[int, int | None]:
    """H.264's, and that of its repetitions if there is one."""
    (video,) = (t for t in connection.getTransceivers() if t.kind == "video")
    codecs: Any = video._codecs
    rtx = [c.payloadType for c in codecs if c.name == "rtx"]
    apt = {c.parameters.get("apt"): c.payloadType for c in codecs if c.name == "rtx"}
    chosen = codecs[0].payloadType
    return chosen, apt.get(chosen, rtx[0] if rtx else None)
