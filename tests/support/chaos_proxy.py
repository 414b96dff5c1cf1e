"""Between a node and its Redis: delays, silence, cuts, and bytes that arrive in pieces."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_CHUNK = 65_536


class ChaosProxy:
    """Forwards to a port of this machine; what it does to the bytes may be changed at any time."""

    def __init__(self, port: int, chance: random.Random) -> None:
        self._target = port
        self._chance = chance
        self._flows: set[asyncio.Task[None]] = set()
        self._passing = asyncio.Event()
        self._passing.set()
        self.port = 0
        self.slowest = 0.0  # seconds that a piece may take

    def stall(self) -> None:
        """Nothing passes, and nobody is told: as when a cable is pulled."""
        self._passing.clear()

    def pass_on(self) -> None:
        """What was held back arrives, and what comes passes."""
        self._passing.set()

    def cut(self) -> None:
        """Every connection is reset; calls that are under way are lost with their answers."""
        for flow in self._flows:
            flow.cancel()

    async def meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A client connects."""
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.close()
            return
        ways = [self._flow(reader, far_writer), self._flow(far_reader, writer)]
        flows = [asyncio.create_task(way) for way in ways]
        self._flows.update(flows)
        try:
            await asyncio.wait(flows, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for flow in flows:
                flow.cancel()
            self._flows.difference_update(flows)
            for end in (writer, far_writer):
                end.transport.abort()

    async def _flow(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(self._chance.randint(1, _CHUNK)):
                if self.slowest:
                    await asyncio.sleep(self._chance.uniform(0, self.slowest))
                await self._passing.wait()
                writer.write(chunk)
                await writer.drain()


@asynccontextmanager
async def chaos_proxy(port: int, chance: random.Random) -> AsyncIterator[ChaosProxy]:
    """Listens on a free port until the block ends."""
    proxy = ChaosProxy(port, chance)
    server = await asyncio.start_server(proxy.meet, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        proxy.pass_on()
        proxy.cut()
