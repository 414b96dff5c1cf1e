"""A rendezvous for tests: in this process on a free port, or the real program as a subprocess."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rendezvous.program.settings import convert
from rendezvous.relay.mail import Mail
from rendezvous.rooms.limits import Limits
from rendezvous.server import Server
from rendezvous.settings import Settings
from rendezvous.stores.contract import Store
from rendezvous.transports.gate import DoorLimits
from tests.support.waiting import PATIENCE

DAY = 86_400.0  # seconds

_ROOT = Path(__file__).parents[2]
_NEVER = Limits(
    hello=DAY,
    unadmitted=DAY,
    rejoin=DAY,
    ping=DAY,
    idle=DAY,
    offer=DAY,
    answer=DAY,
    waiting=DAY,
    kept=DAY,
    resume_hold=DAY,
    resume_grace=DAY,
    challenge=DAY,
)


def only(**short: Any) -> Limits:
    """Nothing is due for a day but these: a slow machine is late for nothing else."""
    return replace(_NEVER, **short)


@dataclass
class Running:
    """A server in this process."""

    server: Server
    host: str
    port: int

    @property
    def origin(self) -> str:
        """What a camera that dials it signs."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def now(self) -> float:
        """Seconds, by the core's clock."""
        return self.server._hub._clock()

    def wind(self, seconds: float) -> None:
        """So much time has passed for the core and its leases; the next tick sees what is due."""
        hub, clock = self.server._hub, self.server._hub._clock
        hub._clock = hub._registry._clock = lambda: clock() + seconds


@asynccontextmanager
async def running_server(
    *,
    limits: Limits | None = None,
    door_limits: DoorLimits | None = None,
    store: Store | None = None,
    mail: Mail | None = None,
    tick: float = 0.02,
    **settings: Any,
) -> AsyncIterator[Running]:
    """A Server on 127.0.0.1 and a free port; names are forgotten unless ``state`` is given."""
    texts = {name: str(v) if isinstance(v, Path) else v for name, v in settings.items()}
    chosen = convert({"listen": ("127.0.0.1:0",), **texts}, Settings)
    doors = door_limits or DoorLimits(
        first_bytes=PATIENCE,
        per_address=chosen.strangers_per_address,
        in_all=chosen.strangers,
        linger=0.1,
    )
    server = Server(chosen, limits=limits, door_limits=doors, store=store, mail=mail, tick=tick)
    await server.start()
    try:
        yield Running(server, *server.addresses[0])
    finally:
        await server.stop()


@dataclass
class Program:
    """The real ``rendezvous`` in a process of its own."""

    process: asyncio.subprocess.Process
    host: str
    port: int

    def terminate(self) -> None:
        """Asks it to stop, as systemd does."""
        self.process.send_signal(signal.SIGTERM)

    async def ended(self, *, deadline: float = PATIENCE) -> tuple[int, str]:
        """Its exit status and what it wrote to standard error."""
        async with asyncio.timeout(deadline):
            _, errors = await self.process.communicate()
        return self.process.returncode or 0, errors.decode()


async def start_program(
    *arguments: str,
    state: Path | None,
    environ: dict[str, str] | None = None,
    prefix: Sequence[str] = (),
) -> asyncio.subprocess.Process:
    """The process, whatever becomes of it; the caller ends it. ``state`` None: with ``--redis``.

    ``prefix`` begins the command line, as in ("ip", "netns", "exec", "rendezvous").
    """
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("RENDEZVOUS")}
    return await asyncio.create_subprocess_exec(
        *prefix,
        sys.executable,
        "-m",
        "rendezvous",
        *(("--state", str(state)) if state else ()),
        *arguments,
        cwd=_ROOT,
        env={**inherited, **(environ or {})},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


@asynccontextmanager
async def running_program(
    *arguments: str,
    state: Path | None,
    port: int = 0,
    environ: dict[str, str] | None = None,
    host: str = "127.0.0.1",
    prefix: Sequence[str] = (),
) -> AsyncIterator[Program]:
    """The program, once it listens on that host; killed at the end if it still runs."""
    listen = ("--listen", f"{host}:{port}")
    process = await start_program(*listen, *arguments, state=state, environ=environ, prefix=prefix)
    try:
        yield await _listening(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def _listening(process: asyncio.subprocess.Process) -> Program:
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE):
        line = (await process.stdout.readline()).decode()
    if not line.startswith("Listening on "):
        _, errors = await process.communicate()
        raise AssertionError(f"It did not start: {line}{errors.decode()}")
    host, _, port = line.split("//")[1].strip().rpartition(":")
    return Program(process, host, int(port))
