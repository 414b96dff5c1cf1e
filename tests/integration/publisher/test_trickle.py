"""The camera answers at once, and what servers help to find reaches the viewer afterwards."""

import asyncio
import logging
import os
import re
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial

import pytest
from aioice.ice import Connection
from aiortc import (
    RTCBundlePolicy,
    RTCConfiguration,
    RTCIceServer,
    RTCIceTransportPolicy,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.sdp import candidate_from_sdp

from publisher.legs.fmp4 import Fmp4Leg
from publisher.legs.rtp import RtpLeg
from publisher.media.fanout import FanOut
from publisher.rtc import peer, private
from publisher.rtc.ice import agent as module
from publisher.rtc.ice import gatherer, hosts, remotes, turn, ways
from publisher.rtc.ice.agent import Agent
from publisher.rtc.ice.candidates import LocalCandidate
from publisher.rtc.ice.hosts import Network
from publisher.rtc.ice.urls import Transport
from publisher.rtc.path import Path
from rendezvous.wire.messages import IceCandidate, IcePolicy, IceServer
from tests.support import processes
from tests.support.coturn import LOOPBACK, Coturn, running_coturn
from tests.support.ports import free_port
from tests.support.scripted_stun import stun_server
from tests.support.waiting import PATIENCE, until

MAPPED = ("198.51.100.7", 50000)
FOREVER = 3600.0


@pytest.fixture(autouse=True)
def loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a host's interfaces are is no matter of these tests."""
    monkeypatch.setattr(private, "_network", Network.parse("", "lo"))
    monkeypatch.setattr(gatherer, "_said", {})
    # On a busy machine every server is slow.
    monkeypatch.setattr(module, "PATIENCE_SECONDS", PATIENCE)
    monkeypatch.setattr(gatherer, "SECONDS", PATIENCE)
    monkeypatch.setattr(peer, "CLOSE_SECONDS", PATIENCE)


@pytest.fixture(scope="module")
def coturn() -> Iterator[Coturn]:
    with running_coturn(*LOOPBACK) as running:
        yield running


@pytest.fixture
def trusted(coturn: Coturn, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server's certificate counts."""
    context = ssl.create_default_context(cafile=str(coturn.certificate))
    monkeypatch.setattr(turn, "_tls", lambda: context)


@asynccontextmanager
async def viewer(*servers: RTCIceServer, kind: str = "video") -> AsyncIterator[RTCPeerConnection]:
    """A browser's end; relayed alone if it has servers."""
    policy = RTCIceTransportPolicy.RELAY if servers else RTCIceTransportPolicy.ALL
    made = RTCPeerConnection(
        RTCConfiguration(
            iceServers=list(servers),
            iceTransportPolicy=policy,
            bundlePolicy=RTCBundlePolicy.MAX_BUNDLE,
        )
    )
    try:
        if kind == "channel":
            made.createDataChannel("media")
        else:
            made.addTransceiver(kind, direction="recvonly")
        await made.setLocalDescription(await made.createOffer())
        yield made
    finally:
        await made.close()


class Session:
    """A leg, and what its viewer is told."""

    def __init__(self, leg: RtpLeg | Fmp4Leg, told: list[IceCandidate | None]) -> None:
        self.leg = leg
        self.told = told
        self.answered = False

    async def answer(self, browser: RTCPeerConnection) -> str:
        async with asyncio.timeout(PATIENCE):
            answer = await self.leg.answer(browser.localDescription.sdp)
        assert not self.told, "before the answer"
        return answer

    def has(self, candidates: int) -> bool:
        return len(self.told) >= candidates

    async def complete(self) -> list[str]:
        """The candidates that were trickled, once there are no more."""
        await until(lambda: self.told and self.told[-1] is None)
        return [candidate.candidate for candidate in self.told if candidate]

    async def connect(self, browser: RTCPeerConnection) -> str:
        """How media goes, once it does."""
        answer = await self.answer(browser)
        await browser.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        for text in await self.complete():
            candidate = candidate_from_sdp(text.removeprefix("candidate:"))
            candidate.sdpMid = "0"
            await browser.addIceCandidate(candidate)
        await until(lambda: self.leg.peer.state == "connected")
        return str(self.leg.peer.route)


@asynccontextmanager
async def session(
    *servers: IceServer,
    policy: IcePolicy = IcePolicy.ALL,
    trickles: bool = True,
    fmp4: bool = False,
) -> AsyncIterator[Session]:
    told: list[IceCandidate | None] = []
    on_candidate = told.append if trickles else None
    ice = (servers, policy, lambda _: None)
    leg = (
        Fmp4Leg(FanOut(), *ice, on_candidate=on_candidate)
        if fmp4
        else RtpLeg(FanOut(), None, *ice, on_candidate=on_candidate)
    )
    try:
        yield Session(leg, told)
    finally:
        await leg.close()


def stun_at(*ports: int) -> IceServer:
    return IceServer(urls=tuple(f"stun:127.0.0.1:{port}" for port in ports))


def turn_at(server: Coturn, *urls: str, credential: str = "", room: str = "room") -> IceServer:
    username, password = server.user(room=room)
    return IceServer(urls=urls, username=username, credential=credential or password)


# ── STUN ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("fmp4", [False, True])
async def test_nobody_waits_for_servers_that_are_silent(
    fmp4: bool,  # noqa: FBT001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "PATIENCE_SECONDS", FOREVER)
    monkeypatch.setattr(gatherer, "SECONDS", FOREVER)
    async with stun_server() as silent, viewer(kind="channel" if fmp4 else "video") as browser:
        silent_turn = IceServer(
            urls=(f"turn:127.0.0.1:{silent.port}",), username="a", credential="b"
        )
        async with session(stun_at(silent.port), silent_turn, fmp4=fmp4) as camera:
            answer = await camera.answer(browser)
            assert "typ host" in answer
            assert "end-of-candidates" not in answer
            await until(lambda: silent.asked > 1)
            assert not camera.told


async def test_a_reflexive_candidate_follows_the_answer_and_then_the_end() -> None:
    async with (
        stun_server(MAPPED) as server,
        viewer() as browser,
        session(stun_at(server.port)) as camera,
    ):
        assert "srflx" not in await camera.answer(browser)
        (text,) = await camera.complete()
        assert re.search(r" 198\.51\.100\.7 50000 typ srflx raddr 127\.0\.0\.1 rport \d+$", text)
        assert camera.told[0]
        assert camera.told[0].sdp_mid == "0"


async def test_of_several_stun_servers_one_that_answers_is_enough() -> None:
    async with (
        stun_server() as silent,
        stun_server(MAPPED) as server,
        viewer() as browser,
        session(stun_at(silent.port, free_port(), server.port)) as camera,
    ):
        await camera.answer(browser)
        (text,) = await camera.complete()
        assert "typ srflx" in text
        assert silent.asked


async def test_without_servers_all_candidates_are_in_the_answer() -> None:
    async with viewer() as browser, session() as camera:
        assert "end-of-candidates" in await camera.answer(browser)
        assert await camera.complete() == []


async def test_who_cannot_trickle_gets_all_candidates_in_the_answer() -> None:
    async with (
        stun_server(MAPPED) as server,
        viewer() as browser,
        session(stun_at(server.port), trickles=False) as camera,
    ):
        answer = await camera.answer(browser)
        assert "typ srflx" in answer
        assert "end-of-candidates" in answer


async def test_who_cannot_trickle_waits_a_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.05)
    monkeypatch.setattr(gatherer, "SECONDS", FOREVER)
    async with (
        stun_server() as silent,
        viewer() as browser,
        session(stun_at(silent.port), trickles=False) as camera,
    ):
        assert "typ host" in await camera.answer(browser)


async def test_an_offer_of_ours_waits_the_same_time() -> None:
    """WHIP servers get one description, and no more candidates."""
    async with (
        stun_server(MAPPED) as server,
        session(stun_at(server.port), trickles=False) as camera,
    ):
        assert isinstance(camera.leg, RtpLeg)
        offer = await camera.leg.offer()
        assert "typ srflx" in offer


async def test_hidden_candidates_of_an_offer_are_not_waited_for() -> None:
    hidden = "a=candidate:1 1 udp 1 8f3f3b34-53a1-4a26-be2b-2b6508927451.local 9 typ host\r\n"
    async with viewer() as browser, session() as camera:
        offer = browser.localDescription.sdp + hidden
        assert "typ host" in await asyncio.wait_for(camera.leg.answer(offer), PATIENCE)
        late = IceCandidate(candidate=hidden.strip().removeprefix("a="), sdp_mid="0")
        await asyncio.wait_for(camera.leg.add_candidate(late), PATIENCE)


async def test_an_offer_full_of_candidates_is_answered_and_some_are_checked() -> None:
    line = "a=candidate:1 1 udp 1 198.51.100.{} 10000 typ host\r\n"
    async with viewer() as browser, session() as camera:
        full = "".join(line.format(number) for number in range(255))
        await asyncio.wait_for(camera.leg.answer(browser.localDescription.sdp + full), PATIENCE)
        agent = camera.leg.peer._agent
        assert agent
        await until(lambda: agent._early_checks_done)
        assert 0 < len(agent._remote_candidates) <= remotes.MOST
        assert len(agent._check_list) <= remotes.MOST


# ── TURN ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
@pytest.mark.usefixtures("trusted")
async def test_media_goes_over_turn_by_each_transport(coturn: Coturn, transport: str) -> None:
    username, password = coturn.user()
    other = RTCIceServer(coturn.url("udp"), username, password)
    server = turn_at(coturn, coturn.url(transport))
    async with viewer(other) as browser, session(server, policy=IcePolicy.RELAY) as camera:
        assert await camera.connect(browser) == f"relayed over {transport.upper()}"
        assert camera.leg.local_address == "127.0.0.1"


@pytest.mark.usefixtures("trusted")
async def test_the_best_transport_that_works_is_taken_whatever_the_order(
    coturn: Coturn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ways, "HEAD_START_SECONDS", FOREVER)
    urls = [coturn.url(transport) for transport in ("tls", "tcp", "udp")]
    async with viewer() as browser, session(turn_at(coturn, *urls)) as camera:
        await camera.answer(browser)
        (text,) = await camera.complete()
        assert "typ relay" in text
        assert camera.leg.peer._agent
        (relayed,) = (c for c in camera.leg.peer._agent.local_candidates if c.type == "relay")
        assert isinstance(relayed, LocalCandidate)
        assert relayed.relay is Transport.UDP


async def test_udp_that_is_silent_is_replaced_by_tcp(
    coturn: Coturn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gatherer, "SECONDS", FOREVER)
    async with stun_server() as silent, viewer() as browser:
        urls = f"turn:127.0.0.1:{silent.port}", coturn.url("tcp"), coturn.url("tls")
        async with session(turn_at(coturn, *urls)) as camera:
            await camera.answer(browser)
            await until(partial(camera.has, 1))
            assert camera.told[0]
            assert "typ relay" in camera.told[0].candidate


async def test_a_dead_server_leaves_it_to_the_next(coturn: Coturn) -> None:
    dead = turn_at(coturn, f"turn:127.0.0.1:{free_port()}?transport=tcp")
    async with viewer() as browser, session(dead, turn_at(coturn, coturn.url("udp"))) as camera:
        await camera.answer(browser)
        (text,) = await camera.complete()
        assert "typ relay" in text


async def test_wrong_credentials_are_said_once_and_hold_up_nobody(
    coturn: Coturn, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = turn_at(coturn, coturn.url("udp"), credential="not the right one")
    for _ in range(2):
        async with viewer() as browser, session(wrong) as camera:
            await camera.answer(browser)
            assert await camera.complete() == []
            assert camera.leg.losses == "1 ways to ICE servers failed"
    said = [record for record in caplog.records if "refuses the credentials" in record.message]
    assert [record.levelno for record in said] == [logging.WARNING]
    assert "not the right one" not in caplog.text


async def test_a_relay_only_session_shows_no_address_of_its_own(coturn: Coturn) -> None:
    server = turn_at(coturn, coturn.url("udp"))
    async with viewer() as browser, session(server, policy=IcePolicy.RELAY) as camera:
        answer = await camera.answer(browser)
        assert "a=candidate" not in answer
        assert set(re.findall(r"IN IP[46] (\S+)", answer)) == {"0.0.0.0"}
        (text,) = await camera.complete()
        assert text.endswith("typ relay raddr 0.0.0.0 rport 9")
    ice = session(server, policy=IcePolicy.RELAY, trickles=False)
    async with viewer() as browser, ice as camera:
        answer = await camera.answer(browser)
        kinds = set(re.findall(r" typ (\w+) raddr (\S+) rport (\d+)", answer))
        assert kinds == {("relay", "0.0.0.0", "9")}
        assert answer.count(" typ ") == answer.count(" typ relay ")


@pytest.mark.parametrize("finished", [True, False])
@pytest.mark.usefixtures("trusted")
async def test_a_session_that_is_over_holds_no_socket_and_no_allocation(
    coturn: Coturn,
    finished: bool,  # noqa: FBT001
) -> None:
    before = processes.open_sockets(os.getpid())
    urls = [coturn.url(transport) for transport in ("udp", "tcp", "tls")]
    async with stun_server() as silent:
        servers = (
            stun_at(silent.port),
            turn_at(coturn, *urls),
            turn_at(coturn, f"turn:127.0.0.1:{silent.port}", *urls[1:], room="other"),
        )
        for _ in range(3):
            async with viewer() as browser, session(*servers) as camera:
                await camera.answer(browser)
                if finished:
                    await until(partial(camera.has, 2))
    await until(lambda: processes.open_sockets(os.getpid()) <= before)


@pytest.mark.parametrize("turns", [8, 17, 19, 30, 45])  # of the loop, after which it is over
@pytest.mark.parametrize("gives_up", [True, False])
@pytest.mark.usefixtures("trusted")
async def test_a_session_that_ends_while_it_begins_holds_nothing(
    coturn: Coturn,
    turns: int,
    gives_up: bool,  # noqa: FBT001
) -> None:
    urls = [coturn.url(transport) for transport in ("udp", "tcp", "tls")]
    async with viewer() as browser, stun_server(MAPPED) as server:
        before = processes.open_sockets(os.getpid())
        async with session(stun_at(server.port), turn_at(coturn, *urls)) as camera:
            answering = asyncio.create_task(camera.answer(browser))
            for _ in range(turns):
                await asyncio.sleep(0)
            if gives_up:
                answering.cancel()
                await asyncio.wait([answering])
        await asyncio.gather(answering, return_exceptions=True)
        await until(lambda: processes.open_sockets(os.getpid()) <= before)


@pytest.mark.parametrize("transport", ["tcp", "tls"])
@pytest.mark.usefixtures("trusted")
async def test_a_relay_that_stops_reading_is_full_soon_and_keeps_no_session_from_its_end(
    coturn: Coturn,
    transport: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """No heap grows here, in TLS or in the kernel, while the server takes nothing."""
    monkeypatch.setattr(turn, "_DELETE_SECONDS", 0.1)
    username, password = coturn.user()
    other = RTCIceServer(coturn.url("udp"), username, password)
    server = turn_at(coturn, coturn.url(transport))
    async with viewer(other) as browser, session(server, policy=IcePolicy.RELAY) as camera:
        await camera.connect(browser)
        assert camera.leg.peer._agent
        path = Path(camera.leg.peer._agent)
        coturn.pause()
        try:
            assert await _until_full(path) < 16 * 1024 * 1024  # of which the kernel's most
            await camera.leg.close()
            assert "did not close" not in caplog.text
        finally:
            coturn.resume()


async def _until_full(path: Path) -> int:
    burst, taken = memoryview(bytes(32 * 1200)), 0
    full = 0
    while full < 50:  # in a row, with turns of the loop between
        now = path.send(burst, 1200)
        assert now is not None
        full = 0 if now else full + 1
        taken += now
        await asyncio.sleep(0)
    return taken


# ── the machine's own network ────────────────────────────────────────────────────────────────


async def test_media_keeps_to_the_ports_that_are_set(monkeypatch: pytest.MonkeyPatch) -> None:
    first = free_port()
    network = Network.parse(f"{first}-{first}", "lo")
    monkeypatch.setattr(private, "_network", network)
    async with viewer() as browser, session() as camera:
        answer = await camera.answer(browser)
        assert {int(port) for port in re.findall(r" (\d+) typ host", answer)} == {first}
        async with viewer() as late, session() as other:  # the only port is taken
            assert "typ host" not in await other.answer(late)


class Ear:
    """Whoever owns an agent, and does not listen."""

    def gathered(self, candidate: LocalCandidate | None) -> None:
        """See agent.Listener."""

    def heard(self) -> None:
        """See agent.Listener."""


async def test_a_network_of_ipv6_alone_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosts, "addresses", lambda _: ["::1"])
    ends = [
        Agent.adopt(Connection(controls), (), Network(), Ear(), trickles=True)
        for controls in (True, False)
    ]
    try:
        await _connect(*ends)
        assert [str(end.route) for end in ends] == ["direct", "direct"]
        await ends[0].send(b"over six")
        assert await asyncio.wait_for(ends[1].recv(), PATIENCE) == b"over six"
    finally:
        for end in ends:
            await end.close()


async def _connect(*ends: Agent) -> None:
    for end in ends:
        await end.gather_candidates()
    for end, other in zip(ends, reversed(ends), strict=True):
        end.remote_username, end.remote_password = other.local_username, other.local_password
        for candidate in other.local_candidates:
            await end.add_remote_candidate(candidate)
    await asyncio.wait_for(asyncio.gather(*(end.connect() for end in ends)), PATIENCE)
