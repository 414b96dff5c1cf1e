"""Cameras for tests, real ones and things that are none, as context managers."""

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlsplit

from tests.support.ports import free_port
from tests.support.waiting import PATIENCE

ROOT = Path(__file__).parents[2]
SYSTEM_PYTHON = "/usr/bin/python3"  # the one that Debian's packages of GStreamer are made for
PACKAGES = (
    "gir1.2-gst-rtsp-server-1.0 python3-gi gstreamer1.0-plugins-base gstreamer1.0-plugins-good "
    "gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly gstreamer1.0-libav"
)
SMALL, FULL = "640x360", "1280x720"
_SILENCE = 5.0  # seconds that somebody may take to ask
USER, PASSWORD = "admin", "s3cret pass/word"  # of the variant "auth"


@dataclass(frozen=True, slots=True)
class Nal:
    """One NAL unit of an access unit: its type, its length and its SHA-256 in hexadecimal."""

    kind: int
    length: int
    sha256: str


@dataclass(frozen=True, slots=True)
class SentUnit:
    """One access unit as the camera sent it; ``pts`` in nanoseconds of the camera's clock."""

    pts: int
    nals: tuple[Nal, ...]


def nals(data: bytes) -> list[Nal]:
    """The NAL units of an H.264 access unit in Annex B form."""
    # Zeros before a start code belong to it, not to the NAL unit (H.264 Annex B.1.1).
    units = [unit.rstrip(b"\0") for unit in data.split(b"\0\0\1")]
    return [Nal(unit[0] & 31, len(unit), sha256(unit).hexdigest()) for unit in units if unit]


class RtspCamera:
    """A real RTSP camera in a process of its own; ``variant`` is one of rtsp_camera.py's.

    Variant and size may be changed for the next start.
    """

    def __init__(self, variant: str = "plain", port: int | None = None, size: str = SMALL) -> None:
        self.variant = variant
        self.size = size
        self.port = port or free_port()
        self._directory = tempfile.TemporaryDirectory(prefix="porthole-camera-")
        self._record = Path(self._directory.name) / "sent.jsonl"
        self._errors = Path(self._directory.name) / "stderr"
        self._process: subprocess.Popen[str] | None = None

    @property
    def address(self) -> str:
        """Where it is, without user name and password."""
        return f"rtsp://127.0.0.1:{self.port}/live"

    @property
    def url(self) -> str:
        """Where it is, with user name and password if it wants them."""
        if self.variant != "auth":
            return self.address
        return self.address.replace("//", f"//{USER}:{quote(PASSWORD, safe='')}@")

    def start(self) -> None:
        """Starts it, also again after a stop: on the same port, with empty records.

        Returns when it listens; raises RuntimeError with its own words when it does not.
        """
        self._record.unlink(missing_ok=True)
        with self._errors.open("w") as errors:
            self._process = subprocess.Popen(
                self._command(),
                env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        self.port = self._await_ready(self._process)

    def _command(self) -> list[str]:
        program = [SYSTEM_PYTHON, str(ROOT / "tests/support/rtsp_camera.py")]
        options = {
            "variant": self.variant,
            "size": self.size,
            "port": self.port,
            "record": self._record,
        }
        return program + [f"--{name}={value}" for name, value in options.items()]

    def _await_ready(self, process: subprocess.Popen[str]) -> int:
        """The port that it listens on."""
        assert process.stdout is not None
        if select.select([process.stdout], [], [], PATIENCE)[0]:
            line = process.stdout.readline()
            if line.startswith("READY "):
                return urlsplit(line.split()[1]).port or 0
        self.stop()
        raise RuntimeError(
            f"The RTSP camera did not start: {self._errors.read_text().strip()[-2000:]}\n"
            f"It needs Debian's packages: sudo apt-get install -y {PACKAGES}"
        )

    def stop(self) -> None:
        """Kills it as if somebody had pulled its plug; nothing when it does not run."""
        if self._process is None:
            return
        self._process.kill()
        self._process.communicate()
        self._process = None

    def freeze(self) -> None:
        """Lets it hang: its connections stay, nothing comes; until ``thaw`` or ``stop``."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Lets a frozen one go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def resize(self, width: int, height: int) -> None:
        """Goes on with pictures of another size, in the running streams."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(f"{width}x{height}\n")
        self._process.stdin.flush()

    def records(self) -> list[SentUnit]:
        """The video access units that it has sent since its start, in order."""
        units = [unit for unit in self._recorded() if "nals" in unit]
        return [SentUnit(u["pts"], tuple(Nal(*nal) for nal in u["nals"])) for u in units]

    def sounds(self) -> list[str]:
        """The SHA-256 of each frame of sound that it has sent since its start, in order."""
        return [unit["sound"] for unit in self._recorded() if "sound" in unit]

    def _recorded(self) -> list[dict[str, Any]]:
        lines = self._record.read_text().splitlines() if self._record.exists() else []
        return [json.loads(line) for line in lines if line.endswith("}")]

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self._directory.cleanup()
            raise
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.stop()
        self._directory.cleanup()


def rtsp_camera(
    variant: str = "plain", port: int | None = None, *, size: str = SMALL
) -> RtspCamera:
    """A real RTSP camera that runs while the context does, on any free port or on a given one.

    Its pictures are small unless the size matters: what encodes, decodes and shows them shares
    the machine with other tests.
    """
    return RtspCamera(variant, port, size)


# ── what is no camera ───────────────────────────────────────────────────────


@contextmanager
def silent_port() -> Iterator[str]:
    """An RTSP address where connections are accepted and nothing is ever said."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        # The kernel accepts for us; nobody needs to.
        yield f"rtsp://127.0.0.1:{server.getsockname()[1]}/live"


@contextmanager
def http_port() -> Iterator[str]:
    """An RTSP address where a web server answers."""
    with _answering(
        b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    ) as port:
        yield f"rtsp://127.0.0.1:{port}/live"


@contextmanager
def _answering(answer: bytes) -> Iterator[int]:
    server = socket.create_server(("127.0.0.1", 0), backlog=64)

    def serve() -> None:
        while True:
            try:
                connection = server.accept()[0]
            except OSError:  # the end: accept on a socket that was shut down
                return
            # Who asks may have no patience, or be killed in the middle of it.
            with connection, contextlib.suppress(OSError):
                connection.settimeout(_SILENCE)
                if connection.recv(4096):
                    connection.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield server.getsockname()[1]
    finally:
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
        server.close()
