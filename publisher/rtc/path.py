"""How a viewer's datagrams leave: straight through the socket of the ICE pair, or through TURN.

aiortc's own way costs a call chain for each packet, and a task over TURN. Here a burst is one
system call where the kernel cuts it (UDP_SEGMENT, Linux 4.18), which costs less than half. Nothing
ever waits: a path that is full says so, and the pacer comes back with what it did not take.
"""

import errno
import os
import socket
import struct
import time
from typing import Any, Final, Protocol

from aioice.ice import CandidatePair, Connection
from aioice.turn import TurnClientTcpProtocol, TurnTransport

# Waiting for a TURN server that takes them slowly. Of pictures there are less, since their bursts
# must fit in whole; so sound and reports find room.
RELAY_BYTES: Final = 48 * 1024
_UDP_SEGMENT: Final = 103  # linux/udp.h
_MOST_SEGMENTS: Final = 64  # UDP_MAX_SEGMENTS of the oldest kernels that have it
_COMPONENT: Final = 1  # of RTP; RTCP shares it (RFC 5761)
# Of a route whose device cannot do it (EIO), or that is narrower than the packets.
_CANNOT_SEGMENT: Final = (errno.EIO, errno.EINVAL, errno.EMSGSIZE)


_FULL: Final = (errno.EAGAIN, errno.ENOBUFS)


class Way(Protocol):
    """Where the packets of one candidate pair go."""

    def send(self, packets: memoryview, size: int) -> int:
        """Sends packets of this size, the last perhaps shorter.

        Returns the bytes of those that it took: not all when it is full. Raises OSError when it
        is gone.
        """

    def close(self) -> None:
        """Lets go of what it holds; idempotent."""


class Path:
    """The way of the pair that ICE has nominated, which may change at any time."""

    def __init__(self, ice: Connection) -> None:
        self._ice = ice
        self._pair: CandidatePair | None = None
        self._way: Way | None = None
        self._closed = False

    def send(self, packets: memoryview, size: int) -> int | None:
        """Sends packets of this size, the last perhaps shorter.

        Returns the bytes of those that it took: not all when it is full for the moment. None says
        that there is no way: they are lost.
        """
        try:
            way = self._current()
            return None if way is None else way.send(packets, size)
        except OSError:  # no route any more, a socket that is gone, no descriptor for another
            return None

    def _current(self) -> Way | None:
        pair = self._ice._nominated.get(_COMPONENT)  # noqa: SLF001
        if pair is not self._pair:
            self._let_go()
            if pair is not None and not self._closed:
                self._way = _way(pair)
                self._pair = pair
        return self._way

    def close(self) -> None:
        """Lets go of the socket for good; idempotent."""
        self._closed = True
        self._let_go()

    def _let_go(self) -> None:
        way, self._way, self._pair = self._way, None, None
        if way is not None:
            way.close()


def _way(pair: CandidatePair) -> Way:
    transport: Any = pair.protocol.transport
    if isinstance(transport, TurnTransport):
        return Relay(transport, pair.remote_addr)
    return Direct(transport.get_extra_info("socket").fileno(), pair.remote_addr)


class Direct:
    """A UDP socket that the event loop owns as well."""

    def __init__(self, descriptor: int, address: tuple[str, int]) -> None:
        # Our own descriptor: the loop's may be closed, and its number given away, at any time.
        self._socket = socket.socket(fileno=os.dup(descriptor))
        self._socket.setblocking(False)
        self._address = address
        self._segments = _segments(self._socket)

    def send(self, packets: memoryview, size: int) -> int:
        """Sends packets of this size, the last perhaps shorter; the bytes taken. Raises OSError."""
        taken = 0
        try:
            while taken < len(packets):
                taken += self._send_some(packets[taken:], size)
        except OSError as error:
            if error.errno not in _FULL:
                raise
        return taken

    def _send_some(self, packets: memoryview, size: int) -> int:
        """All where the kernel cuts them, otherwise one."""
        if self._segments and size < len(packets) <= _MOST_SEGMENTS * size:
            cut = (socket.SOL_UDP, _UDP_SEGMENT, struct.pack("=H", size))
            try:
                return self._socket.sendmsg((packets,), (cut,), 0, self._address)
            except OSError as error:
                if error.errno not in _CANNOT_SEGMENT:
                    raise
                self._segments = False
        return self._socket.sendto(packets[:size], self._address)

    def close(self) -> None:
        """Closes our descriptor."""
        self._socket.close()


def _segments(udp: socket.socket) -> bool:
    """Whether the kernel knows the option: an older one would send a burst as one datagram."""
    try:
        udp.getsockopt(socket.SOL_UDP, _UDP_SEGMENT)
    except OSError:
        return False
    return True


class Relay:
    """A channel of a TURN allocation (RFC 8656 §12), over UDP or TCP."""

    def __init__(self, transport: TurnTransport, address: tuple[str, int]) -> None:
        self._transport = transport
        self._turn: Any = transport._TurnTransport__inner_protocol  # type: ignore[attr-defined]  # noqa: SLF001
        self._streams = isinstance(self._turn, TurnClientTcpProtocol)
        self._address = address

    def send(self, packets: memoryview, size: int) -> int:
        """Sends packets of this size, the last perhaps shorter; the bytes taken. Raises OSError."""
        if self._turn.transport.is_closing():  # event loops differ in what writing to it does
            raise ConnectionError
        # A TCP transport would take everything, however slowly the server does.
        waiting = self._turn.transport.get_write_buffer_size()
        if waiting and waiting + len(packets) > RELAY_BYTES:
            return 0
        parts = [bytes(packets[at : at + size]) for at in range(0, len(packets), size)]
        channel = self._bound_channel()
        if channel is None:
            for part in parts:
                self._transport.sendto(part, self._address)
        else:
            self._write([struct.pack("!HH", channel, len(part)) + part for part in parts])
        return len(packets)

    def _write(self, frames: list[bytes]) -> None:
        """One write for a stream: each would be a system call, and over TLS a record as well."""
        if self._streams:
            self._turn.transport.write(b"".join(map(self._turn._padded, frames)))  # noqa: SLF001
            return
        for frame in frames:
            self._turn._send(frame)  # noqa: SLF001

    def _bound_channel(self) -> int | None:
        """None when it has to be bound first, or again: then aioice sends, and binds."""
        channel: int | None = self._turn.peer_to_channel.get(self._address)
        if channel is None or time.time() > self._turn.channel_refresh_at[channel]:
            return None
        return channel

    def close(self) -> None:
        """Nothing is held."""
