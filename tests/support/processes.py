"""What a running program holds."""

import asyncio
import os
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


async def processor_seconds(pid: int, *, during: float) -> float:
    """What it uses of one processor in the next ``during`` seconds."""
    before = _processor_seconds(pid)
    await asyncio.sleep(during)
    return _processor_seconds(pid) - before


def _processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
