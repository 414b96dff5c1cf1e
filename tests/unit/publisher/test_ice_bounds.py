"""Whatever a viewer or a stranger sends, a camera keeps little of it and sends little for it."""

import asyncio
import struct
from types import SimpleNamespace
from typing import Any

import pytest
from aioice import stun
from aioice.candidate import Candidate
from aioice.ice import CandidatePair, Connection

from publisher.rtc.ice import bounded, candidates, checks, remotes
from publisher.rtc.ice.agent import Agent
from publisher.rtc.ice.bounded import MOST_PAIRS, Endpoint
from publisher.rtc.ice.hosts import Network
from publisher.rtc.ice.urls import Transport
from tests.support.waiting import PATIENCE

State = CandidatePair.State
VIEWER = ("198.51.100.1", 10000)


class Ear:
    """Counts signs of life."""

    def __init__(self) -> None:
        self.signs = 0

    def gathered(self, _: object) -> None:
        """See agent.Listener."""

    def heard(self) -> None:
        self.signs += 1


class Wire:
    """A transport that keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[bytes, tuple[str, int]]] = []

    def sendto(self, data: bytes, addr: tuple[str, int]) -> None:
        self.sent.append((data, addr))


class Camera:
    """An agent with one address, which is connecting."""

    def __init__(self, host: str = "192.0.2.2") -> None:
        self.ear = Ear()
        agent: Any = Agent.adopt(Connection(False), (), Network(), self.ear, trickles=True)
        agent.remote_username, agent.remote_password = "viewer", "its password"
        agent._early_checks_done = True
        self.agent = agent
        self.wire = Wire()
        self.endpoint = Endpoint(agent)
        self.endpoint.transport = self.wire  # type: ignore[assignment]
        self.endpoint.local_candidate = candidates.host((host, 20000), 0)
        agent._protocols.append(self.endpoint)

    def told(self, address: str, port: int = 10000, kind: str = "host", **changes: Any) -> None:
        candidate = Candidate("1", 1, "udp", 1, address, port, kind)
        for name, value in changes.items():
            setattr(candidate, name, value)
        self.agent._add_remote_candidate(candidate, address)

    def checked(self, addr: tuple[str, int], priority: int = 1) -> None:
        """A check of the viewer's, from this address."""
        request = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
        request.attributes["USERNAME"] = f"{self.agent.local_username}:viewer"
        request.attributes["PRIORITY"] = priority
        request.add_message_integrity(self.agent.local_password.encode())
        self.endpoint.datagram_received(bytes(request), addr)

    @property
    def targets(self) -> list[tuple[str, int]]:
        return [pair.remote_addr for pair in self.agent._check_list]

    def end(self) -> None:
        for pair in self.agent._check_list:
            self.agent.give_up(pair)


# ── where to ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("address", "port"),
    [
        ("192.168.1.7", 40000),  # viewers are in the camera's network, too
        ("10.0.0.7", 1024),
        ("2001:db8::7", 40000),
        ("fd00::7", 65535),
        ("8.8.8.8", 443),
        ("169.254.7.7", 5000),
    ],
)
def test_a_camera_checks_where_viewers_are(address: str, port: int) -> None:
    candidate = Candidate("1", 1, "udp", 1, address, port, "host")
    assert remotes.is_usable(candidate, address, trusted=False, on_loopback=False)


@pytest.mark.parametrize(
    ("address", "port"),
    [
        ("127.0.0.1", 40000),
        ("127.9.9.9", 40000),
        ("::1", 40000),
        ("::ffff:127.0.0.1", 40000),
        ("::ffff:192.0.2.1", 40000),
        ("0.0.0.0", 40000),  # Linux takes it for this machine
        ("::", 40000),
        ("224.0.0.251", 5353),
        ("ff02::fb", 5353),
        ("255.255.255.255", 40000),
        ("fe80::7", 40000),
        ("fe80::7%eth0", 40000),
        ("192.168.1.1", 53),
        ("192.168.1.1", 443),
        ("8.8.8.8", 53),
        ("8.8.8.8", 0),
        ("8.8.8.8", 65536),
        ("8.8.8.8", -1),
        ("camera.example", 40000),
    ],
)
def test_a_camera_is_nobody_s_tool_against_others(address: str, port: int) -> None:
    candidate = Candidate("1", 1, "udp", 1, address, port, "host")
    assert not remotes.is_usable(candidate, address, trusted=False, on_loopback=False)


@pytest.mark.parametrize(
    ("address", "port"), [("127.0.0.1", 40000), ("::1", 40000), ("192.168.1.1", 443)]
)
async def test_a_server_of_the_owner_s_may_be_anywhere(address: str, port: int) -> None:
    candidate = Candidate("1", 1, "udp", 1, address, port, "host")
    assert remotes.is_usable(candidate, address, trusted=True, on_loopback=False)
    camera = Camera("::2" if ":" in address else "192.0.2.2")
    camera.agent.trusted = True
    camera.told(address, port)
    assert camera.targets == [(address, port)]


async def test_loopback_is_checked_by_a_camera_that_is_there() -> None:
    for host, targets in (("192.0.2.2", []), ("127.0.0.1", [("127.0.0.1", 10000)])):
        camera = Camera(host)
        camera.told("127.0.0.1")
        assert camera.targets == targets


async def test_a_camera_that_waits_for_its_relay_keeps_what_it_is_told() -> None:
    """In a relay-only session the viewer's candidates come before the camera's own."""
    camera = Camera("127.0.0.77")
    camera.agent._protocols.clear()
    camera.told("127.0.0.1", kind="relay")
    camera.agent._protocols.append(camera.endpoint)
    camera.agent.pair_all()
    assert camera.targets == [("127.0.0.1", 10000)]
    camera.end()


@pytest.mark.parametrize("changes", [{"component": 2}, {"transport": "tcp"}, {"type": "odd"}])
async def test_candidates_of_other_kinds_are_left_out(changes: dict[str, Any]) -> None:
    camera = Camera()
    camera.told("192.0.2.9", **changes)
    assert not camera.agent._remote_candidates
    camera.checked(("192.0.2.9", 10000))  # aioice asserts that its component is another
    assert camera.targets == [("192.0.2.9", 10000)]
    camera.end()


async def test_the_candidates_of_an_offer_are_looked_at_when_our_own_are_known() -> None:
    """They come before there is an agent, and an agent before it has an address."""
    stock = Connection(False)
    for number in range(2 * remotes.MOST):
        address = f"198.51.100.{1 + number}"
        stock._add_remote_candidate(Candidate("1", 1, "udp", 1, address, 10000, "host"), address)
    stock._remote_candidates.insert(0, Candidate("1", 1, "udp", 1, "127.0.0.1", 10000, "host"))
    camera = Camera()
    camera.agent._remote_candidates = stock._remote_candidates
    camera.agent.pair_all()
    camera.agent.revise()
    assert len(camera.targets) == len(camera.agent._remote_candidates) == remotes.MOST - 1
    assert ("127.0.0.1", 10000) not in camera.targets


# ── how many ─────────────────────────────────────────────────────────────────────────────────


async def test_of_thousands_of_candidates_some_are_checked() -> None:
    camera = Camera()
    for number in range(2_000):
        camera.told(f"198.51.{100 + number // 250}.{1 + number % 250}")
    assert len(camera.targets) == len(camera.agent._remote_candidates) == remotes.MOST


async def test_of_a_thousand_addresses_that_check_us_some_are_checked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bounded, "_NEW_PER_SECOND", 0.0)
    camera = Camera()
    for number in range(1_000):
        camera.checked(("203.0.113.1", 10_000 + number), priority=1 + number)
    assert len(camera.targets) == len(camera.agent._remote_candidates) == bounded.NEW_AT_ONCE
    assert camera.agent.losses["datagrams refused"] == 1_000 - bounded.NEW_AT_ONCE
    camera.end()


async def test_addresses_that_come_over_days_have_a_bound_as_well(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bounded, "_NEW_PER_SECOND", 1e9)
    camera = Camera()
    camera.told(*VIEWER)
    (told,) = camera.agent._check_list
    camera.agent.check_state(told, State.SUCCEEDED)
    camera.agent._nominated[1] = told
    for number in range(5 * MOST_PAIRS):
        camera.checked(("203.0.113.1", 10_000 + number), priority=1 + number)
    assert len(camera.targets) == MOST_PAIRS
    assert VIEWER in camera.targets
    assert len(camera.agent._remote_candidates) <= MOST_PAIRS
    assert len(camera.agent._requests) <= MOST_PAIRS
    camera.end()
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_viewer_that_wanders_for_days_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What has failed makes room, however good it once looked."""
    monkeypatch.setattr(bounded, "_NEW_PER_SECOND", 1e9)
    camera = Camera()
    for number in range(2 * MOST_PAIRS):
        address = ("203.0.113.1", 10_000 + number)
        camera.checked(address, priority=2 * MOST_PAIRS - number)
        assert address in camera.targets
        for pair in camera.agent._check_list:
            camera.agent.give_up(pair)
    assert len(camera.targets) == MOST_PAIRS


async def test_many_addresses_on_both_sides_make_no_more_pairs_than_that() -> None:
    camera = Camera()
    for number in range(15):
        other = Endpoint(camera.agent)
        other.local_candidate = candidates.host((f"192.0.2.{10 + number}", 20000), 1 + number)
        camera.agent._protocols.append(other)
    for number in range(remotes.MOST):
        camera.told(f"198.51.100.{1 + number}")
    camera.agent.pair_all()
    assert len(camera.targets) == MOST_PAIRS
    ranks = [pair.local_candidate.priority for pair in camera.agent._check_list]
    assert min(ranks) > candidates.host(("192.0.2.99", 1), 15).priority


# ── what comes in ────────────────────────────────────────────────────────────────────────────

SHORT = struct.pack("!HHI12sHH", 1, 4, stun.COOKIE, bytes(12), 0x0024, 0)  # an empty PRIORITY
JUNK = [b"", b"\x00", bytes(20), SHORT, b"\x16\xfe\xfd" + bytes(60), b"\x80\xc8" + bytes(60)]


@pytest.mark.parametrize("junk", JUNK)
async def test_what_strangers_send_goes_nowhere(junk: bytes) -> None:
    camera = Camera()
    camera.endpoint.datagram_received(junk, ("203.0.113.66", 6666))
    assert camera.agent._queue.empty()
    assert not camera.ear.signs
    assert camera.agent.losses["datagrams refused"] == 1


async def test_what_is_malformed_goes_nowhere_whoever_sends_it() -> None:
    """What aioice reads with raises struct.error, and where a check lacks something KeyError."""
    camera = Camera()
    camera.told(*VIEWER)
    request = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
    request.attributes["USERNAME"] = f"{camera.agent.local_username}:viewer"
    request.add_message_integrity(camera.agent.local_password.encode())  # without a PRIORITY
    for raw in (b"", bytes(20), SHORT):
        camera.endpoint.datagram_received(raw, VIEWER)
    camera.endpoint.datagram_received(bytes(request), (VIEWER[0], VIEWER[1] + 1))
    assert camera.agent._queue.empty()
    assert camera.agent.losses["datagrams refused"] == 4


async def test_a_viewer_is_heard_and_its_datagrams_wait_for_dtls_in_a_bounded_queue() -> None:
    camera = Camera()
    camera.told(*VIEWER)
    for _ in range(10 * bounded.MOST_WAITING):
        camera.endpoint.datagram_received(b"\x16\xfe\xfd" + bytes(60), VIEWER)
    assert camera.ear.signs == camera.agent._queue.qsize() == bounded.MOST_WAITING
    assert camera.agent.losses["datagrams refused"] == 9 * bounded.MOST_WAITING


# ── priorities and consent ───────────────────────────────────────────────────────────────────


async def test_a_check_says_what_its_own_candidate_is_worth() -> None:
    """RFC 8445 §7.1.1; aioice says the same for all, so that relays look like the rest."""
    camera = Camera()
    locals_ = [
        candidates.host(("192.0.2.2", 1), 0),
        candidates.host(("192.0.2.3", 1), 1),
        candidates.relayed(("192.0.2.9", 1), None, Transport.UDP),
        candidates.relayed(("192.0.2.8", 1), None, Transport.UDP, 1),
        candidates.relayed(("192.0.2.9", 1), None, Transport.TCP),
    ]
    said = []
    for local in locals_:
        protocol: Any = SimpleNamespace(local_candidate=local)
        pair = CandidatePair(protocol, Candidate("1", 1, "udp", 1, *VIEWER, "host"))
        said.append(camera.agent.build_request(pair, nominate=False).attributes["PRIORITY"])
    assert [priority >> 24 for priority in said] == [110] * 5
    assert [p & 0xFFFFFF for p in said] == [local.priority & 0xFFFFFF for local in locals_]
    assert said[2] > said[3] > said[4]


async def test_consent_ends_when_it_does_and_not_at_the_next_question(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """RFC 7675 §5.1: 30 s after the last answer nothing more is sent."""
    monkeypatch.setattr(checks, "_CONSENT_LOST_SECONDS", 0.02)
    monkeypatch.setattr(checks, "_CONSENT_SECONDS", 3600.0)
    camera = Camera()
    camera.agent._protocols.clear()
    await asyncio.wait_for(camera.agent.query_consent(), PATIENCE)
    assert camera.agent._closed
