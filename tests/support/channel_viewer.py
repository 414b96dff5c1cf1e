"""A viewer of the fMP4 leg without a browser: aiortc's data channel, and every message kept."""

import asyncio
import contextlib
import io
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import av
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from publisher.media import bitstream
from publisher.media.packets import SECOND
from tests.support.segments import whole_segments
from tests.support.waiting import until

_PATH_PACKETS = 30

Answering = Callable[[str], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class Picture:
    """One sample of picture as a demuxer finds it; times in microseconds."""

    nals: list[bytes]
    pts: float
    dts: float
    key: bool


@dataclass(frozen=True, slots=True)
class Sound:
    """One sample of sound."""

    data: bytes
    pts: float


@dataclass(slots=True)
class Generation:
    """What came with one init segment."""

    mime: str
    _came: bytearray = field(default_factory=bytearray)

    def add(self, message: bytes) -> None:
        """Takes a message in, which may be a part of a segment."""
        self._came += message

    @property
    def data(self) -> bytes:
        """The segments that are whole."""
        return whole_segments(bytes(self._came))

    def samples(self) -> list[Picture | Sound]:
        """Pictures and sounds in the order in which they came."""
        data = self.data
        if not data:  # the init segment is a message of its own
            return []
        with av.open(io.BytesIO(data), "r", format="mp4") as file:
            return [_sample(packet) for packet in file.demux() if packet.size]

    def pictures(self) -> list[Picture]:
        return [sample for sample in self.samples() if isinstance(sample, Picture)]

    def sounds(self) -> list[Sound]:
        return [sample for sample in self.samples() if isinstance(sample, Sound)]


def _sample(packet: Any) -> Picture | Sound:
    base = Fraction(packet.time_base) * SECOND
    pts, dts, data = float(packet.pts * base), float(packet.dts * base), bytes(packet)
    if packet.stream.type == "audio":
        return Sound(data, pts)
    return Picture(bitstream.split_length_prefixed(data, 4), pts, dts, packet.is_keyframe)


class ChannelViewer:
    """One viewer; its channel is as the protocol wants it unless said otherwise."""

    def __init__(self, label: str = "media", **options: Any) -> None:
        # An empty list of servers, never None: aiortc would ask a public one.
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.channel = self.connection.createDataChannel(
            label, **{"protocol": "porthole.fmp4.v1", **options}
        )
        self.channel.on("message", self._on_message)
        self.said: list[dict[str, Any]] = []
        self.generations: list[Generation] = []
        self.longest = 0
        self.arrivals: list[float] = []  # of segments, by the monotonic clock
        self._path: asyncio.Task[None] | None = None
        sctp: Any = self.connection.sctp
        self._stock = sctp._handle_data

    def _on_message(self, message: str | bytes) -> None:
        if isinstance(message, str):
            self.said.append(json.loads(message))
            if self.said[-1]["type"] == "stream":
                self.generations.append(Generation(self.said[-1]["mime"]))
        else:
            if message[4:8] == b"moof":
                self.arrivals.append(time.monotonic())
            self.longest = max(self.longest, len(message))
            self.generations[-1].add(message)

    @property
    def heard(self) -> list[str]:
        """The types of the texts so far."""
        return [text["type"] for text in self.said]

    async def connect(self, answering: Answering) -> None:
        """Offers, and waits for the channel."""
        await self.connection.setLocalDescription(await self.connection.createOffer())
        answer = await answering(self.connection.localDescription.sdp)
        await self.connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        await until(lambda: self.channel.readyState != "connecting")

    def stall(self) -> None:
        """Hears nothing on the channel any more, as in a network that stands still."""

        async def deaf(_: bytes) -> None:
            pass

        self._hear(deaf)

    def slow_down(self, bit_rate: float) -> None:
        """Hears through a narrow path from now on, whose queue is soon full."""
        path: asyncio.Queue[bytes] = asyncio.Queue(_PATH_PACKETS)

        async def narrow(data: bytes) -> None:
            with contextlib.suppress(asyncio.QueueFull):
                path.put_nowait(data)

        async def pass_on() -> None:
            while True:
                data = await path.get()
                await asyncio.sleep(8 * len(data) / bit_rate)
                await self._stock(data)

        self._hear(narrow)
        self._path = asyncio.create_task(pass_on())

    def go_on(self) -> None:
        """Hears again."""
        self._hear(self._stock)

    async def close(self) -> None:
        """Hangs up."""
        if self._path:
            self._path.cancel()
        await self.connection.close()

    def _hear(self, handler: Any) -> None:
        sctp: Any = self.connection.sctp
        sctp._handle_data = handler


@asynccontextmanager
async def channel_viewer(
    answering: Answering, label: str = "media", **options: Any
) -> AsyncIterator[ChannelViewer]:
    """A viewer that is connected; it hangs up at the end."""
    viewer = ChannelViewer(label, **options)
    try:
        await viewer.connect(answering)
        yield viewer
    finally:
        await viewer.close()
