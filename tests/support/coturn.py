"""Debian's coturn with the file that operators get, and what a test has to add to it.

Everything here is synchronous, so that a server may outlive the event loop of a test.
"""

import grp
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rendezvous.ice import credential
from tests.support.certificates import write_certificate
from tests.support.ports import free_port
from tests.support.waiting import PATIENCE

CONFIGURATION = Path(__file__).parents[2] / "deploy/coturn/turnserver.conf"
REALM = "turn.test"
# Who plays through a server of this machine alone is a peer on the loopback, which no operator
# would allow.
LOOPBACK = ("allow-loopback-peers", "allowed-peer-ip=127.0.0.1", "allowed-peer-ip=::1")
_COMMAND = "/usr/bin/turnserver"
_BINDING = b"\x00\x01\x00\x00\x21\x12\xa4\x42porthole-try"  # RFC 8489 §5, without attributes
_ANSWERED = b"\x01\x01"
_STEP = 0.02
_ANSWER = 1.0  # seconds; where nobody listens yet the kernel says so at once


class Coturn:
    """A process on free ports of one address; started and stopped at will, on the same ports.

    ``lines`` come after the operators' file. ``wrap`` begins the command line, as in
    ("ip", "netns", "exec", "turn"); with ``ready`` the caller says when it answers there.
    """

    def __init__(
        self,
        folder: Path,
        *lines: str,
        secrets: Sequence[str] = ("a secret of tests",),
        host: str = "127.0.0.1",
        port: int = 0,
        tls_port: int = 0,
        wrap: Sequence[str] = (),
        ready: Callable[[], bool] | None = None,
    ) -> None:
        self._lines = lines
        self._wrap = wrap
        self._ready = ready or self._answers
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.secrets = tuple(secrets)
        self.host = host
        self.port = port or free_port()
        self.tls_port = tls_port or free_port()
        self.certificate = folder / "turn.pem"
        self.log = folder / "turn.log"

    def start(self) -> None:
        """Runs, once it answers a STUN request over UDP."""
        if not self.certificate.exists():
            write_certificate(self.certificate)
        file = self._folder / "turnserver.conf"
        file.touch(mode=0o600)
        file.write_text(self.configuration())
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                (*self._wrap, _COMMAND, "-c", str(file)),
                cwd=self._folder,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        _until(self._ready, self._alive)

    def configuration(self) -> str:
        """The whole file: the operators', then the site's lines as deploy/host writes them."""
        site = (
            f"realm={REALM}",
            *(f"static-auth-secret={secret}" for secret in self.secrets),
            f"listening-ip={self.host}",
            f"relay-ip={self.host}",
            f"listening-port={self.port}",
            f"tls-listening-port={self.tls_port}",
            f"cert={self.certificate}",
            f"pkey={self.certificate}",
            *_as_ourselves(),
        )
        return "\n".join((CONFIGURATION.read_text(encoding="utf-8"), *site, *self._lines, ""))

    def stop(self) -> None:
        """Kills it, as power cuts do. Idempotent."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.kill()
            self._process.wait()

    def pause(self) -> None:
        """Its sockets stay, and it answers nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """It goes on as if no time had passed."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens for UDP and TCP."""
        return self.host, self.port

    def url(self, transport: str = "udp") -> str:
        """Of TURN over ``udp``, ``tcp`` or ``tls``."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        if transport == "tls":
            return f"turns:{host}:{self.tls_port}?transport=tcp"
        return f"turn:{host}:{self.port}?transport={transport}"

    @property
    def stun_url(self) -> str:
        """Of STUN over UDP."""
        return self.url().replace("turn:", "stun:").partition("?")[0]

    def user(self, *, ttl: int = 600, room: str = "room", secret: str = "") -> tuple[str, str]:
        """A user name and its password, good for ``ttl`` seconds (negative: expired)."""
        name = f"{int(time.time()) + ttl}:{room}"
        return name, credential(secret or self.secrets[0], name)

    def _alive(self) -> None:
        assert self._process is not None
        assert self._process.poll() is None, f"coturn ended: {self.log.read_text()}"

    def _answers(self) -> bool:
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.settimeout(_ANSWER)
            try:
                probe.connect((self.host, self.port))
                probe.send(_BINDING)
                return probe.recv(1500).startswith(_ANSWERED)
            except OSError:
                return False


def _as_ourselves() -> tuple[str, ...]:
    """Only root may become another user, as the operators' file wants it."""
    if os.geteuid() == 0:
        return ()
    user, group = pwd.getpwuid(os.geteuid()).pw_name, grp.getgrgid(os.getegid()).gr_name
    return (f"proc-user={user}", f"proc-group={group}")


@contextmanager
def running_coturn(
    *lines: str,
    secrets: Sequence[str] = ("a secret of tests",),
    host: str = "127.0.0.1",
    wrap: Sequence[str] = (),
) -> Iterator[Coturn]:
    """A server of its own. Who plays over loopback passes ``*LOOPBACK``."""
    folder = Path(tempfile.mkdtemp(prefix="porthole-turn-"))
    server = Coturn(folder, *lines, secrets=secrets, host=host, wrap=wrap)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


def _until(condition: Callable[[], bool], check: Callable[[], None]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        check()
        assert time.monotonic() < end, "coturn did not get ready"
        time.sleep(_STEP)
