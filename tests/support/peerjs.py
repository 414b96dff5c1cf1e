"""PeerJS's server from npm, to compare with."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support.ports import free_port
from tests.support.server import Program
from tests.support.waiting import PATIENCE, until

_PROGRAM = Path(__file__).parents[2] / ".tools/node_modules/.bin/peerjs"


@asynccontextmanager
async def running_peerjs(*, connections: int) -> AsyncIterator[Program]:
    """It listens on 127.0.0.1 and takes so many connections."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        _PROGRAM,
        *("--host", "127.0.0.1", "--port", str(port), "--concurrent_limit", str(connections)),
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        await until(lambda: _answers(port), PATIENCE)
        yield Program(process, "127.0.0.1", port)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _answers(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True
