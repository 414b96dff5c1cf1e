"""What a running program holds, and what one says until it ends."""

import asyncio
import os
import time
from asyncio.subprocess import Process
from pathlib import Path

from tests.support.waiting import PATIENCE


def sockets(pid: int) -> int:
    """How many sockets it has open."""
    return len(open_sockets(pid))


def open_sockets(pid: int) -> set[tuple[str, str]]:
    """The descriptors of those, with what no other socket is called.

    What a process has left open is what was not there before. Their number says less: of those
    before some may be about to be closed.
    """
    links = ((link.name, _target(link)) for link in Path(f"/proc/{pid}/fd").iterdir())
    return {(name, target) for name, target in links if target.startswith("socket:")}


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except FileNotFoundError:
        return ""  # closed meanwhile


def resident(pid: int) -> int:
    """Its resident memory in bytes."""
    pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def cpu_seconds(pid: int) -> float:
    """The processor time that it has used, in all its threads."""
    # The kernel's clock of another process (clock_getcpuclockid of glibc): /proc counts in ticks.
    return time.clock_gettime(~pid << 3 | 2)


async def processor_seconds(pid: int, *, during: float) -> float:
    """What it uses of one processor in the next ``during`` seconds."""
    before = cpu_seconds(pid)
    await asyncio.sleep(during)
    return cpu_seconds(pid) - before


async def output(process: Process, within: float = PATIENCE) -> tuple[str, str]:
    """All that it says to its end, to be read and of errors; killed when nobody waits any more."""
    try:
        async with asyncio.timeout(within):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return out.decode(), err.decode()
