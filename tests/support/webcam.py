"""A webcam on the network: the test picture as Motion JPEG over HTTP, as many programs serve it."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import av

from publisher.sources.pattern import Pattern

BOUNDARY = "frame"


class Jpegs:
    """Draws and codes one picture after the other."""

    def __init__(self, width: int, height: int) -> None:
        self._pattern = Pattern(width, height)
        self._picture = av.VideoFrame(width, height, "yuv420p")
        self._coder = av.CodecContext.create("mjpeg", "w")
        self._coder.width, self._coder.height = width, height
        self._coder.pix_fmt = "yuvj422p"  # what most webcams make
        self._coder.time_base = Fraction(1, 25)

    def draw(self, number: int) -> bytes:
        """The picture of that number, made now."""
        data, at = bytes(self._pattern.draw(number, time.time_ns() // 1_000_000)), 0
        for plane in self._picture.planes:
            plane.update(data[at : at + plane.buffer_size])
            at += plane.buffer_size
        frame = self._picture.reformat(format="yuvj422p")
        frame.pts = number
        return b"".join(bytes(coded) for coded in self._coder.encode(frame))


@contextmanager
def http_webcam(*, fps: int = 15, size: tuple[int, int] = (640, 360)) -> Iterator[str]:
    """A running one; yields its address."""
    ended = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", f"multipart/x-mixed-replace;boundary={BOUNDARY}")
            self.end_headers()
            jpegs, number = Jpegs(*size), 0
            while not ended.wait(1 / fps):
                self._send(jpegs.draw(number))
                number += 1

        def _send(self, jpeg: bytes) -> None:
            head = (
                f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
            )
            try:
                self.wfile.write(head.encode() + jpeg + b"\r\n")
            except OSError:  # the reader has gone
                ended.wait()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/video"
    finally:
        ended.set()
        server.shutdown()
        thread.join()
        server.server_close()
