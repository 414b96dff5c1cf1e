"""docker-compose.yml without containers: every service's own command, at addresses that are free.

Files that a service mounts are copied with their addresses replaced, and volumes are folders.
"""

import asyncio
import json
import os
import re
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.daemon import COMMAND
from tests.support.ports import free_port
from tests.support.waiting import PATIENCE, until

ROOT = Path(__file__).parents[2]
PORTS = ("4545", "4551", "4552", "6379")
_BIN = Path(COMMAND).parent
_PATH = os.pathsep.join((str(_BIN), "/usr/sbin", os.environ["PATH"]))
_TO_JSON = "import json, sys, yaml; json.dump(yaml.safe_load(sys.stdin), sys.stdout)"


def validated(file: Path = ROOT / "docker-compose.yml") -> dict[str, Any]:
    """The file's services; raises CalledProcessError when docker-compose does not take it."""
    check = ("docker-compose", "--file", str(file), "config", "--quiet")
    subprocess.run(check, check=True, capture_output=True, cwd=ROOT)
    parse = ("/usr/bin/python3", "-c", _TO_JSON)  # Debian's has a YAML parser
    parsed = subprocess.run(parse, input=file.read_bytes(), check=True, capture_output=True)
    services: dict[str, Any] = json.loads(parsed.stdout)["services"]
    return services


@dataclass
class Service:
    """A running command."""

    process: asyncio.subprocess.Process
    output: Path

    def kill(self) -> None:
        """As a power cut does."""
        if self.process.returncode is None:
            self.process.kill()

    async def says(self, pattern: str, within: float = PATIENCE) -> re.Match[str]:
        """Waits until the lines of its output match."""
        found = await until(lambda: re.search(pattern, self._said()), within)
        assert isinstance(found, re.Match)
        return found

    def _said(self) -> str:
        whole, _, _unfinished = self.output.read_bytes().rpartition(b"\n")
        return whole.decode()

    async def stop(self) -> None:
        """SIGTERM, as compose does, and SIGKILL for who does not listen."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self.process.wait(), 10.0)
        except TimeoutError:
            self.kill()
            await self.process.wait()


@dataclass
class Compose:
    """The services of the file, to be started one by one."""

    folder: Path
    services: dict[str, Any] = field(default_factory=validated)
    started: set[str] = field(default_factory=set)
    ports: dict[str, int] = field(default_factory=lambda: {port: free_port() for port in PORTS})

    def command(self, name: str) -> list[str]:
        """The words of the service's command, with addresses and files of this run."""
        service = self.services[name]
        words = [self._moved(word) for word in service["command"]]
        for volume in service.get("volumes", ()):
            host, inside = str(volume).split(":")[:2]
            words = [self._mounted(Path(host)) if word == inside else word for word in words]
        return words

    @asynccontextmanager
    async def running(self, name: str) -> AsyncIterator[Service]:
        """The service; stopped at the end whatever happens."""
        output = self.folder / f"{name}.log"
        with _written(output) as descriptor:
            process = await asyncio.create_subprocess_exec(
                *self.command(name),
                stdout=descriptor,
                stderr=asyncio.subprocess.STDOUT,
                env={**os.environ, "PATH": _PATH, "STATE_DIRECTORY": str(self.folder)},
                cwd=self.folder,
            )
        service = Service(process, output)
        self.started.add(name)
        try:
            yield service
        finally:
            await service.stop()

    def _mounted(self, path: Path) -> str:
        if not path.is_file():  # a volume
            return str(self.folder)
        copy = self.folder / path.name
        copy.write_text(self._moved(path.read_text(encoding="utf-8")))
        return str(copy)

    def _moved(self, text: str) -> str:
        for port, free in self.ports.items():
            text = re.sub(rf"(?<=[:\s]){port}\b", str(free), text)
        return text.replace("0.0.0.0", "127.0.0.1")


@contextmanager
def _written(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
