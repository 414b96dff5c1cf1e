"""What a running program holds."""

import asyncio
import os
import time
from pathlib import Path


def sockets(pid: int) -> int:
    """How many sockets it has open."""
    return sum(_target(link).startswith("socket:") for link in Path(f"/proc/{pid}/fd").iterdir())


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
