"""The theory of who meets whom, beside packets that go through the router's own NATs."""

import itertools

import pytest

from tests.support.lab.access import (
    ADDRESS,
    DOUBLE,
    DUAL,
    IPV6,
    KINDS,
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
from tests.support.lab.packets import UDP, Endpoint, Packet
from tests.support.lab.routing import Routing
from tests.support.lab.theory import is_direct, is_direct_in_silence
from tests.support.lab.topology import Attachment, Topology
from tests.unit.lab.test_lab_packets import datagram
from tests.unit.lab.test_lab_routing import datagram6, endpoint

PAIRS = list(itertools.product(KINDS, KINDS))


def name(access: Access) -> str:
    return access.name


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (PORT, PORT),
        (PORT, DOUBLE),
        (ADDRESS, SYMMETRIC),
        (SYMMETRIC, OPEN),
        (IPV6, DUAL),
        (DUAL, PORT),
    ],
    ids=name,
)
def test_who_is_known_to_meet_meets(one: Access, other: Access) -> None:
    assert is_direct(one, other)
    assert is_direct(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (PORT, SYMMETRIC),
        (SYMMETRIC, SYMMETRIC),
        (DOUBLE, SYMMETRIC),
        (OPEN, NO_UDP),
        (TCP_443, OPEN),
        (IPV6, OPEN),
    ],
    ids=name,
)
def test_who_is_known_not_to_meet_does_not(one: Access, other: Access) -> None:
    assert not is_direct(one, other)
    assert not is_direct(other, one)


def test_in_silence_only_an_open_camera_is_found() -> None:
    found = {(c.name, v.name) for c, v in PAIRS if is_direct_in_silence(c, v)}
    assert found == {("open", viewer.name) for viewer in KINDS if viewer.v4 and viewer.rules.udp}


@pytest.mark.parametrize(("camera", "viewer"), PAIRS, ids=name)
def test_the_theory_is_what_packets_do(camera: Access, viewer: Access) -> None:
    assert is_direct(camera, viewer) == Pair(camera, viewer).meets()


class Pair:
    """Two hosts that learn their faces from a server, and then knock at each other's, twice.

    A knock that arrives is answered to where it came from, as ICE does (RFC 8445 §7.3).
    """

    def __init__(self, camera: Access, viewer: Access) -> None:
        self._places = {"camera": Place(camera, 1), "viewer": Place(viewer, 2)}
        self._got: list[tuple[str, Packet]] = []
        self._routing = Routing(self._take, lambda _seconds, then: then())
        hosts: dict[str, Place | ServerPlace] = {**self._places, "stun": server(20)}
        attachments = tuple(
            Attachment(host, place.network, tuple(_plain(a) for a in place.addresses))
            for host, place in hosts.items()
        )
        gateways = tuple(g for place in self._places.values() for g in place.gateways)
        self._routing.configure(Topology(attachments, gateways))

    def meets(self) -> bool:
        """Whether an answer ever comes back."""
        return any(self._meets_over(mark) for mark in (".", ":"))

    def _meets_over(self, mark: str) -> bool:
        own = {
            host: endpoint(_plain(address), 5000)
            for host, place in self._places.items()
            for address in place.addresses
            if mark in address
        }
        faces = {host: self._face(host, source, mark) for host, source in own.items()}
        if len(own) < 2 or None in faces.values():
            return False
        return any(
            self._answered(host, own[host], faces[other], own[other])
            for _ in range(2)
            for host, other in (("camera", "viewer"), ("viewer", "camera"))
        )

    def _face(self, host: str, source: Endpoint, mark: str) -> Endpoint | None:
        stun = next(_plain(a) for a in server(20).addresses if mark in a)
        arrived = self._send(host, source, endpoint(stun, 3478))
        return arrived.source if arrived else None

    def _answered(
        self, host: str, source: Endpoint, face: Endpoint | None, other: Endpoint
    ) -> bool:
        assert face is not None
        knock = self._send(host, source, face)
        if knock is None:
            return False
        knocked = "viewer" if host == "camera" else "camera"
        answer = self._send(knocked, other, knock.source)
        return answer is not None and answer.destination == source

    def _send(self, host: str, source: Endpoint, destination: Endpoint) -> Packet | None:
        self._got.clear()
        make = datagram if len(source.address) == 4 else None
        packet = make(UDP, source, destination) if make else datagram6(source, destination)
        self._routing.send(host, packet, 0.0)
        return self._got[0][1] if self._got else None

    def _take(self, device: str, data: bytes) -> None:
        self._got.append((device, Packet(bytearray(data))))


def _plain(address: str) -> str:
    return address.partition("/")[0]
