"""An RTSP camera that costs next to nothing: pictures of no meaning, 720p30 at 2 Mbit/s.

For measurements of what comes behind a camera on the same machine. It speaks as much RTSP as a
client needs that wants media inside the connection, and sends the same packets to any UDP port:

    python -m tests.support.even_camera [--udp PORT]

Prints ``READY <url>`` when it listens; ends when its standard input does.
"""

import argparse
import asyncio
import contextlib
import sys
import time
from base64 import b64encode
from collections.abc import Iterator
from typing import Final

from publisher.media.rtp import h264_payloads
from tests.support.media import PARAMETER_SETS, units

FRAME_RATE: Final = 30
KEY_BYTES: Final = 40_000
BYTES: Final = (2_000_000 // 8 - KEY_BYTES) // (FRAME_RATE - 1)  # a key frame each second
_PAYLOAD_TYPE: Final = 96
_SDP: Final = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=even\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\na=control:*\r\n"
    f"m=video 0 RTP/AVP {_PAYLOAD_TYPE}\r\na=rtpmap:{_PAYLOAD_TYPE} H264/90000\r\n"
    f"a=framerate:{FRAME_RATE}\r\na=control:video\r\n"
    f"a=fmtp:{_PAYLOAD_TYPE} packetization-mode=1;profile-level-id=42c01f;"
    f"sprop-parameter-sets={','.join(b64encode(n).decode() for n in PARAMETER_SETS)}\r\n"
)


class Clients:
    """Who plays, and the datagrams for who only listens."""

    def __init__(self, udp: asyncio.DatagramTransport | None) -> None:
        self.playing: set[asyncio.StreamWriter] = set()
        self._udp = udp

    def send(self, packets: list[bytes]) -> None:
        """One picture."""
        framed = b"".join(b"$\0" + len(packet).to_bytes(2) + packet for packet in packets)
        for writer in self.playing:
            writer.write(framed)
        for packet in packets if self._udp else ():
            self._udp.sendto(packet)  # type: ignore[union-attr]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One RTSP conversation."""
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while first := await reader.readexactly(1):
                if first == b"$":  # a receiver report
                    head = await reader.readexactly(3)
                    await reader.readexactly(int.from_bytes(head[1:]))
                    continue
                request = (first + await reader.readuntil(b"\r\n\r\n")).decode()
                writer.write(_answer(request))
                if request.startswith("PLAY"):
                    self.playing.add(writer)
        self.playing.discard(writer)
        writer.close()


def _answer(request: str) -> bytes:
    method, url = request.split()[:2]
    sequence = next(line for line in request.split("\r\n") if line.lower().startswith("cseq"))
    lines = ["RTSP/1.0 200 OK", sequence, "Session: 1;timeout=3600"]
    body = ""
    if method == "OPTIONS":
        lines.append("Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN")
    if method == "SETUP":
        lines.append("Transport: RTP/AVP/TCP;unicast;interleaved=0-1")
    if method == "DESCRIBE":
        body = _SDP
        lines += [f"Content-Base: {url}/", "Content-Type: application/sdp"]
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


def pictures() -> Iterator[list[bytes]]:
    """The packets of one picture after the other."""
    sequence = 0
    for unit in units(gop=FRAME_RATE, size=BYTES, key_size=KEY_BYTES):
        payloads = h264_payloads(unit.data)
        timestamp = (unit.pts * 9 // 100) & 0xFFFFFFFF
        packets = []
        for index, payload in enumerate(payloads):
            marker = 0x80 * (index == len(payloads) - 1)
            head = bytes([0x80, _PAYLOAD_TYPE | marker]) + sequence.to_bytes(2)
            packets.append(head + timestamp.to_bytes(4) + b"even" + payload)
            sequence = (sequence + 1) & 0xFFFF
        yield packets


async def main(udp: int) -> None:
    loop = asyncio.get_running_loop()
    listener = None
    if udp:
        listener, _ = await loop.create_datagram_endpoint(
            asyncio.DatagramProtocol, remote_addr=("127.0.0.1", udp)
        )
    clients = Clients(listener)
    server = await asyncio.start_server(clients.serve, "127.0.0.1", 0)
    print(f"READY rtsp://127.0.0.1:{server.sockets[0].getsockname()[1]}/live", flush=True)
    loop.add_reader(sys.stdin, loop.stop)
    start = time.monotonic()
    for number, packets in enumerate(pictures()):
        await asyncio.sleep(start + number / FRAME_RATE - time.monotonic())
        clients.send(packets)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--udp", type=int, default=0)
    with contextlib.suppress(RuntimeError):  # the loop was stopped: nobody is there any more
        asyncio.run(main(parser.parse_args().udp))
