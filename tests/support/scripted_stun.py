"""A STUN server that answers what a test says, or keeps silent."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aioice import stun


class StunServer(asyncio.DatagramProtocol):
    """``mapped`` is what it says that it sees; None: it never answers."""

    transport: Any

    def __init__(self, mapped: tuple[str, int] | None) -> None:
        self.mapped = mapped
        self.asked = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.asked += 1
        if self.mapped:
            request = stun.parse_message(data)
            answer = stun.Message(
                message_method=request.message_method,
                message_class=stun.Class.RESPONSE,
                transaction_id=request.transaction_id,
                attributes={"XOR-MAPPED-ADDRESS": self.mapped},
            )
            self.transport.sendto(bytes(answer), addr)

    @property
    def port(self) -> int:
        """On the loopback."""
        port: int = self.transport.get_extra_info("sockname")[1]
        return port


@asynccontextmanager
async def stun_server(mapped: tuple[str, int] | None = None) -> AsyncIterator[StunServer]:
    """A running one; silent unless told otherwise."""
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(
        lambda: StunServer(mapped), local_addr=("127.0.0.1", 0)
    )
    try:
        yield server
    finally:
        transport.close()
