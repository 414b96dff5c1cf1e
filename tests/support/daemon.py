"""The real command `publisher` as a process of a test's own."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support import processes
from tests.support.waiting import PATIENCE, until

COMMAND = str(Path(sys.executable).with_name("publisher"))


class Publisher:
    """A running publisher: its link, and what it says on the terminal."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []
        self._links: asyncio.Queue[str] = asyncio.Queue()
        self._readers = [
            asyncio.create_task(self._read(stream)) for stream in (process.stdout, process.stderr)
        ]

    async def _read(self, stream: asyncio.StreamReader | None) -> None:
        assert stream
        async for raw in stream:
            line = raw.decode(errors="replace").rstrip()
            self.lines.append(line)
            if line.startswith("Watch: "):
                self._links.put_nowait(line.removeprefix("Watch: "))

    async def link(self) -> str:
        """What a person opens to watch."""
        return await asyncio.wait_for(self._links.get(), PATIENCE)

    @property
    def terminal(self) -> str:
        """All that it has said so far, on both streams."""
        return "\n".join(self.lines)

    async def says(self, pattern: str, within: float = PATIENCE) -> str:
        """Waits until a line matches, and returns it."""
        matching = (re.compile(pattern).search, self.lines)
        return str(await until(lambda: next(filter(*matching), None), within))

    @property
    def rss(self) -> int:
        """Resident memory in bytes."""
        return processes.resident(self.process.pid)

    @property
    def sockets(self) -> int:
        """How many sockets it holds."""
        return processes.sockets(self.process.pid)

    async def stop(self) -> int:
        """SIGTERM, as a service manager does; returns the exit status."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return await self.ended()
        finally:
            if self.process.returncode is None:
                self.process.kill()
                await self.process.wait()
            for reader in self._readers:
                reader.cancel()

    async def ended(self) -> int:
        """Waits until it has ended by itself, and all that it said was read; its exit status."""
        async with asyncio.timeout(PATIENCE):
            await asyncio.wait(self._readers)
            return await self.process.wait()


@asynccontextmanager
async def publisher(
    *words: str,
    state: Path,
    environ: dict[str, str] | None = None,
    program: Sequence[str] | None = None,
) -> AsyncIterator[Publisher]:
    """Runs `publisher`, or another program, with these words; stopped whatever happens."""
    process = await asyncio.create_subprocess_exec(
        *(program or [COMMAND]),
        *words,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "STATE_DIRECTORY": str(state), **(environ or {})},
    )
    running = Publisher(process)
    try:
        yield running
    finally:
        await running.stop()
