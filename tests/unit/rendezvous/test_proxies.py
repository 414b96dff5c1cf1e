"""Who the client behind a proxy is: what is believed, and that nothing else is read into it."""

import ipaddress
import socket
import struct
from collections.abc import Sequence
from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rendezvous.transports.gate import Arrival, DoorLimits, Gate
from rendezvous.transports.proxied import (
    SIGNATURE_2,
    Header,
    MalformedError,
    extent,
    parse,
)
from rendezvous.transports.proxies import TrustedProxies

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

LINE = b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 4545\r\n"
CLIENT, TARGET = ("192.0.2.7", 56324), ("198.51.100.1", 4545)


def version_2(
    source: str, target: str, *ports: int, command: int = 0x21, tail: bytes = b""
) -> bytes:
    """A header of version 2, with whatever follows the addresses."""
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    ends = socket.inet_pton(family, source) + socket.inet_pton(family, target)
    body = ends + struct.pack("!HH", *ports) + tail
    kind = 0x21 if ":" in source else 0x11
    return SIGNATURE_2 + bytes([command, kind]) + len(body).to_bytes(2) + body


BINARY = version_2(CLIENT[0], TARGET[0], CLIENT[1], TARGET[1])


@pytest.mark.parametrize(
    "header", [LINE, BINARY, version_2("192.0.2.7", "198.51.100.1", 56324, 4545, tail=b"\x04\0\0")]
)
def test_both_versions_name_client_and_target(header: bytes) -> None:
    assert extent(header) == len(header)
    assert parse(header) == Header(CLIENT, TARGET)


@pytest.mark.parametrize(
    "header",
    [
        b"PROXY TCP6 2001:db8::7 2001:db8::1 1 2\r\n",
        version_2("2001:db8::7", "2001:db8::1", 1, 2),
    ],
)
def test_ipv6_is_written_as_sockets_do(header: bytes) -> None:
    assert parse(header) == Header(("2001:db8::7", 1), ("2001:db8::1", 2))


def test_ipv4_in_ipv6_is_ipv4() -> None:
    """Or one client would be two."""
    header = parse(version_2("::ffff:192.0.2.7", "::ffff:198.51.100.1", 56324, 4545))
    assert header == Header(CLIENT, TARGET)


@pytest.mark.parametrize(
    "header",
    [
        b"PROXY UNKNOWN\r\n",
        b"PROXY UNKNOWN 192.0.2.7 x 1 2\r\n",
        version_2("192.0.2.7", "198.51.100.1", 1, 2, command=0x20),
        SIGNATURE_2 + b"\x21\x00\0\0",
        SIGNATURE_2 + b"\x20\x00\0\0",
        SIGNATURE_2 + b"\x21\x31" + (216).to_bytes(2) + bytes(216),
    ],
)
def test_a_proxy_that_speaks_for_itself_names_nobody(header: bytes) -> None:
    """Health checks do, and clients on Unix sockets have no address."""
    assert extent(header) == len(header)
    assert parse(header) == Header()


@pytest.mark.parametrize(
    "header",
    [
        b"PROXY \r\n",
        b"PROXY TCP4\r\n",
        b"PROXY TCP4 192.0.2.7 198.51.100.1 56324\r\n",
        b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 4545 \r\n",
        b"PROXY TCP4 192.0.2.7  198.51.100.1 56324 4545\r\n",
        b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 4545\n",
        b"PROXY TCP4 192.0.2.7 198.51.100.1 056324 4545\r\n",
        b"PROXY TCP4 192.0.2.7 198.51.100.1 65536 4545\r\n",
        b"PROXY TCP4 192.0.2.256 198.51.100.1 1 2\r\n",
        b"PROXY TCP4 ::1 ::1 1 2\r\n",
        b"PROXY TCP6 127.0.0.1 127.0.0.1 1 2\r\n",
        b"PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n",
        b"PROXY UDP4 192.0.2.7 198.51.100.1 1 2\r\n",
        SIGNATURE_2 + b"\x31\x11" + (12).to_bytes(2) + bytes(12),
        SIGNATURE_2 + b"\x22\x11" + (12).to_bytes(2) + bytes(12),
        SIGNATURE_2 + b"\x21\x12" + (12).to_bytes(2) + bytes(12),
        SIGNATURE_2 + b"\x21\x11" + (11).to_bytes(2) + bytes(11),
        SIGNATURE_2 + b"\x21\x21" + (12).to_bytes(2) + bytes(12),
    ],
)
def test_what_is_nearly_a_header_is_malformed(header: bytes) -> None:
    assert extent(header) == len(header)
    with pytest.raises(MalformedError):
        parse(header)


def test_a_header_without_end_is_malformed() -> None:
    for endless in (b"PROXY TCP4 " + b"1" * 100, SIGNATURE_2 + b"\x21\x11\xff\xff"):
        with pytest.raises(MalformedError):
            extent(endless)


@pytest.mark.parametrize(
    "first", [b"{", b"GET / HTTP/1.1", b"POST /", b"PUT ", b"\x16\x03\x01", b"\r\n\r\nGET"]
)
def test_what_a_client_says_is_no_header(first: bytes) -> None:
    assert extent(first) == 0


@given(st.sampled_from([LINE, BINARY]), st.data())
def test_a_header_that_comes_in_pieces_is_waited_for(header: bytes, data: st.DataObject) -> None:
    """And what follows it is never counted to it."""
    cut = data.draw(st.integers(1, len(header) - 1))
    assert extent(header[:cut]) in (None, len(header))
    assert extent(header + data.draw(st.binary())) == len(header)


@given(
    st.binary(max_size=300)
    | st.binary(max_size=200).map(lambda tail: SIGNATURE_2 + tail)
    | st.binary(max_size=120).map(lambda tail: b"PROXY " + tail + b"\r\n")
)
def test_any_bytes_are_a_header_no_header_or_malformed(seen: bytes) -> None:
    """Nothing else comes out, and what comes out are addresses and ports."""
    try:
        length = extent(seen)
        if not length or length > len(seen):
            return
        header = parse(seen[:length])
    except MalformedError:
        return
    for end in (header.client, header.target):
        if end is not None:
            assert str(ipaddress.ip_address(end[0])) == end[0]
            assert 0 <= end[1] <= 65_535


V4, V6 = st.ip_addresses(v=4), st.ip_addresses(v=6)
ADDRESSES = st.tuples(V4, V4) | st.tuples(V6, V6)
PORTS = st.tuples(st.integers(0, 65_535), st.integers(0, 65_535))


@given(ADDRESSES, PORTS)
def test_whatever_proxies_write_is_read(addresses: Sequence[Address], ports: list[int]) -> None:
    """In either version."""
    source, target = addresses
    line = f"PROXY TCP{source.version} {source} {target} {ports[0]} {ports[1]}\r\n".encode()
    assert parse(line) == parse(version_2(str(source), str(target), *ports))


# ── X-Forwarded-For ──────────────────────────────────────────────────────────────────────────

PROXIES = TrustedProxies(["10.0.0.0/8", "2001:db8:1::/48", "127.0.0.1"])


@pytest.mark.parametrize(
    ("peer", "said", "client"),
    [
        ("192.0.2.7", ["198.51.100.9"], "192.0.2.7"),  # no proxy of ours: not believed
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.9"], "198.51.100.9"),
        ("10.0.0.1", ["1.1.1.1, 198.51.100.9"], "198.51.100.9"),  # the first was made up
        ("10.0.0.1", ["1.1.1.1", "198.51.100.9, 10.0.0.2"], "198.51.100.9"),
        ("10.0.0.1", ["198.51.100.9:1234"], "198.51.100.9"),
        ("10.0.0.1", ["[2001:db8::9]:1234"], "2001:db8::9"),
        ("2001:db8:1::1", ["2001:db8::9"], "2001:db8::9"),
        ("10.0.0.1", ["::ffff:198.51.100.9"], "198.51.100.9"),
        ("10.0.0.1", ["unknown"], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.9, _hidden"], "10.0.0.1"),
        ("10.0.0.1", [""], "10.0.0.1"),
        ("10.0.0.1", [", ".join(["198.51.100.9"] + ["10.0.0.2"] * 50)], "10.0.0.2"),
    ],
)
def test_the_last_word_of_proxies_of_ours_counts(peer: str, said: list[str], client: str) -> None:
    assert PROXIES.client(peer, said) == client


@given(st.lists(st.text(max_size=60), max_size=5))
def test_whatever_is_said_the_client_is_an_address(said: list[str]) -> None:
    assert ipaddress.ip_address(PROXIES.client("10.0.0.1", said))


# ── the gate ─────────────────────────────────────────────────────────────────────────────────


def test_a_proxy_has_no_limit_of_its_own_and_its_clients_have() -> None:
    gate = Gate(DoorLimits(per_address=2, in_all=10), PROXIES)
    arrivals = [Arrival("10.0.0.1", 0.0) for _ in range(5)]
    assert all(map(gate.enter, arrivals))
    assert [arrival.move("192.0.2.7") for arrival in arrivals[:3]] == [True, True, False]
    assert arrivals[3].move("192.0.2.8")
    for arrival in arrivals:
        arrival.depart()
    assert gate.strangers == 0
    assert gate.enter(Arrival("192.0.2.7", 0.0))


def test_who_is_admitted_already_moves_freely() -> None:
    """It counts for its client again when it loses its place."""
    gate = Gate(DoorLimits(per_address=1, in_all=10), PROXIES)
    first, second = Arrival("10.0.0.1", 0.0), Arrival("10.0.0.1", 0.0)
    assert gate.enter(first)
    assert gate.enter(second)
    assert first.move("192.0.2.7")
    second.leave_gate()
    assert second.move("192.0.2.7")
    second.return_to_gate()
    assert not gate.enter(Arrival("192.0.2.7", 0.0))
