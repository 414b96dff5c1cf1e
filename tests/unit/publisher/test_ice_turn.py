"""A TURN client asks once, keeps no heap of what its server does not take, and ends in time."""

import asyncio
import logging
from typing import Any

import pytest
from aioice import stun

from publisher.rtc.ice import turn
from publisher.rtc.ice.turn import StreamClient, UdpClient
from publisher.rtc.path import RELAY_BYTES
from tests.support.waiting import until

PEER = ("192.0.2.1", 1000)
CHANNEL = 0x4000


class Wire:
    """A transport that keeps what is written, and says how much of it waits."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.waiting = 0
        self.closed = False

    def sendto(self, data: bytes) -> None:
        self.sent.append(data)

    write = sendto

    def get_write_buffer_size(self) -> int:
        return self.waiting

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True


def made(kind: type[UdpClient | StreamClient]) -> Any:
    return kind(("192.0.2.9", 3478), "user", "password", 600, 240)


class Scene:
    """A client with a bound channel."""

    def __init__(self, kind: type[UdpClient | StreamClient] = UdpClient) -> None:
        self.client = made(kind)
        self.wire = Wire()
        self.client.transport = self.wire
        self.client.peer_to_channel[PEER] = CHANNEL
        self.client.channel_refresh_at[CHANNEL] = 0.0  # long ago
        self.asked: list[stun.Message] = []
        self.answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.client.request = self._request

    async def _request(self, message: stun.Message) -> tuple[stun.Message, tuple[str, int]]:
        self.asked.append(message)
        await self.answer
        return message, ("192.0.2.9", 3478)


async def test_a_channel_is_bound_again_once_and_data_does_not_wait() -> None:
    scene = Scene()
    for _ in range(5):
        await scene.client.send_data(b"data", PEER)
    await until(lambda: scene.asked)
    assert [message.message_method for message in scene.asked] == [stun.Method.CHANNEL_BIND]
    assert scene.wire.sent == [b"\x40\x00\x00\x04data"] * 5
    scene.answer.set_result(None)
    await until(lambda: not scene.client._renewals)
    await scene.client.send_data(b"data", PEER)
    assert len(scene.asked) == 1


async def test_a_channel_that_could_not_be_bound_again_is_asked_for_later() -> None:
    scene = Scene()
    scene.answer.set_exception(stun.TransactionTimeout())
    await scene.client.send_data(b"data", PEER)
    await until(lambda: scene.asked and not scene.client._renewals)
    scene.client.channel_refresh_at[CHANNEL] = 0.0
    await scene.client.send_data(b"data", PEER)
    await until(lambda: len(scene.asked) == 2)


async def test_permissions_are_renewed_before_they_end() -> None:
    """RFC 8656 §9: after five minutes, though a channel lasts ten."""
    assert turn._BIND_SECONDS < 300


async def test_what_a_slow_server_does_not_take_is_dropped_and_counted() -> None:
    scene = Scene(StreamClient)
    scene.wire.waiting = RELAY_BYTES + 1
    await scene.client.send_data(b"data", PEER)
    assert not scene.wire.sent
    assert scene.client.dropped == 1
    scene.wire.waiting = RELAY_BYTES
    await scene.client.send_data(b"data", PEER)
    assert scene.wire.sent == [b"\x40\x00\x00\x04data"]


async def test_an_allocation_of_a_server_that_is_gone_ends_in_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(turn, "_DELETE_SECONDS", 0.01)
    scene = Scene()
    async with asyncio.timeout(5):
        await scene.client.delete()
    assert [message.attributes["LIFETIME"] for message in scene.asked] == [0]
    assert scene.wire.closed


async def test_a_server_with_ipv6_alone_is_asked_for_that() -> None:
    turn.install()
    scene = Scene()
    refusal = stun.Message(stun.Method.ALLOCATE, stun.Class.ERROR)
    refusal.attributes["ERROR-CODE"] = (440, "Address Family not Supported")
    families: list[object] = []

    async def request(message: stun.Message) -> tuple[stun.Message, tuple[str, int]]:
        families.append(message.attributes.get("REQUESTED-ADDRESS-FAMILY"))
        assert stun.parse_message(bytes(message)).attributes == message.attributes
        if len(families) == 1:
            raise stun.TransactionFailed(refusal)
        return message, ("2001:db8::9", 3478)

    scene.client.request = request
    await scene.client.request_with_retry(stun.Message(stun.Method.ALLOCATE, stun.Class.REQUEST))
    assert families == [None, 0x02000000]


async def test_what_a_peer_that_is_not_allowed_costs_is_an_error_and_no_more() -> None:
    scene = Scene()
    refusal = stun.Message(stun.Method.CHANNEL_BIND, stun.Class.ERROR)
    refusal.attributes["ERROR-CODE"] = (403, "Forbidden IP")
    scene.answer.set_exception(stun.TransactionFailed(refusal))
    with pytest.raises(stun.TransactionFailed):
        await scene.client.send_data(b"data", ("10.0.0.1", 1))
    assert not scene.wire.sent


def test_a_client_never_logs_what_it_knows(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    client = made(UdpClient)
    assert "password" not in repr(client) + caplog.text
