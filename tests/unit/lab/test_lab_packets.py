"""Packets are rewritten as a kernel would accept them: every checksum is right afterwards."""

import struct
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.lab.packets import (
    ICMP,
    TCP,
    UDP,
    Endpoint,
    MalformedPacketError,
    Packet,
    checksum,
)

HOST = Endpoint(ip_address("10.1.0.2").packed, 5000)
FACE = Endpoint(ip_address("198.51.100.16").packed, 40_001)
REMOTE = Endpoint(ip_address("203.0.113.20").packed, 3478)

endpoints = st.builds(Endpoint, st.binary(min_size=4, max_size=4), st.integers(0, 65535))
transports = st.sampled_from([TCP, UDP])


def datagram(
    protocol: int, source: Endpoint, destination: Endpoint, payload: bytes = b"odd"
) -> bytearray:
    """A packet as a kernel makes it."""
    ports = struct.pack("!HH", source.port, destination.port)
    if protocol == UDP:
        body = ports + struct.pack("!HH", 8 + len(payload), 0) + payload
    else:
        body = ports + bytes(8) + struct.pack("!HHHH", 0x5010, 512, 0, 0) + payload
    at = {UDP: 6, TCP: 16}[protocol]
    value = transport_sum(protocol, source, destination, body) or 0xFFFF
    body = body[:at] + struct.pack("!H", value) + body[at + 2 :]
    return wrapped(protocol, source, destination, body)


def wrapped(protocol: int, source: Endpoint, destination: Endpoint, body: bytes) -> bytearray:
    """An IPv4 header in front of it."""
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 7, 0, 64, protocol, 0)
    head += source.address + destination.address
    head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
    return bytearray(head + body)


def transport_sum(protocol: int, source: Endpoint, destination: Endpoint, body: bytes) -> int:
    """Over pseudo header and all: 0 when the checksum in it is right."""
    pseudo = source.address + destination.address + struct.pack("!BBH", 0, protocol, len(body))
    return checksum(pseudo + body)


def is_sound(packet: Packet) -> bool:
    """Whether both checksums are right."""
    data = bytes(packet)
    at = data[20:]
    body = transport_sum(packet.protocol, packet.source, packet.destination, at)
    return checksum(data[:20]) == 0 and body == 0


@given(transports, st.lists(endpoints, min_size=4, max_size=4), st.binary(max_size=40))
def test_what_is_rewritten_reads_as_it_was_meant_and_its_checksums_are_right(
    protocol: int, ends: list[Endpoint], payload: bytes
) -> None:
    a, b, c, d = ends
    packet = Packet(datagram(protocol, a, b, payload))
    assert (packet.source, packet.destination) == (a, b)
    assert is_sound(packet)
    packet.rewrite(source=c, destination=d)
    again = Packet(bytearray(bytes(packet)))
    assert (again.source, again.destination) == (c, d)
    assert is_sound(again)
    assert bytes(again).endswith(payload)


def test_a_damaged_packet_stays_damaged() -> None:
    data = datagram(UDP, HOST, REMOTE, b"hello")
    data[-1] ^= 1
    packet = Packet(data)
    packet.rewrite(source=FACE)
    assert not is_sound(packet)


def test_a_udp_packet_without_a_checksum_gets_none() -> None:
    data = datagram(UDP, HOST, REMOTE)
    data[26:28] = b"\0\0"
    packet = Packet(data)
    packet.rewrite(source=FACE)
    assert data[26:28] == b"\0\0"


def test_an_echo_is_known_by_its_identifier() -> None:
    body = struct.pack("!BBHHH", 8, 0, 0, 77, 1) + b"ping"
    body = body[:2] + struct.pack("!H", checksum(body)) + body[4:]
    packet = Packet(wrapped(ICMP, HOST, REMOTE, body))
    assert packet.source.port == packet.destination.port == 77
    packet.rewrite(source=FACE._replace(port=99))
    assert Packet(bytearray(bytes(packet))).source.port == 99
    assert checksum(bytes(packet)[20:]) == 0


def error_about(quoted: bytes, source: Endpoint, destination: Endpoint) -> bytearray:
    """Port unreachable."""
    body = struct.pack("!BBHI", 3, 3, 0, 0) + quoted
    body = body[:2] + struct.pack("!H", checksum(body)) + body[4:]
    return wrapped(ICMP, source, destination, body)


@pytest.mark.parametrize("quoted_bytes", [28, 31])  # the least that RFC 792 asks for, and all
def test_an_icmp_error_is_about_a_packet_that_is_rewritten_with_it(quoted_bytes: int) -> None:
    lost = bytes(datagram(UDP, FACE, REMOTE))[:quoted_bytes]
    error = Packet(error_about(lost, REMOTE, FACE))
    error.rewrite_quoted(source=HOST)
    error.rewrite(destination=HOST._replace(port=0))
    quoted = error.quoted
    assert quoted is not None
    assert (quoted.source, quoted.destination) == (HOST, REMOTE)
    assert checksum(bytes(quoted)[:20]) == 0
    assert checksum(bytes(error)[20:]) == checksum(bytes(error)[:20]) == 0


def test_ipv6_is_read() -> None:
    a, b = ip_address("2fff:db8:1::2").packed, ip_address("2fff:db8:ffff::20").packed
    head = struct.pack("!IHBB", 6 << 28, 8, UDP, 64) + a + b
    packet = Packet(bytearray(head + struct.pack("!HHHH", 5000, 3478, 8, 1)))
    assert packet.source == Endpoint(a, 5000)
    assert packet.destination == Endpoint(b, 3478)
    assert packet.quoted is None


@given(st.binary(max_size=60))
def test_whatever_comes_is_a_packet_or_malformed(data: bytes) -> None:
    try:
        packet = Packet(bytearray(data))
        assert packet.quoted is None or packet.quoted.version in (4, 6)
    except MalformedPacketError:
        pass


def test_a_later_fragment_does_not_say_whose_it_is() -> None:
    data = datagram(UDP, HOST, REMOTE)
    data[6:8] = struct.pack("!H", 100)
    with pytest.raises(MalformedPacketError):
        Packet(data)
