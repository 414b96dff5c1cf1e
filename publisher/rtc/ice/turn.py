"""TURN clients (RFC 8656) over UDP, TCP and TLS: aioice's, with the manners that they lack.

* A channel that is used is bound again in time and by one request, while data goes on, by the event
  loop's clock; stock ones let every packet ask for itself, when the machine's clock says so. Well
  within 5 min, for permissions last no longer (§9).
* What TCP does not take is dropped and counted, as a datagram would be; stock ones let it pile up.
* The end of an allocation waits a second for a server that is gone, and not for a minute.
"""

import asyncio
import functools
import logging
import math
import socket
import ssl
import struct
from typing import Any, Final

from aioice import stun
from aioice.turn import (
    DEFAULT_ALLOCATION_LIFETIME,
    TurnClientMixin,
    TurnClientTcpProtocol,
    TurnClientUdpProtocol,
    TurnTransport,
)
from aioice.utils import random_transaction_id

from publisher.rtc.ice.datagrams import open_datagrams
from publisher.rtc.ice.urls import Server, Transport
from publisher.rtc.path import RELAY_BYTES

logger = logging.getLogger(__name__)

_UNSENT_BYTES: Final = 16 * 1024  # in the kernel, beyond what is on its way
_BIND_SECONDS: Final = 240
_REBIND_SECONDS: Final = 10  # after one that failed
_DELETE_SECONDS: Final = 1.0
_DEAD_MILLISECONDS: Final = 20_000  # a TCP connection whose data is not acknowledged
_BUFFER_BYTES: Final = 256 * 1024
_FAMILY_NOT_SUPPORTED: Final = 440
_IPV6: Final = 0x02000000
_FAMILY: Final = "REQUESTED-ADDRESS-FAMILY"


def install() -> None:
    """Teaches aioice an attribute: servers that are IPv6 alone want to be asked for it (§14.6)."""
    entry = (0x0017, _FAMILY, stun.pack_unsigned, stun.unpack_unsigned)
    stun.ATTRIBUTES_BY_NAME[_FAMILY] = stun.ATTRIBUTES_BY_TYPE[0x0017] = entry


class _Client(TurnClientMixin):
    dropped = 0
    _used: set[int]
    _keepers: dict[int, asyncio.Task[None]]

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._used = set()
        self._keepers = {}

    async def send_data(self, data: bytes, addr: tuple[str, int]) -> None:
        """Through the channel of the peer, which the first one binds."""
        channel = self.peer_to_channel.get(addr)
        if channel is None:
            await super().send_data(data, addr)
            self._keep(self.peer_to_channel[addr], addr)
            return
        self._used.add(channel)
        transport: Any = self.transport
        if transport.get_write_buffer_size() > RELAY_BYTES:
            self.dropped += 1
            return
        self._send(struct.pack("!HH", channel, len(data)) + data)

    def _keep(self, channel: int, addr: tuple[str, int]) -> None:
        self._used.add(channel)
        if channel not in self._keepers:
            # Nobody else is to bind it again, whatever the machine's clock does.
            self.channel_refresh_at[channel] = math.inf
            self._keepers[channel] = asyncio.create_task(self._keep_bound(channel, addr))

    async def _keep_bound(self, channel: int, addr: tuple[str, int]) -> None:
        """For as long as it is used; whoever uses it later binds it anew, by the same number."""
        pause: float = _BIND_SECONDS
        while True:
            await asyncio.sleep(pause)
            if channel not in self._used:
                break
            self._used.discard(channel)
            pause = await self._rebind(channel, addr)
        self.peer_to_failed_channel[addr] = self.peer_to_channel.pop(addr)
        del self._keepers[channel]

    async def _rebind(self, channel: int, addr: tuple[str, int]) -> float:
        """Seconds until it is to be bound once more."""
        try:
            await self.channel_bind(channel, addr)
        except (stun.TransactionError, ConnectionError) as error:
            logger.debug("A TURN channel could not be bound again: %s", error)
            self._used.add(channel)
            return _REBIND_SECONDS
        return _BIND_SECONDS

    def connection_lost(self, exc: Exception | None) -> None:
        """As stock."""
        self._let_go()
        super().connection_lost(exc)

    def _let_go(self) -> None:
        for keeper in self._keepers.values():
            keeper.cancel()

    async def request_with_retry(
        self, request: stun.Message
    ) -> tuple[stun.Message, tuple[str, int]]:
        """As stock, and once more for IPv6 where a server has nothing else."""
        try:
            return await super().request_with_retry(request)
        except stun.TransactionFailed as error:
            if error.response.error_code != _FAMILY_NOT_SUPPORTED or _FAMILY in request.attributes:
                raise
        request.attributes[_FAMILY] = _IPV6
        request.transaction_id = random_transaction_id()
        return await super().request_with_retry(request)

    async def delete(self) -> None:
        """Gives the allocation back, if the server is there to take it."""
        self._let_go()
        try:
            async with asyncio.timeout(_DELETE_SECONDS):
                await super().delete()
        except TimeoutError:
            logger.debug("A TURN server did not take its allocation back.")
        finally:
            transport: Any = self.transport
            transport.abort()  # to close waits until a stream has sent what nobody takes


class UdpClient(_Client, TurnClientUdpProtocol):
    """Over UDP."""


class StreamClient(_Client, TurnClientTcpProtocol):
    """Over TCP, or TLS."""


def dropped_by(transport: Any) -> int:
    """What the client of a TURN transport has dropped; nothing of another transport."""
    if isinstance(transport, TurnTransport):
        client: Any = transport._TurnTransport__inner_protocol  # type: ignore[attr-defined]  # noqa: SLF001
        return int(client.dropped)
    return 0


def trust(authority: str) -> None:
    """Also certificates of this authority count; a PEM file, or none."""
    if authority:
        _tls().load_verify_locations(authority)


@functools.cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()  # reads all authorities, which takes its time


async def allocate(
    server: Server, address: str, credentials: tuple[str | None, str | None], receiver: Any
) -> TurnTransport:
    """An allocation at this address of the server; its packets go to the receiver.

    Raises OSError (ssl.SSLError is one), or aioice's TransactionError. Whoever gives up waiting
    leaves nothing open here.
    """
    transport, client = await _connect(server, address, credentials)
    try:
        _tune(transport, server.transport)
        turn = TurnTransport(client)
        await turn._connect(receiver)  # noqa: SLF001
    except BaseException:
        transport.abort()
        raise
    return turn


async def _connect(server: Server, address: str, credentials: tuple[str | None, str | None]) -> Any:
    loop = asyncio.get_running_loop()
    at = (address, server.port)
    settings = (at, *credentials, DEFAULT_ALLOCATION_LIFETIME, _BIND_SECONDS)
    if server.transport is Transport.UDP:
        return await open_datagrams(lambda: UdpClient(*settings), remote_addr=at)
    tls: dict[str, Any] = {}
    if server.transport is Transport.TLS:
        tls = {"ssl": _tls(), "server_hostname": server.host}
    return await loop.create_connection(lambda: StreamClient(*settings), *at, **tls)


def _tune(transport: Any, kind: Transport) -> None:
    """Keeps what waits in the kernel short, for it can neither be counted nor taken back there."""
    connection = transport.get_extra_info("socket")
    if kind is Transport.UDP:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        return
    for name, value in (
        ("TCP_NOTSENT_LOWAT", _UNSENT_BYTES),
        ("TCP_USER_TIMEOUT", _DEAD_MILLISECONDS),
    ):
        if option := getattr(socket, name, None):  # Linux
            connection.setsockopt(socket.IPPROTO_TCP, option, value)
