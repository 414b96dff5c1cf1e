"""A load in a process of its own: what the parent starts, hears from and sends on.

    async with load("hold", kind="camera", address=address, counts=[500, 10_000]) as running:
        report = await running.report()     # 500 are there
        await running.go()                  # on to the next

The child is this module: ``python -m tests.support.load SCRIPT PARAMETERS`` (JSON). It prints one
JSON object a report, and goes on when a line comes.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import uvloop

from tests.support.load_fleet import fleet
from tests.support.load_runs import Control, claims, hold, pairs, peer_pairs
from tests.support.load_script import Address

_ROOT = Path(__file__).parents[2]
_PATIENCE = 120.0  # seconds for a report
_SCRIPTS: dict[str, Callable[..., Awaitable[None]]] = {
    run.__name__: run for run in (hold, pairs, peer_pairs, claims, fleet)
}


@dataclass
class Load:
    """The parent's view of it."""

    process: asyncio.subprocess.Process

    async def report(self, *, within: float = _PATIENCE) -> dict[str, Any]:
        """What it says next; raises RuntimeError when it has ended instead."""
        assert self.process.stdout is not None
        async with asyncio.timeout(within):
            line = await self.process.stdout.readline()
        if not line:
            raise RuntimeError("The load ended before it had reported; see above.")
        report: dict[str, Any] = json.loads(line)
        return report

    async def go(self) -> None:
        """Lets it go on."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")
        await self.process.stdin.drain()


@asynccontextmanager
async def load(script: str, **parameters: Any) -> AsyncIterator[Load]:
    """The script runs until the block ends; addresses may be given as they are."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.support.load", script),
        json.dumps(parameters, default=asdict),
        cwd=_ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=1 << 24,
    )
    try:
        yield Load(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


# ── the child ────────────────────────────────────────────────────────────────────────────────


class _Pipe:
    """The child's view: reports to standard output, goes on when a line comes."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader

    def say(self, **report: Any) -> None:
        print(json.dumps(report), flush=True)

    async def told(self) -> None:
        await self._reader.readline()


async def _main(script: str, parameters: dict[str, Any]) -> None:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    for name, value in parameters.items():
        if name.endswith("address"):
            parameters[name] = Address(**value)
        elif name.endswith("addresses"):
            parameters[name] = [Address(**each) for each in value]
    run: Callable[..., Awaitable[None]] = _SCRIPTS[script]
    control: Control = _Pipe(reader)
    await run(control, **parameters)


if __name__ == "__main__":
    uvloop.run(_main(sys.argv[1], json.loads(sys.argv[2])))
