"""Checks go on where aioice ends them, and a direct pair counts more than a relayed one."""

import asyncio
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import aioice.ice
import pytest
from aioice import stun
from aioice.candidate import Candidate
from aioice.ice import CandidatePair, Connection

from publisher.rtc import private
from publisher.rtc.configuration import configuration
from publisher.rtc.ice import candidates, checks, names, nomination, trial
from publisher.rtc.ice.agent import Agent, Listener
from publisher.rtc.ice.hosts import Network
from publisher.rtc.ice.nomination import Nominations, route_of
from publisher.rtc.ice.urls import Transport
from rendezvous.wire.messages import IcePolicy, IceServer
from tests.support.waiting import PATIENCE, until

REMOTE = ("198.51.100.1", 10000)
State = CandidatePair.State


class Ear(Listener):
    """Counts what it hears."""

    def __init__(self) -> None:
        self.signs = 0

    def gathered(self, _: candidates.LocalCandidate | None) -> None:
        raise AssertionError

    def heard(self) -> None:
        self.signs += 1


class Wire:
    """A protocol without a socket."""

    def __init__(self, candidate: candidates.LocalCandidate) -> None:
        self.local_candidate = candidate
        self.sent: list[stun.Message] = []
        self.outcomes: list[bool] = []

    def send_stun(self, message: stun.Message, _: tuple[str, int]) -> None:
        self.sent.append(message)

    async def request(self, *_: object, **__: object) -> None:
        if not self.outcomes:
            await asyncio.Future()
        if not self.outcomes.pop(0):
            raise stun.TransactionTimeout


def direct() -> Any:
    return Wire(candidates.host(("192.0.2.2", 2000), 0))


def relayed(kind: Transport = Transport.UDP) -> Any:
    return Wire(candidates.relayed(("203.0.113.9", 9000), None, kind))


def remote(kind: str = "host") -> Candidate:
    return Candidate("1", candidates.COMPONENT, "udp", 1, *REMOTE, kind)


def pair(wire: Any, kind: str = "host") -> CandidatePair:
    return CandidatePair(wire, remote(kind))


@pytest.fixture
def agent() -> Any:
    ear = Ear()
    made = Agent.adopt(Connection(False), (), Network(), ear, trickles=True)
    made.remote_username, made.remote_password = "remote", "password"
    made.ear = ear  # type: ignore[attr-defined]
    return made


# ── nomination ───────────────────────────────────────────────────────────────────────────────


async def test_a_relayed_pair_does_not_take_over_from_a_direct_one_that_lives() -> None:
    nominations = Nominations()
    nominations[1] = straight = pair(direct())
    nominations[1] = pair(relayed())
    assert nominations[1] is straight


async def test_a_direct_pair_that_is_silent_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nomination, "SILENCE_SECONDS", 0.0)
    nominations = Nominations()
    nominations[1] = pair(direct())
    nominations[1] = by_relay = pair(relayed())
    assert nominations[1] is by_relay


@pytest.mark.parametrize("second", [pair(direct()), pair(direct(), "srflx")])
async def test_otherwise_the_last_word_of_the_browser_counts(second: CandidatePair) -> None:
    nominations = Nominations()
    for first in (pair(relayed()), pair(direct(), "relay"), pair(direct())):
        nominations[1] = first
        nominations[1] = second
        assert nominations[1] is second


@pytest.mark.parametrize(
    ("of", "words"),
    [
        (pair(direct()), "direct"),
        (pair(direct(), "relay"), "relayed"),
        (pair(relayed(Transport.TLS)), "relayed over TLS"),
        (pair(relayed(), "relay"), "relayed over UDP"),
    ],
)
def test_a_route_is_said_in_words(of: CandidatePair, words: str) -> None:
    assert str(route_of(of)) == words


# ── checks ───────────────────────────────────────────────────────────────────────────────────


def incoming() -> stun.Message:
    message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
    message.attributes["PRIORITY"] = 1
    return message


async def test_a_check_of_the_other_side_sends_ours_once_more(agent: Any) -> None:
    """The first has opened our NAT, and was lost at the other, which is open now."""
    wire = direct()
    agent._protocols.append(wire)
    agent._add_remote_candidate(remote(), REMOTE[0])
    agent._early_checks_done = True
    (only,) = agent._check_list
    agent.check_state(only, State.IN_PROGRESS)
    request = agent.build_request(only, nominate=False)
    agent.check_incoming(incoming(), REMOTE, wire)
    assert wire.sent == [request]
    assert agent.ear.signs == 1
    agent.check_state(only, State.SUCCEEDED)
    agent.check_incoming(incoming(), REMOTE, wire)
    assert wire.sent == [request]


async def test_a_check_that_was_given_up_begins_anew_when_the_browser_checks(agent: Any) -> None:
    """Stock aioice cancels it when a relayed pair is found, and never tries it again."""
    wire = direct()
    agent._protocols.append(wire)
    agent._add_remote_candidate(remote(), REMOTE[0])
    (only,) = agent._check_list
    agent.check_start_task(only)
    await until(lambda: only.state is State.IN_PROGRESS)
    agent.give_up(only)
    assert only.state is State.FAILED
    agent.check_incoming(incoming(), REMOTE, wire)
    await until(lambda: only.state is State.IN_PROGRESS)
    agent.give_up(only)


async def test_a_direct_pair_is_looked_for_while_media_is_relayed(
    agent: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "_HOPE_PACE_SECONDS", 0.001)
    wires = [direct(), relayed()]
    agent._protocols += wires
    agent._local_candidates_end = True
    connecting = asyncio.create_task(agent.connect())
    nominated = CandidatePair(wires[1], remote("relay"))
    nominated.nominated = True
    agent.check_state(nominated, State.SUCCEEDED)
    agent.check_complete(nominated)
    await connecting
    agent._add_remote_candidate(remote(), REMOTE[0])  # it is trickled late
    await until(lambda: any(p.state is State.IN_PROGRESS for p in agent._check_list))
    (late,) = [p for p in agent._check_list if p.state is State.IN_PROGRESS]
    assert late.protocol is wires[0]
    late.nominated = True
    agent.check_state(late, State.SUCCEEDED)
    agent.check_complete(late)
    assert str(agent.route) == "direct"
    agent._protocols.clear()
    await agent.close()


# ── consent ──────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "_CONSENT_SECONDS", 0.0)


@pytest.mark.usefixtures("impatient")
async def test_consent_is_not_lost_by_answers_that_are_missing(agent: Any) -> None:
    """Stock aioice closes after six, each of which it has awaited for half a second."""
    wire = direct()
    wire.outcomes = [False] * 10 + [True]
    agent._nominated[1] = pair(wire)
    asking = asyncio.create_task(agent.query_consent())
    await until(lambda: agent.ear.signs)
    assert not agent._closed
    asking.cancel()


@pytest.mark.usefixtures("impatient")
async def test_consent_that_is_never_given_is_lost(
    agent: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "_CONSENT_LOST_SECONDS", 0.05)
    wire = direct()
    wire.outcomes = [False] * 100_000
    agent._nominated[1] = pair(wire)
    await asyncio.wait_for(agent.query_consent(), PATIENCE)
    assert agent._closed
    assert not agent.ear.signs


# ── hidden candidates ────────────────────────────────────────────────────────────────────────

HIDDEN = "1 1 udp 2113937151 8f3f3b34-53a1-4a26-be2b-2b6508927451.local 60937 typ host"


async def test_a_hidden_address_is_paired_when_it_is_known(
    agent: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def look_up(*_: object) -> str:
        return "192.0.2.77"

    monkeypatch.setattr(names, "look_up", look_up)
    agent._protocols.append(direct())
    agent.resolve(Candidate.from_sdp(HIDDEN))
    await until(lambda: agent._check_list)
    assert agent._check_list[0].remote_addr == ("192.0.2.77", 60937)


async def test_names_are_asked_for_beside_the_rest_and_not_without_end(
    agent: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    async def look_up(name: str, _: object) -> None:
        asked.append(name)
        await asyncio.Future()

    monkeypatch.setattr(names, "look_up", look_up)
    for _ in range(2 * names.MOST):
        agent.resolve(Candidate.from_sdp(HIDDEN))
    agent.resolve(Candidate.from_sdp(HIDDEN.replace("udp", "tcp")))
    await until(lambda: len(asked) == names.MOST)
    await asyncio.wait_for(agent.close(), PATIENCE)


@pytest.mark.parametrize("name", ["a.example", "a.b.local", f"{'a' * 64}.local", "*.local"])
async def test_nobody_makes_us_ask_for_other_names(name: str) -> None:
    assert await names.look_up(name, object()) is None


async def test_without_multicast_a_hidden_address_stays_hidden(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def fail(_: object) -> None:
        raise OSError(98, "Address already in use")

    monkeypatch.setattr(aioice.ice, "get_or_create_mdns_protocol", fail)
    assert await names.look_up("a.local", object()) is None


# ── the trial ────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def fresh() -> Iterator[None]:
    private.has_agents.cache_clear()
    yield
    private.has_agents.cache_clear()


SERVERS = (IceServer(urls=("stun:192.0.2.1:3478",)),)


@pytest.mark.usefixtures("fresh")
def test_our_agents_pass_their_trial_with_this_aioice() -> None:
    assert private.has_agents()
    assert configuration(SERVERS, IcePolicy.ALL).iceServers == []


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize("gone", ["_unfreeze_initial", "_pair_remote_candidate", "check_incoming"])
def test_where_a_name_is_gone_aiortc_gathers(
    gone: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Connection, gone, None)
    assert not private.has_agents()
    assert gone in caplog.text
    servers = configuration(SERVERS, IcePolicy.ALL).iceServers or []
    assert [server.urls for server in servers] == [["stun:192.0.2.1:3478"]]


@pytest.mark.usefixtures("fresh")
def test_where_pairs_are_made_otherwise_aiortc_gathers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Connection, "_pair_remote_candidate", lambda *_: SimpleNamespace())
    with pytest.raises(ValueError, match="unpack"):
        trial.check()
    assert not private.has_agents()
