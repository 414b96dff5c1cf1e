"""Real Redis for tests: one server, one shard of a Cluster, a primary with replicas, Sentinels.

Everything here is synchronous, so that a server may outlive the event loop of a test.
"""

import contextlib
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.support.ports import free_port
from tests.support.waiting import PATIENCE

_SLOTS = 16_384
_STEP = 0.01
_HOUR_MS = 3_600_000


def _until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "Redis did not get ready"
        time.sleep(_STEP)


def _client(port: int) -> redis.Redis:
    """It asks once, and waits for as long as a slow machine needs: redis-py's own way is 5 s."""
    return redis.Redis(
        port=port,
        protocol=2,
        decode_responses=True,
        retry=Retry(NoBackoff(), 0),
        socket_timeout=PATIENCE,
        socket_connect_timeout=PATIENCE,
    )


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
        return _client(self.port)

    def start(self) -> None:
        """Runs, on the same port as before, once it answers."""
        here = ("--port", str(self.port), "--bind", "127.0.0.1")
        quick = ("--save", "", "--appendonly", "no", "--repl-diskless-sync-delay", "0")
        command = ("redis-server", *here, *quick, *self._options)
        self._process = subprocess.Popen(
            command, cwd=self._folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        _until(self._answers)

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, "it ended at once"
        try:
            with self.client() as client:
                return bool(client.ping())
        except redis.AuthenticationError:
            return True  # it wants a password, and so it is there
        except redis.RedisError:
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
    # Else it is 10,000 above the other, which may be none.
    bus = ("--cluster-port", str(free_port()))
    with running_redis("--cluster-enabled", "yes", *bus) as server, server.client() as client:
        client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, _SLOTS - 1)
        _until(lambda: "cluster_state:ok" in str(client.execute_command("CLUSTER", "INFO")))
        yield server


@contextmanager
def running_replica(primary: RedisServer) -> Iterator[RedisServer]:
    """Once it gets what is written."""
    with (
        running_redis("--replicaof", f"127.0.0.1 {primary.port}") as replica,
        primary.client() as client,
    ):
        _until(lambda: _copied(client))
        yield replica


def _copied(client: redis.Redis) -> bool:
    client.set("a write", "to be copied", px=1)
    copies = client.wait(1, 100)
    return isinstance(copies, int) and copies > 0


class Sentinel:
    """Takes nobody for dead, however slow the machine is, before it is told to be watchful."""

    def __init__(self) -> None:
        self.port = free_port()

    @property
    def url(self) -> str:
        """What --redis takes."""
        return f"redis+sentinel://127.0.0.1:{self.port}/rooms"

    def configuration(self, primary: RedisServer) -> str:
        """Its file."""
        return (
            f"port {self.port}\nbind 127.0.0.1\n"
            f"sentinel monitor rooms 127.0.0.1 {primary.port} 1\n"
            f"sentinel down-after-milliseconds rooms {_HOUR_MS}\n"
            "sentinel failover-timeout rooms 2000\n"
        )

    def watches(self) -> None:
        """From now on a primary that is silent for a moment is followed by its replica."""
        with _client(self.port) as client:
            client.execute_command("SENTINEL", "SET", "rooms", "down-after-milliseconds", 300)

    def knows_a_replica(self) -> bool:
        """Whether there is somebody to follow."""
        with contextlib.suppress(redis.RedisError), _client(self.port) as client:
            found = client.execute_command("SENTINEL", "REPLICAS", "rooms")
            return isinstance(found, list) and bool(found)
        return False


@contextmanager
def running_sentinel(primary: RedisServer) -> Iterator[Sentinel]:
    """One that is enough to decide."""
    with tempfile.TemporaryDirectory() as folder:
        sentinel, file = Sentinel(), Path(folder) / "sentinel.conf"
        file.write_text(sentinel.configuration(primary))
        process = subprocess.Popen(("redis-sentinel", file), cwd=folder, stdout=subprocess.DEVNULL)
        try:
            _until(sentinel.knows_a_replica)
            yield sentinel
        finally:
            process.kill()
            process.wait()
