"""Real Redis for tests: one server, one shard of a Cluster, a primary with replicas, Sentinels.

Everything here is synchronous, so that a server may outlive the event loop of a test.
"""

import contextlib
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

_SLOTS = 16_384
_DEADLINE = 10.0  # seconds for it to start; a tenth of one is usual
_STEP = 0.01


def free_port() -> int:
    """One that nobody listens on, for now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + _DEADLINE
    while not condition():
        assert time.monotonic() < end, "Redis did not get ready"
        time.sleep(_STEP)


class RedisServer:
    """A process on 127.0.0.1, killed and started again at will; it keeps nothing on disk."""

    def __init__(self, folder: Path, *options: str) -> None:
        self._folder = folder
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()

    @property
    def url(self) -> str:
        """What --redis takes."""
        return f"redis://127.0.0.1:{self.port}"

    def client(self) -> redis.Redis:
        """For tests that look inside; used as a context manager."""
        return redis.Redis(port=self.port, protocol=2, decode_responses=True)

    def start(self) -> None:
        """Runs, on the same port as before, once it answers."""
        common = ("--port", str(self.port), "--bind", "127.0.0.1", "--save", "")
        command = (*self.program, *common, "--appendonly", "no", *self._options)
        self._process = subprocess.Popen(
            command, cwd=self._folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        _until(self._answers)

    program: tuple[str, ...] = ("redis-server",)

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, "it ended at once"
        with contextlib.suppress(redis.RedisError), self.client() as client:
            return bool(client.ping())
        return False

    def stop(self) -> None:
        """Kills it, as power cuts do. Idempotent."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def pause(self) -> None:
        """Its sockets stay, and it answers nothing."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """It goes on as if no time had passed."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)


@contextmanager
def running_redis(*options: str) -> Iterator[RedisServer]:
    """A server of its own."""
    with tempfile.TemporaryDirectory() as folder:
        server = RedisServer(Path(folder), *options)
        try:
            server.start()
            yield server
        finally:
            server.stop()


@contextmanager
def running_shard() -> Iterator[RedisServer]:
    """A Cluster of one shard that has all the slots: it refuses keys that are not in one slot."""
    with running_redis("--cluster-enabled", "yes") as server, server.client() as client:
        client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, _SLOTS - 1)
        _until(lambda: "cluster_state:ok" in str(client.execute_command("CLUSTER", "INFO")))
        yield server


@contextmanager
def running_replica(primary: RedisServer) -> Iterator[RedisServer]:
    """Once it has caught up."""
    with (
        running_redis("--replicaof", f"127.0.0.1 {primary.port}") as replica,
        replica.client() as client,
    ):
        _until(lambda: client.info("replication")["master_link_status"] == "up")
        yield replica
