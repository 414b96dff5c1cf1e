"""An RTSP camera that answers as it is told, also as no camera should."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self, TypeAlias

from publisher.media.rtp import h264_payloads
from tests.support.media import picture

H264: Final = (
    "v=0\r\ns=scripted\r\na=control:*\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
    "a=fmtp:96 packetization-mode=1\r\na=control:picture\r\n"
)
MJPEG: Final = "v=0\r\ns=scripted\r\nm=video 0 RTP/AVP 26\r\na=control:picture\r\n"

Asked: TypeAlias = dict[str, str]
"""A request's fields in lower case, and "method" and "url"."""
Script: TypeAlias = Callable[[Asked], bytes]


def answer(status: int, *fields: str, body: str = "") -> Script:
    """Always this; CSeq and Content-Length are added."""

    def say(asked: Asked) -> bytes:
        lines = [f"RTSP/1.0 {status} So", f"CSeq: {asked['cseq']}", *fields]
        lines += [f"Content-Length: {len(body)}"] if body else []
        return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()

    return say


def raw(data: bytes) -> Script:
    """Always these bytes."""
    return lambda _: data


def in_turn(*scripts: Script) -> Script:
    """One after the other, then the last again and again."""
    left = list(scripts)

    def say(asked: Asked) -> bytes:
        script = left.pop(0) if len(left) > 1 else left[0]
        return script(asked)

    return say


def packet(
    payload: bytes, sequence: int, timestamp: int, *, marker: bool, channel: int = 0
) -> bytes:
    """An RTP packet inside the connection."""
    head = bytes([0x80, 0x80 * marker | 96]) + (sequence & 0xFFFF).to_bytes(2)
    data = head + (timestamp & 0xFFFFFFFF).to_bytes(4) + b"ssrc" + payload
    return b"$" + bytes([channel]) + len(data).to_bytes(2) + data


def pictures(count: int, *, size: int = 3000, channel: int = 0) -> list[bytes]:
    """The packets of so many pictures, the first of which is a key frame; one piece for each."""
    found, sequence = [], 65_530
    for number in range(count):
        payloads = h264_payloads(picture(size, key=number == 0, seed=number))
        piece = b""
        for index, payload in enumerate(payloads):
            marker = index == len(payloads) - 1
            piece += packet(payload, sequence, number * 3000, marker=marker, channel=channel)
            sequence += 1
        found.append(piece)
    return found


class ScriptedCamera:
    """Listens while its context lasts; what is not scripted is answered as a camera does."""

    def __init__(self, **scripts: Script) -> None:
        """``scripts`` by method; those whose answer is empty say nothing."""
        self._tls: ssl.SSLContext | None = None
        self._scripts = self._usual() | scripts
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"rtsp://127.0.0.1:{self._server.getsockname()[1]}/live"
        self._connections: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve)
        self.asked: list[Asked] = []
        self.reports: list[bytes] = []

    def secure(self, tls: ssl.SSLContext) -> Self:
        """The same over TLS."""
        self._tls = tls
        self.url = self.url.replace("rtsp:", "rtsps:")
        return self

    @property
    def methods(self) -> list[str]:
        """What it was asked, in order."""
        return [asked["method"] for asked in self.asked]

    def send(self, data: bytes) -> None:
        """To who connected last."""
        self._connections[-1].sendall(data)

    def hang_up(self) -> None:
        """Ends all connections."""
        for connection in self._connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _usual(self) -> dict[str, Script]:
        return {
            "OPTIONS": answer(200, "Public: OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER"),
            "DESCRIBE": answer(200, "Content-Type: application/sdp", body=H264),
            "SETUP": answer(
                200, "Session: 17;timeout=60", "Transport: RTP/AVP/TCP;unicast;interleaved=0-1"
            ),
            "PLAY": answer(200, "RTP-Info: url=picture;rtptime=0"),
        }

    def _serve(self) -> None:
        while True:
            try:
                connection = self._server.accept()[0]
            except OSError:  # the end
                return
            with contextlib.suppress(OSError, ValueError, IndexError):
                if self._tls:
                    connection = self._tls.wrap_socket(connection, server_side=True)
                self._connections.append(connection)
                self._converse(connection)
            connection.close()

    def _converse(self, connection: socket.socket) -> None:
        stream = connection.makefile("rb")
        while first := stream.read(1):
            if first == b"$":
                head = stream.read(3)
                self.reports.append(stream.read(int.from_bytes(head[1:])))
                continue
            method, url, _ = (first + stream.readline()).decode().split()
            asked = {"method": method, "url": url}
            while (line := stream.readline().decode().strip()) != "":
                name, _, value = line.partition(":")
                asked[name.lower()] = value.strip()
            self.asked.append(asked)
            connection.sendall(self._scripts.get(method, answer(200))(asked))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self.hang_up()
        self._thread.join()
        self._server.close()
