"""A TURN client keeps what it has for hours, drops what its server does not take, ends in time."""

import asyncio
import logging
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from aioice import stun
from aioice.turn import TurnTransport

from publisher.rtc.ice import turn
from publisher.rtc.ice.turn import StreamClient, UdpClient
from publisher.rtc.path import RELAY_BYTES
from tests.chaos.virtual import VirtualLoop
from tests.support.scripted_turn import ADDRESS, PASSWORD, USERNAME, TurnServer
from tests.support.waiting import PATIENCE

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
        """What waits is sent first."""

    def abort(self) -> None:
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
        self.asked: list[stun.Message] = []
        self.answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.client.request = self._request

    async def _request(self, message: stun.Message) -> tuple[stun.Message, tuple[str, int]]:
        self.asked.append(message)
        await self.answer
        return message, ("192.0.2.9", 3478)


# ── hours, in virtual time ───────────────────────────────────────────────────────────────────

HOUR = 3600.0
CONSENT_SECONDS = 5.0  # between two packets of a session that has nothing to show
DELAY = 0.05  # seconds, one way


class Line(Wire):
    """To a scripted server and back."""

    def __init__(self, client: Any) -> None:
        super().__init__()
        self.loop = asyncio.get_running_loop()
        self.server = TurnServer(self._answer)
        self.client = client
        client.connection_made(self)

    def sendto(self, data: bytes) -> None:
        self.loop.call_later(DELAY, self.server.received, data)

    def _answer(self, data: bytes) -> None:
        self.loop.call_later(DELAY, self.client.datagram_received, data, ADDRESS)


async def allocated() -> tuple[TurnServer, TurnTransport]:
    client = UdpClient(ADDRESS, USERNAME, PASSWORD, 600, turn._BIND_SECONDS)
    line = Line(client)
    transport = TurnTransport(client)
    await transport._connect(asyncio.DatagramProtocol())
    return line.server, transport


async def send_for(seconds: float, transport: TurnTransport) -> int:
    """Packets that were sent."""
    count = int(seconds / CONSENT_SECONDS)
    for _ in range(count):
        transport.sendto(b"data", PEER)
        await asyncio.sleep(CONSENT_SECONDS)
    return count


@pytest.fixture
def hours() -> Iterator[VirtualLoop]:
    loop = VirtualLoop()
    yield loop
    assert not loop.defects
    loop.finish()


def test_what_is_relayed_goes_on_for_hours(hours: VirtualLoop) -> None:
    """Permissions last 5 min, channels and allocations 10 (RFC 8656), and so do nonces here."""

    async def story() -> None:
        server, transport = await allocated()
        sent = await send_for(6 * HOUR, transport)
        assert (len(server.relayed), server.refused) == (sent, 0)
        times = Counter(server.asked)
        assert times[stun.Method.CHANNEL_BIND] == 6 * HOUR / turn._BIND_SECONDS
        assert times[stun.Method.REFRESH] == 6 * HOUR // 500

    hours.run_until_complete(story())


def test_losses_of_half_a_minute_cost_no_permission(hours: VirtualLoop) -> None:
    async def story() -> None:
        server, transport = await allocated()
        loop = asyncio.get_running_loop()
        sent = await send_for(200, transport)
        begin = loop.time() + 35
        server.deaf = lambda _: (loop.time() - begin) % 240 < 30  # whenever a binding is due
        sent += await send_for(HOUR, transport)
        assert (len(server.relayed), server.refused) == (sent, 0)

    hours.run_until_complete(story())


def test_a_server_that_refuses_once_is_asked_again_soon(hours: VirtualLoop) -> None:
    async def story() -> None:
        server, transport = await allocated()
        await send_for(200, transport)
        server.refusals = [(508, "Insufficient Capacity")]
        sent = await send_for(HOUR, transport)
        assert server.refused == 0
        assert len(server.relayed) == sent + 40
        assert not server.refusals

    hours.run_until_complete(story())


def test_a_channel_that_nobody_uses_ends_and_is_bound_anew_by_its_number(
    hours: VirtualLoop,
) -> None:
    """RFC 8656 §12 lets no other peer have the number, and no other number the peer."""

    async def story() -> None:
        server, transport = await allocated()
        sent = await send_for(CONSENT_SECONDS, transport)
        await asyncio.sleep(HOUR)
        assert server.asked.count(stun.Method.CHANNEL_BIND) < 3
        sent += await send_for(CONSENT_SECONDS, transport)
        assert (len(server.relayed), server.refused) == (sent, 0)
        assert list(server.channels) == [CHANNEL]

    hours.run_until_complete(story())


def test_a_connection_that_is_lost_keeps_nothing(hours: VirtualLoop) -> None:
    async def story() -> None:
        _, transport = await allocated()
        await send_for(CONSENT_SECONDS, transport)
        client: Any = transport._TurnTransport__inner_protocol  # type: ignore[attr-defined]
        client.connection_lost(None)
        client.refresh_task.cancel()
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    hours.run_until_complete(story())


# ── one moment ───────────────────────────────────────────────────────────────────────────────


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
    async with asyncio.timeout(PATIENCE):
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
