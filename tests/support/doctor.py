"""The real commands ``publisher doctor`` and ``rendezvous doctor``, and what they found."""

import asyncio
import contextlib
import json
import os
import socket
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from publisher.doctor import command as publisher
from rendezvous.doctor import command as rendezvous
from tests.support.processes import output
from tests.support.waiting import PATIENCE

_DEADLINE = 2 * PATIENCE  # servers that are silent take some seconds each
# A camera that shows a key frame every tenth of a second, and costs little.
QUICK_SOURCE = "test:?size=320x240&fps=20&gop=2"

_DOCTORS = {"publisher": publisher.run, "rendezvous": rendezvous.run}


@dataclass(frozen=True)
class Report:
    """What one run has found."""

    status: int
    output: str
    steps: list[dict[str, Any]] = field(default_factory=list)

    @property
    def codes(self) -> dict[str, str]:
        """Each code with its verdict."""
        found = (finding for step in self.steps for finding in step["findings"])
        return {finding["code"]: finding["verdict"] for finding in found}

    @property
    def faults(self) -> set[str]:
        """The codes of what does not work."""
        return {code for code, verdict in self.codes.items() if verdict == "fault"}

    @property
    def wrong(self) -> set[str]:
        """The codes of all that somebody should do something about."""
        return {code for code, verdict in self.codes.items() if verdict in ("fault", "warning")}

    def about(self, code: str) -> dict[str, Any]:
        """The finding with that code."""
        found = (finding for step in self.steps for finding in step["findings"])
        return next(finding for finding in found if finding["code"] == code)


async def consult(program: str, *words: str) -> Report:
    """Runs the doctor of ``publisher`` or ``rendezvous`` with these settings, on a thread."""
    lines: list[str] = []
    run = _DOCTORS[program]
    async with asyncio.timeout(_DEADLINE):
        status = await asyncio.to_thread(run, ("--json", *words), {}, lines.append)
    return Report(status, lines[0], json.loads(lines[0])["steps"])


async def consult_process(
    program: str, *words: str, wrap: Sequence[str] = (), environ: dict[str, str] | None = None
) -> Report:
    """The same in a process of its own, perhaps inside of another program."""
    said, status = await _run(program, ("--json", *words), wrap, environ or {})
    return Report(status, said, json.loads(said)["steps"])


async def read(program: str, *words: str) -> Report:
    """What people are shown, without steps."""
    said, status = await _run(program, words, (), {})
    return Report(status, said)


async def _run(
    program: str, words: Sequence[str], wrap: Sequence[str], environ: dict[str, str]
) -> tuple[str, int]:
    plain = {k: v for k, v in os.environ.items() if not k.startswith(("PUBLISHER", "RENDEZVOUS"))}
    process = await asyncio.create_subprocess_exec(
        *(*wrap, sys.executable, "-m", program, "doctor", *words),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=plain | environ,
    )
    said, errors = await output(process, _DEADLINE)
    assert not errors, errors
    return said, process.returncode or 0


@contextmanager
def silent_udp(port: int = 0) -> Iterator[int]:
    """A UDP port where everything arrives and nothing is answered, as behind a firewall."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as hole:
        hole.bind(("127.0.0.1", port))
        yield hole.getsockname()[1]


@asynccontextmanager
async def proxy_without_websockets(port: int, server: int) -> AsyncIterator[None]:
    """Between ``port`` and a rendezvous: everything passes, but for requests to upgrade."""

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(OSError):
            first = await reader.read(65_536)
            if b"Upgrade: websocket" in first:
                writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            elif first:
                await _pass_on(first, reader, writer, server)

    async with await asyncio.start_server(meet, "127.0.0.1", port):
        yield


async def _pass_on(
    first: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, server: int
) -> None:
    far_reader, far_writer = await asyncio.open_connection("127.0.0.1", server)
    with contextlib.closing(far_writer):
        far_writer.write(first)
        await asyncio.gather(_pass(reader, far_writer), _pass(far_reader, writer))


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.closing(writer), contextlib.suppress(OSError):
        while (data := await reader.read(65_536)) and not writer.is_closing():
            writer.write(data)
