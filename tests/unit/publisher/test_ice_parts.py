"""URLs, addresses and priorities are read and ranked as RFC 7064, 7065, 8421 and 8445 want it."""

import errno
import socket
from types import SimpleNamespace
from typing import Any, ClassVar

import ifaddr
import pytest

from publisher.rtc.ice import candidates, hosts, resolver
from publisher.rtc.ice.candidates import relayed, to_wire
from publisher.rtc.ice.hosts import Network
from publisher.rtc.ice.urls import Server, Transport, parse

# ── URLs ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("stun:a.example", Server("a.example", 3478)),
        ("stun:192.0.2.1:19302", Server("192.0.2.1", 19302)),
        ("stun:[2001:db8::1]:3479", Server("2001:db8::1", 3479)),
        ("turn:a.example", Server("a.example", 3478, Transport.UDP, relays=True)),
        ("turn:a.example?transport=tcp", Server("a.example", 3478, Transport.TCP, relays=True)),
        ("turn:a:80?transport=udp", Server("a", 80, Transport.UDP, relays=True)),
        ("turns:a.example", Server("a.example", 5349, Transport.TLS, relays=True)),
        ("TURNS:a:443?transport=TCP", Server("a", 443, Transport.TLS, relays=True)),
    ],
)
def test_urls_are_read(url: str, server: Server) -> None:
    assert parse(url) == server


@pytest.mark.parametrize(
    "url",
    ["", "a.example", "stun:", "stuns:a", "turns:a?transport=udp", "turn:a:0", "turn:a:65536",
     "turn:user@a", "turn:a?transport=sctp", "stun:a?transport=udp", "http://a"],
)  # fmt: skip
def test_what_cannot_serve_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"^not a"):
        parse(url)


# ── addresses ────────────────────────────────────────────────────────────────────────────────


def adapter(name: str, *addresses: str | tuple[str, int, int]) -> SimpleNamespace:
    return SimpleNamespace(nice_name=name, ips=[SimpleNamespace(ip=ip) for ip in addresses])


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    adapters = [
        adapter("lo", "127.0.0.1", "127.0.0.53", ("::1", 0, 0)),
        adapter("docker0", "172.17.0.1"),
        adapter("eth0", "192.0.2.2", ("2001:db8::2", 0, 0), ("fe80::2", 0, 3)),
        adapter("wlan0", "198.51.100.2"),
    ]
    monkeypatch.setattr(ifaddr, "get_adapters", lambda: adapters)


@pytest.mark.parametrize(
    ("interfaces", "addresses"),
    [
        ("", ["2001:db8::2", "192.0.2.2", "198.51.100.2", "172.17.0.1"]),
        ("eth*", ["2001:db8::2", "192.0.2.2"]),
        ("!eth0, !docker*", ["198.51.100.2"]),
        ("wlan0,lo", ["::1", "127.0.0.1", "127.0.0.53", "198.51.100.2"]),
        ("e*,l*", ["::1", "127.0.0.1", "2001:db8::2", "127.0.0.53", "192.0.2.2"]),
        ("tun0", []),
    ],
)
@pytest.mark.usefixtures("machine")
def test_interfaces_are_taken_and_left_by_name(interfaces: str, addresses: list[str]) -> None:
    """Bridges of containers come last, link-local addresses never."""
    assert hosts.addresses(Network.parse("", interfaces)) == addresses


class Socket:
    """One that binds to what nobody has taken."""

    taken: ClassVar[set[int]] = set()
    closed = 0

    def __init__(self, *_: object) -> None:
        self.port = 0

    def bind(self, at: tuple[str, int]) -> None:
        if at[1] in self.taken:
            raise OSError(errno.EADDRINUSE, "in use")
        self.taken.add(at[1])
        self.port = at[1]

    def close(self) -> None:
        type(self).closed += 1

    setblocking = setsockopt = lambda *_: None


def test_a_port_is_one_of_the_range_while_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "socket", Socket)
    monkeypatch.setattr(Socket, "taken", {40000, 40002})
    ports = Network.parse("40000-40003", "").ports
    bound: list[Any] = [hosts._bound("192.0.2.2", ports) for _ in range(2)]
    assert sorted(made.port for made in bound) == [40001, 40003]
    with pytest.raises(OSError, match="in use"):
        hosts._bound("192.0.2.2", ports)
    assert Socket.closed == 1


async def test_names_are_asked_for_once_however_many_want_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    def look_up(name: str, *_: object, **__: object) -> list[object]:
        asked.append(name)
        six, four = socket.AF_INET6, socket.AF_INET
        found = [
            (four, "192.0.2.1"),
            (four, "192.0.2.2"),
            (four, "192.0.2.3"),
            (six, "2001:db8::1"),
        ]
        return [(family, None, None, "", (address, 0)) for family, address in found]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    expected = ("2001:db8::1", "192.0.2.1", "192.0.2.2")
    assert await resolver.resolve("once.test") == expected
    assert await resolver.resolve("once.test") == expected
    assert await resolver.resolve("192.0.2.9") == ("192.0.2.9",)
    assert asked == ["once.test"]


async def test_a_name_that_is_not_known_may_be_known_the_next_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    def look_up(name: str, *_: object, **__: object) -> list[object]:
        asked.append(name)
        raise OSError("no such name")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    for _ in range(2):
        with pytest.raises(OSError, match="no such name"):
            await resolver.resolve("unknown.test")
    assert asked == ["unknown.test"] * 2


# ── candidates ───────────────────────────────────────────────────────────────────────────────


def test_every_candidate_has_a_priority_of_its_own_and_direct_ones_the_highest() -> None:
    local = [candidates.host((f"192.0.2.{rank}", 1000), rank) for rank in range(3)]
    seen = [candidates.reflexive(base, ("198.51.100.7", 1)) for base in local]
    relays = [relayed(("203.0.113.9", 1), ("198.51.100.7", 1), kind) for kind in Transport]
    priorities = [candidate.priority for candidate in (*local, *seen, *relays)]
    assert priorities == sorted(priorities, reverse=True)
    assert len(set(priorities)) == len(priorities)


def test_a_relayed_candidate_tells_how_its_server_is_reached_to_us_alone() -> None:
    over_tls = relayed(("203.0.113.9", 50000), ("198.51.100.7", 1), Transport.TLS)
    assert over_tls.relay is Transport.TLS
    assert over_tls.to_sdp().endswith("typ relay raddr 198.51.100.7 rport 1")


@pytest.mark.parametrize(("relay", "nowhere"), [("203.0.113.9", "0.0.0.0"), ("2001:db8::9", "::")])
def test_where_addresses_are_hidden_nothing_is_related(relay: str, nowhere: str) -> None:
    hidden = relayed((relay, 50000), None, Transport.UDP)
    assert hidden.to_sdp().endswith(f"typ relay raddr {nowhere} rport 9")


def test_a_candidate_is_trickled_as_browsers_take_it() -> None:
    sent = to_wire(candidates.host(("192.0.2.1", 1000), 0), "video", "ufrag")
    assert sent.candidate.startswith("candidate:")
    assert sent.candidate.endswith(" 1 udp 2130706431 192.0.2.1 1000 typ host")
    assert (sent.sdp_mid, sent.sdp_m_line_index, sent.username_fragment) == ("video", 0, "ufrag")
