"""The ways to a STUN or TURN server: UDP, TCP, TLS. Each question has one answer, or none."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final

from rendezvous.probes import stun
from rendezvous.probes.stun import Address, Kind, Message

PATIENCE: Final = 10.0  # seconds for an answer; a machine may be busy, and a TLS handshake far
_FIRST_PAUSE: Final = 0.25  # seconds until UDP is sent again, then doubled (RFC 8489 §6.2.1)
_INBOX: Final = 32  # indications that nobody has read yet


class SilentError(Exception):
    """Nothing answers; with ``refused`` the machine is there, and its port is closed."""

    def __init__(self, *, refused: bool = False) -> None:
        super().__init__("refused" if refused else "silent")
        self.refused = refused


class Channel:
    """Finds the question to each answer; what comes unasked waits in a bounded inbox.

    ``write`` sends the bytes of one message; with ``again`` a question is repeated until it is
    answered, as UDP wants it.
    """

    def __init__(self, write: Callable[[bytes], None], local: Address, *, again: bool) -> None:
        self._write = write
        self._again = again
        self._answers: dict[bytes, asyncio.Future[Message]] = {}
        self._inbox: asyncio.Queue[Message] = asyncio.Queue(_INBOX)
        self.local = local
        self.dropped = 0
        """Indications that came when the inbox was full."""

    async def ask(self, request: Message, key: bytes = b"") -> Message:
        """The answer, a success or an error; raises SilentError."""
        answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._answers[request.transaction] = answer
        try:
            async with asyncio.timeout(PATIENCE):
                return await self._persist(stun.encode(request, key), answer)
        except TimeoutError:
            raise SilentError from None
        finally:
            del self._answers[request.transaction]

    async def _persist(self, data: bytes, answer: asyncio.Future[Message]) -> Message:
        pause = _FIRST_PAUSE
        while self._again and not answer.done():
            self._write(data)
            await asyncio.wait([answer], timeout=pause)
            pause *= 2
        if not self._again:
            self._write(data)
        return await answer

    def say(self, indication: Message) -> None:
        """Something that is not answered."""
        self._write(stun.encode(indication))

    async def hear(self, patience: float = PATIENCE) -> Message:
        """The next indication; raises SilentError."""
        try:
            async with asyncio.timeout(patience):
                return await self._inbox.get()
        except TimeoutError:
            raise SilentError from None

    def received(self, data: bytes) -> None:
        """For who reads: the bytes of one message."""
        message = stun.decode(data)
        if message is None:
            return
        waiting = self._answers.get(message.transaction)
        if waiting and not waiting.done() and message.kind in (Kind.SUCCESS, Kind.ERROR):
            waiting.set_result(message)
        elif message.kind is Kind.INDICATION:
            self._keep(message)

    def lost(self, *, refused: bool) -> None:
        """For who reads: nothing more will come."""
        for waiting in self._answers.values():
            if not waiting.done():
                waiting.set_exception(SilentError(refused=refused))

    def _keep(self, message: Message) -> None:
        try:
            self._inbox.put_nowait(message)
        except asyncio.QueueFull:
            self.dropped += 1


@asynccontextmanager
async def over_udp(server: Address) -> AsyncIterator[Channel]:
    """From a port of its own; raises SilentError where there is no route."""
    loop = asyncio.get_running_loop()
    try:
        transport, reader = await loop.create_datagram_endpoint(_Datagrams, remote_addr=server)
    except OSError:
        raise SilentError from None
    channel = Channel(transport.sendto, transport.get_extra_info("sockname")[:2], again=True)
    reader.channels.append(channel)
    try:
        yield channel
    finally:
        transport.close()


@asynccontextmanager
async def from_one_port(host: str) -> AsyncIterator[Callable[[Address], Channel]]:
    """Channels to any servers over UDP, all from the same port of this address of ours."""
    loop = asyncio.get_running_loop()
    transport, reader = await loop.create_datagram_endpoint(_Datagrams, local_addr=(host, 0))
    local = transport.get_extra_info("sockname")[:2]

    def towards(server: Address) -> Channel:
        channel = Channel(lambda data: transport.sendto(data, server), local, again=True)
        reader.channels.append(channel)
        return channel

    try:
        yield towards
    finally:
        transport.close()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.channels: list[Channel] = []

    def datagram_received(self, data: bytes, addr: Any) -> None:  # noqa: ARG002
        for channel in self.channels:
            channel.received(data)

    def error_received(self, exc: Exception) -> None:
        for channel in self.channels:
            channel.lost(refused=isinstance(exc, ConnectionRefusedError))


@asynccontextmanager
async def over_tcp(
    server: Address, context: ssl.SSLContext | None = None, name: str = ""
) -> AsyncIterator[Channel]:
    """Inside one connection; with a ``context`` under TLS to the server of that name.

    Raises SilentError or ssl.SSLError.
    """
    reader, writer = await connect(server, context, name)
    local = writer.get_extra_info("sockname")[:2]
    channel = Channel(writer.write, local, again=False)
    async with _beside(_read(reader, channel)):
        try:
            yield channel
        finally:
            writer.transport.abort()


async def connect(
    server: Address, context: ssl.SSLContext | None = None, name: str = ""
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection within PATIENCE; raises SilentError or ssl.SSLError."""
    try:
        async with asyncio.timeout(PATIENCE):
            return await asyncio.open_connection(
                *server, ssl=context, server_hostname=(name or server[0]) if context else None
            )
    except ssl.SSLError:
        raise
    except ConnectionRefusedError:
        raise SilentError(refused=True) from None
    except (OSError, TimeoutError):
        raise SilentError from None


async def _read(reader: asyncio.StreamReader, channel: Channel) -> None:
    try:
        while True:
            head = await reader.readexactly(4)
            channel.received(head + await reader.readexactly(stun.size(head) - len(head)))
    except (OSError, asyncio.IncompleteReadError):
        channel.lost(refused=False)


@asynccontextmanager
async def _beside(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
