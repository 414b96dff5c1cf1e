"""A path says when it is full, in time, and never sends where its address has gone."""

import errno
import os
import socket
import struct
import time
from types import SimpleNamespace
from typing import Any

import pytest
from aioice.turn import TurnClientTcpProtocol

from publisher.rtc.path import RELAY_BYTES, Direct, Path, Relay
from tests.support import processes
from tests.support.waiting import PATIENCE

PACKETS = memoryview(b"a" * 10 + b"b" * 10 + b"c" * 4)
ADDRESS = ("127.0.0.1", 5000)


class Turn:
    """A TURN client over TCP whose server takes only so much."""

    def __init__(self, waiting: int = 0) -> None:
        self.peer_to_channel = {ADDRESS: 0x4000}
        self.channel_refresh_at = {0x4000: time.time() + 60}
        self.sent: list[bytes] = []
        self.waiting = waiting
        self.closing = False
        self.transport = SimpleNamespace(
            get_write_buffer_size=lambda: self.waiting, is_closing=lambda: self.closing
        )

    def _send(self, data: bytes) -> None:
        self.sent.append(data)


class TurnTransport:
    """What aioice hands out for it."""

    def __init__(self, turn: Turn) -> None:
        self._TurnTransport__inner_protocol = turn
        self.sent: list[bytes] = []

    def sendto(self, data: bytes, address: tuple[str, int]) -> None:
        assert address == ADDRESS
        self.sent.append(data)


def relay(turn: Turn) -> tuple[Relay, TurnTransport]:
    transport: Any = TurnTransport(turn)
    return Relay(transport, ADDRESS), transport


def test_packets_go_through_the_channel_one_by_one() -> None:
    turn = Turn()
    way, transport = relay(turn)
    way.send(PACKETS, 10)
    assert turn.sent == [
        struct.pack("!HH", 0x4000, len(payload)) + payload
        for payload in (b"a" * 10, b"b" * 10, b"c" * 4)
    ]
    assert not transport.sent


def test_over_tcp_a_burst_is_one_write_of_padded_frames() -> None:
    """RFC 8656 §12.5: over a stream each begins at a multiple of four bytes."""
    client: Any = TurnClientTcpProtocol(("192.0.2.9", 3478), None, None, 600, 500)
    written: list[bytes] = []
    client.transport = SimpleNamespace(
        get_write_buffer_size=lambda: 0, is_closing=lambda: False, write=written.append
    )
    client.peer_to_channel[ADDRESS] = 0x4000
    client.channel_refresh_at[0x4000] = time.time() + 60
    way, _ = relay(client)
    assert way.send(PACKETS, 10) == len(PACKETS)
    head = struct.pack("!HH", 0x4000, 10)
    long = (head + b"a" * 10 + bytes(2), head + b"b" * 10 + bytes(2))
    assert written == [b"".join((*long, struct.pack("!HH", 0x4000, 4), b"c" * 4))]


@pytest.mark.parametrize("state", ["unbound", "stale"])
def test_a_channel_that_must_be_bound_first_is_aioice_s_affair(state: str) -> None:
    turn = Turn()
    if state == "unbound":
        turn.peer_to_channel.clear()
    else:
        turn.channel_refresh_at[0x4000] = 0.0
    way, transport = relay(turn)
    way.send(PACKETS, 10)
    assert transport.sent == [b"a" * 10, b"b" * 10, b"c" * 4]
    assert not turn.sent


def test_a_relay_whose_server_does_not_keep_up_is_full() -> None:
    turn = Turn(RELAY_BYTES - len(PACKETS) + 1)
    way, _ = relay(turn)
    assert way.send(PACKETS, 10) == 0
    assert not turn.sent
    turn.waiting -= 1
    assert way.send(PACKETS, 10) == len(PACKETS)
    assert len(turn.sent) == 3


def test_what_is_larger_than_a_relay_s_room_passes_when_nothing_waits() -> None:
    turn = Turn()
    way, _ = relay(turn)
    large = memoryview(bytes(RELAY_BYTES + 1))
    assert way.send(large, len(large)) == len(large)
    turn.waiting = 1
    assert way.send(large, len(large)) == 0


def test_a_relay_whose_server_has_gone_says_so() -> None:
    """Writing to its transport would raise one thing on asyncio and another on uvloop."""
    turn = Turn()
    turn.closing = True
    way, transport = relay(turn)
    with pytest.raises(ConnectionError):
        way.send(PACKETS, 10)
    assert not turn.sent + transport.sent


class Stubborn:
    """A socket of a device that cannot segment, and takes only so many packets."""

    def __init__(self, code: int, room: int = 100) -> None:
        self.code = code
        self.room = room
        self.sent: list[bytes] = []

    def sendmsg(self, *_: object) -> None:
        raise OSError(self.code, "no")

    def sendto(self, data: memoryview, _: object) -> int:
        if len(self.sent) == self.room:
            raise BlockingIOError(errno.EAGAIN, "full")
        self.sent.append(bytes(data))
        return len(data)

    def close(self) -> None:
        pass


@pytest.fixture
def udp() -> Any:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.bind(("127.0.0.1", 0))
        yield made


def test_where_a_device_cannot_segment_packets_leave_one_by_one(udp: socket.socket) -> None:
    way: Any = Direct(udp.fileno(), ADDRESS)
    way.close()
    way._socket = stubborn = Stubborn(errno.EIO)
    way.send(PACKETS, 10)
    way.send(PACKETS, 10)
    assert stubborn.sent == [b"a" * 10, b"b" * 10, b"c" * 4] * 2


def test_a_full_socket_is_no_reason_to_try_otherwise(udp: socket.socket) -> None:
    way: Any = Direct(udp.fileno(), ADDRESS)
    way.close()
    way._socket = stubborn = Stubborn(errno.ENOBUFS)
    assert way.send(PACKETS, 10) == 0
    assert not stubborn.sent


def test_a_socket_that_fills_up_says_how_much_it_took(udp: socket.socket) -> None:
    way: Any = Direct(udp.fileno(), ADDRESS)
    way.close()
    way._socket = stubborn = Stubborn(errno.EIO, room=1)
    assert way.send(PACKETS, 10) == 10
    stubborn.room = 9
    assert way.send(PACKETS[10:], 10) == len(PACKETS) - 10
    assert stubborn.sent == [b"a" * 10, b"b" * 10, b"c" * 4]


def test_a_route_that_is_gone_is_no_full_socket(udp: socket.socket) -> None:
    way: Any = Direct(udp.fileno(), ADDRESS)
    way.close()
    way._socket = Stubborn(errno.ENETUNREACH)
    with pytest.raises(OSError, match="no"):
        way.send(PACKETS, 10)


def test_a_burst_arrives_in_its_packets(udp: socket.socket) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(PATIENCE)
        way = Direct(udp.fileno(), receiver.getsockname())
        way.send(PACKETS, 10)
        assert [receiver.recv(100) for _ in range(3)] == [b"a" * 10, b"b" * 10, b"c" * 4]
        way.close()


def test_a_path_follows_the_pair_that_is_nominated_and_loses_what_has_no_pair(
    udp: socket.socket,
) -> None:
    ice: Any = SimpleNamespace(_nominated={})
    path = Path(ice)
    assert path.send(PACKETS, 10) is None
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(PATIENCE)
        transport = SimpleNamespace(get_extra_info=lambda _: udp)
        protocol = SimpleNamespace(transport=transport)
        ice._nominated[1] = SimpleNamespace(protocol=protocol, remote_addr=receiver.getsockname())
        assert path.send(PACKETS, 10) == len(PACKETS)
        assert receiver.recv(100) == b"a" * 10
    ice._nominated.clear()
    assert path.send(PACKETS, 10) is None


def nominated(udp: socket.socket) -> Any:
    """ICE with a pair over this socket."""
    protocol = SimpleNamespace(transport=SimpleNamespace(get_extra_info=lambda _: udp))
    pair = SimpleNamespace(protocol=protocol, remote_addr=ADDRESS)
    return SimpleNamespace(_nominated={1: pair})


def test_a_path_that_is_closed_stays_closed(udp: socket.socket) -> None:
    path = Path(nominated(udp))
    assert path.send(PACKETS, 10)
    path.close()
    path.close()
    before = processes.open_sockets(os.getpid())
    assert path.send(PACKETS, 10) is None
    assert processes.open_sockets(os.getpid()) <= before


def test_a_socket_that_cannot_be_had_costs_only_what_was_to_be_sent(
    udp: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path(nominated(udp))

    def fail(_: int) -> int:
        raise OSError(errno.EMFILE, "too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(os, "dup", fail)
        assert path.send(PACKETS, 10) is None
    assert path.send(PACKETS, 10)
    path.close()
