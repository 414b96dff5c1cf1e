"""NATs map and filter as RFC 4787 names it, in a row too; lines delay, lose and bound."""

from collections import defaultdict
from dataclasses import dataclass, field
from ipaddress import ip_address

import pytest

from tests.support.lab.access import (
    ADDRESS,
    DOUBLE,
    DUAL,
    FULL_CONE,
    IPV6,
    NO_UDP,
    OPEN,
    PORT,
    SYMMETRIC,
    TCP_443,
    Access,
    Place,
    ServerPlace,
    server,
)
from tests.support.lab.gateways import LIFETIMES
from tests.support.lab.packets import ICMP, TCP, UDP, Endpoint, Packet
from tests.support.lab.routing import Routing
from tests.support.lab.topology import Attachment, Dependence, Line, Nat, Topology
from tests.unit.lab.test_lab_packets import datagram, error_about

STUN, ELSEWHERE = "203.0.113.20", "203.0.113.21"
NATS = (FULL_CONE, ADDRESS, PORT, SYMMETRIC, DOUBLE)


def endpoint(address: str, port: int) -> Endpoint:
    """As packets have it."""
    return Endpoint(ip_address(address).packed, port)


@dataclass
class World:
    """A camera with some access, two servers, and time that we turn."""

    access: Access
    now: float = 0.0
    got: dict[str, list[Packet]] = field(default_factory=lambda: defaultdict(list))
    due: list[tuple[float, object]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.routing = Routing(
            lambda device, data: self.got[device].append(Packet(bytearray(data))),
            lambda seconds, then: self.due.append((self.now + seconds, then)),
        )
        self.seats = {"camera": Place(self.access, 1), "neighbour": Place(self.access, 1, 3)}
        self.lines: dict[str, Line] = {}
        self.configure()

    def configure(self) -> None:
        """Tells the router what there is."""
        places: dict[str, Place | ServerPlace] = {
            **self.seats,
            "stun": server(20),
            "elsewhere": server(21),
        }
        attachments = [
            Attachment(
                name,
                place.network,
                tuple(address.partition("/")[0] for address in place.addresses),
                up=self.lines.get(name, Line()),
            )
            for name, place in places.items()
        ]
        gateways = {g.name: g for place in self.seats.values() for g in place.gateways}
        self.routing.configure(Topology(tuple(attachments), tuple(gateways.values())))

    def sends(self, host: str, data: bytearray) -> None:
        """A packet leaves a host."""
        self.routing.send(host, data, self.now)

    def udp(self, host: str, source: Endpoint, destination: Endpoint) -> None:
        """A datagram leaves a host."""
        self.sends(host, datagram(UDP, source, destination))

    def hears(self, host: str) -> list[Packet]:
        """What has come to a host since the last call."""
        return self.got.pop(host, [])

    def face(self, remote: str = STUN, port: int = 3478) -> Endpoint:
        """How the camera's port 5000 is seen by a server."""
        self.udp("camera", CAMERA, endpoint(remote, port))
        return self.hears("stun" if remote == STUN else "elsewhere")[0].source


CAMERA = endpoint("10.1.0.2", 5000)


@pytest.mark.parametrize("access", NATS, ids=lambda access: access.name)
def test_an_answer_finds_its_way_back(access: Access) -> None:
    world = World(access)
    face = world.face()
    assert face.address == ip_address("198.51.100.16").packed
    world.udp("stun", endpoint(STUN, 3478), face)
    (answer,) = world.hears("camera")
    assert answer.destination == CAMERA
    assert answer.source == endpoint(STUN, 3478)


@pytest.mark.parametrize("access", NATS, ids=lambda access: access.name)
def test_only_a_symmetric_nat_shows_another_port_to_another_server(access: Access) -> None:
    world = World(access)
    same = world.face(STUN) == world.face(ELSEWHERE) == world.face(STUN, 9)
    assert same == (access is not SYMMETRIC)


STRANGERS = {"another port": ("stun", STUN, 9), "another address": ("elsewhere", ELSEWHERE, 3478)}


@pytest.mark.parametrize(
    ("access", "admitted"),
    [
        (FULL_CONE, {"another port", "another address"}),
        (ADDRESS, {"another port"}),
        (PORT, set()),
        (SYMMETRIC, set()),
        (DOUBLE, set()),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_filters_let_in_whom_they_are_named_after(access: Access, admitted: set[str]) -> None:
    world = World(access)
    face = world.face()
    found = set()
    for stranger, (host, address, port) in STRANGERS.items():
        world.udp(host, endpoint(address, port), face)
        found |= {stranger} if world.hears("camera") else set()
    assert found == admitted


def test_a_mapping_ends_when_nothing_leaves_through_it() -> None:
    world = World(PORT)
    face = world.face()
    world.now += LIFETIMES[UDP] - 1
    world.udp("stun", endpoint(STUN, 3478), face)
    assert world.hears("camera")
    world.now += 2
    world.udp("stun", endpoint(STUN, 3478), face)
    assert not world.hears("camera")


def test_two_hosts_with_one_port_have_two_faces() -> None:
    world = World(PORT)
    face = world.face()
    world.udp("neighbour", endpoint("10.1.0.3", 5000), endpoint(STUN, 3478))
    (packet,) = world.hears("stun")
    assert packet.source != face


def test_hosts_of_one_home_meet_without_their_gateway() -> None:
    world = World(SYMMETRIC)
    world.udp("camera", CAMERA, endpoint("10.1.0.3", 7))
    (packet,) = world.hears("neighbour")
    assert packet.source == CAMERA


@pytest.mark.parametrize("nat", [Nat(), Nat(hairpin=True)])
def test_a_hairpin_is_what_the_nat_does_or_does_not(nat: Nat) -> None:
    world = World(Access("any", (nat,), Dependence.NOTHING))
    face = world.face()
    world.udp("neighbour", endpoint("10.1.0.3", 7), face)
    heard = world.hears("camera")
    assert len(heard) == nat.hairpin
    assert all(packet.source.address == face.address for packet in heard)


def test_an_open_host_is_reached_by_anybody() -> None:
    world = World(OPEN)
    camera = endpoint("198.51.100.18", 5000)
    world.udp("elsewhere", endpoint(ELSEWHERE, 1), camera)
    assert world.hears("camera")


@pytest.mark.parametrize("access", [IPV6, DUAL], ids=lambda access: access.name)
def test_ipv6_is_filtered_and_not_translated(access: Access) -> None:
    world = World(access)
    camera, remote = endpoint("2fff:db8:1::2", 5000), endpoint("2fff:db8:ffff::20", 3478)
    world.sends("stun", datagram6(remote, camera))
    assert not world.hears("camera")
    world.sends("camera", datagram6(camera, remote))
    (packet,) = world.hears("stun")
    assert packet.source == camera
    world.sends("stun", datagram6(remote, camera))
    assert world.hears("camera")


def datagram6(source: Endpoint, destination: Endpoint) -> bytearray:
    """A UDP packet of IPv6; the router does not look at its checksum."""
    head = bytes.fromhex("6000000000081140") + source.address + destination.address
    ports = source.port.to_bytes(2, "big") + destination.port.to_bytes(2, "big")
    return bytearray(head + ports + b"\0\x08\0\1")


@pytest.mark.parametrize(
    ("access", "let_out"),
    [
        (PORT, {(UDP, 3478), (TCP, 3478), (TCP, 443)}),
        (NO_UDP, {(TCP, 3478), (TCP, 443)}),
        (TCP_443, {(TCP, 443)}),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_rules_let_out_what_they_say(access: Access, let_out: set[tuple[int, int]]) -> None:
    world = World(access)
    for protocol, port in ((UDP, 3478), (TCP, 3478), (TCP, 443)):
        world.sends("camera", datagram(protocol, CAMERA, endpoint(STUN, port)))
    heard = {(packet.protocol, packet.destination.port) for packet in world.hears("stun")}
    assert heard == let_out


@pytest.mark.parametrize("access", NATS, ids=lambda access: access.name)
def test_a_refusal_comes_back_through_the_nat(access: Access) -> None:
    world = World(access)
    world.udp("camera", CAMERA, endpoint(STUN, 9))
    (refused,) = world.hears("stun")
    world.sends("stun", error_about(bytes(refused), endpoint(STUN, 0), refused.source))
    (error,) = world.hears("camera")
    assert error.protocol == ICMP
    assert error.quoted is not None
    assert error.quoted.source == CAMERA


def test_a_refusal_leaves_through_the_nat() -> None:
    world = World(FULL_CONE)
    face = world.face()
    world.udp("elsewhere", endpoint(ELSEWHERE, 9), face)
    (refused,) = world.hears("camera")
    world.sends("camera", error_about(bytes(refused), CAMERA, endpoint(ELSEWHERE, 0)))
    (error,) = world.hears("elsewhere")
    assert error.source.address == face.address
    assert error.quoted is not None
    assert error.quoted.destination == face


def test_what_goes_nowhere_is_counted() -> None:
    world = World(PORT)
    world.udp("camera", CAMERA, endpoint("192.0.2.1", 9))
    world.udp("stun", endpoint(STUN, 9), endpoint("198.51.100.16", 4000))
    world.sends("camera", bytearray(b"nonsense"))
    world.sends("nobody", datagram(UDP, CAMERA, endpoint(STUN, 1)))
    assert world.routing.drops == {"unrouted": 1, "filter": 1, "malformed": 1, "unplugged": 1}


def test_another_topology_keeps_the_mappings_of_gateways_that_stay() -> None:
    world = World(PORT)
    face = world.face()
    world.seats["neighbour"] = Place(OPEN, 2)
    world.configure()
    assert world.face() == face
    world.seats["camera"] = Place(SYMMETRIC, 1)
    world.configure()
    assert world.face() != face


def test_a_line_delays_and_hosts_see_flows_as_their_own() -> None:
    world = World(PORT)
    world.lines["camera"] = Line(delay=0.15)
    world.configure()
    world.udp("camera", CAMERA, endpoint(STUN, 3478))
    assert not world.hears("stun")
    ((at, arrive),) = world.due
    assert at == pytest.approx(0.15)
    assert callable(arrive)
    arrive()
    assert world.hears("stun")
    out = ("camera", "out", UDP, *endpoint(STUN, 3478))
    assert world.routing.flows[out] == (1, 31)
