"""The small parts: pace, gate, origins, counters, the page's rules."""

import logging
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rendezvous.program import logs
from rendezvous.relay.counters import Counters, log
from rendezvous.relay.pace import Pace
from rendezvous.relay.registry import Registry
from rendezvous.rooms.facts import Fact
from rendezvous.stores.contract import Lease
from rendezvous.transports.gate import Arrival, DoorLimits, Gate
from rendezvous.transports.origins import PublicOrigins, host_and_port
from rendezvous.transports.websocket import same_origin
from rendezvous.wire.identity import NodeId
from tests.support.clock import Clock
from tests.support.stores import embedded
from tests.support.waiting import until

# ── pace ─────────────────────────────────────────────────────────────────────────────────────


def test_a_burst_passes_and_then_the_rate_holds() -> None:
    """60 at once, then one every twentieth of a second."""
    pace = Pace(20, 60)
    assert [pace.delay(100.0) for _ in range(60)] == [pytest.approx(0)] * 60
    assert pace.delay(100.0) == pytest.approx(0.05)
    assert pace.delay(100.0) == pytest.approx(0.10)
    assert pace.delay(200.0) == 0


@given(st.lists(st.floats(0, 2), min_size=1, max_size=200))
def test_nobody_is_faster_than_the_rate(gaps: list[float]) -> None:
    """Whatever the pattern: in t seconds at most burst + rate·t messages are handled."""
    pace, now = Pace(10, 5), 50.0
    for handled, gap in enumerate(gaps, 1):
        now += gap
        now += pace.delay(now)
        assert handled <= 5 + 10 * (now - 50.0) + 1e-6


# ── gate ─────────────────────────────────────────────────────────────────────────────────────


def arrival(address: str) -> Arrival:
    """Somebody at the door."""
    return Arrival(address=address, stranger_since=0.0)


def test_strangers_are_capped_for_each_address_and_in_all() -> None:
    """Leaving twice gives one place back."""
    gate = Gate(DoorLimits(per_address=2, in_all=3))
    first, second = arrival("192.0.2.1"), arrival("192.0.2.1")
    assert gate.enter(first)
    assert gate.enter(second)
    assert not gate.enter(arrival("192.0.2.1"))
    assert gate.enter(arrival("192.0.2.2"))
    assert not gate.enter(arrival("192.0.2.3"))
    first.leave_gate()
    first.leave_gate()
    assert gate.strangers == 2
    assert gate.enter(arrival("192.0.2.3"))
    assert not gate.enter(arrival("192.0.2.3"))


def test_an_ipv6_customer_is_one_address() -> None:
    """A /64 has more addresses than the Internet has cameras."""
    gate = Gate(DoorLimits(per_address=1))
    assert gate.enter(arrival("2001:db8::1"))
    assert not gate.enter(arrival("2001:db8::ffff"))
    assert gate.enter(arrival("2001:db8:0:1::1"))
    assert gate.enter(arrival("fe80::1%eth0"))


# ── origins ──────────────────────────────────────────────────────────────────────────────────


def test_the_names_of_a_connection() -> None:
    """Its local address, localhost for neighbours, and the public ones, in lower case."""
    origins = PublicOrigins(["Cam.Example.org:443"])
    assert origins.known_to("127.0.0.1", "127.0.0.1", 4545) == {
        "127.0.0.1:4545",
        "localhost:4545",
        "cam.example.org:443",
    }
    assert origins.known_to("192.0.2.7", "192.0.2.1", 80) == {"192.0.2.1:80", "cam.example.org:443"}
    assert "[::1]:4545" in origins.known_to("::1", "::1", 4545)


def test_socket_names_are_plain_addresses() -> None:
    """No scope, no mapped IPv4."""
    assert host_and_port(("fe80::1%eth0", 1, 0, 2)) == ("fe80::1", 1)
    assert host_and_port(("::ffff:192.0.2.1", 1, 0, 0)) == ("192.0.2.1", 1)


@pytest.mark.parametrize(
    ("origin", "host", "same"),
    [
        ("http://cam.example.org", "cam.example.org", True),
        ("http://cam.example.org", "CAM.example.org:80", True),
        ("https://cam.example.org", "cam.example.org:443", True),
        ("https://cam.example.org:4545", "cam.example.org:4545", True),
        ("http://[::1]:4545", "[::1]:4545", True),
        ("http://cam.example.org", "cam.example.org:4545", False),
        ("http://cam.example.org.evil.org", "cam.example.org", False),
        ("null", "", False),
        ("", "", False),
        ("http://x:port", "x", False),
        ("http://x", "x:port", False),
        ("http://[::1", "[::1", False),
        ("ftp://x", "x", False),
        ("http://", "", False),
    ],
)
def test_same_origin(origin: str, host: str, *, same: bool) -> None:
    """Scheme's port, host, nothing else."""
    assert same_origin(origin, host) is same


# ── counters ─────────────────────────────────────────────────────────────────────────────────


def test_counts_are_logged_at_most_once_a_second(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """And only what has grown."""
    clock = Clock()
    monkeypatch.setattr(logs, "time", clock)
    caplog.set_level(logging.INFO)
    counters = Counters()
    counters.report()
    for seconds in (0.0, 0.9, 0.1, 1.0):
        clock.wait(seconds)
        counters.add("malformed")
        counters.report()
    said = [record.message for record in caplog.records if record.name == log.name]
    assert said == [f"Refused or dropped: malformed {grown}" for grown in (1, 2, 1)]
    assert counters.totals["malformed"] == 4


# ── leases ───────────────────────────────────────────────────────────────────────────────────


async def test_rooms_are_listed_only_when_their_leases_are_to_be_renewed() -> None:
    """With fifteen thousand of them it is too much for every tick."""
    listed: list[float] = []
    heard: list[Fact] = []
    async with embedded(None) as under_test:
        registry = Registry(
            under_test.store,
            Counters(),
            node=NodeId("here"),
            clock=lambda: 0.0,
            chance=random.Random(1),
            hear=heard.append,
        )

        def held() -> tuple[Lease, ...]:
            listed.append(now)
            return ()

        for now in (0.0, 0.5, 1.0, 10.0):
            registry.renew(held, now)
            await until(lambda: len(heard) == len(listed))
    assert listed == [0.0, 10.0]
