"""Pictures reach a viewer packet by packet: repaired, replayed, and in order."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from aiortc import RTCBundlePolicy, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.codecs import h264

from publisher.legs.rtp import RtpLeg
from publisher.media.fanout import FanOut
from publisher.media.units import AccessUnit, AudioBlock
from publisher.rtc import private, selftest
from publisher.rtc.sender import CameraSender, DirectSender
from rendezvous.wire.messages import IcePolicy
from tests.support.media import units
from tests.support.rtp_receiver import RtpReceiver
from tests.support.waiting import until

GOP, SIZE, KEY_SIZE = 30, 6_000, 60_000


@pytest.fixture
def stock(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The libraries have moved on, and our own road is closed."""

    def fail() -> None:
        raise selftest.SelfTestError("without something")

    monkeypatch.setattr(selftest, "check", fail)
    private.sender_type.cache_clear()
    yield
    private.sender_type.cache_clear()


class Camera:
    """A fan-out, and pictures for it."""

    def __init__(self) -> None:
        self.fan_out = FanOut()
        self.sent: list[AccessUnit] = []
        self._units = units(gop=GOP, size=SIZE, key_size=KEY_SIZE)

    def publish(self, count: int) -> None:
        """So many pictures at once."""
        for unit in (next(self._units) for _ in range(count)):
            self.sent.append(unit)
            self.fan_out.publish(unit)

    async def run(self) -> None:
        """Pictures for ever, a little faster than in life."""
        while True:
            self.publish(1)
            await asyncio.sleep(0.01)


@asynccontextmanager
async def watched(camera: Camera, *, loss: float = 0.0) -> AsyncIterator[tuple[RtpLeg, RtpReceiver]]:
    """A viewer on loopback, connected."""
    configuration = RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
    viewer = RTCPeerConnection(configuration)
    for kind in ("video", "audio"):
        viewer.addTransceiver(kind, direction="recvonly")
    leg = RtpLeg(camera.fan_out, None, (), IcePolicy.ALL, lambda _: None)
    receiver = None
    try:
        await viewer.setLocalDescription(await viewer.createOffer())
        answer = await leg.answer(viewer.localDescription.sdp)
        await viewer.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        receiver = RtpReceiver(viewer, loss=loss, seed=7)
        receiver.keep = True
        await until(lambda: leg.peer.state == "connected")
        yield leg, receiver
    finally:
        if receiver:
            receiver.close()
        await leg.close()
        await viewer.close()


def pictures(receiver: RtpReceiver) -> list[bytes]:
    """The access units that the packets make, in order of sending."""
    assert receiver.video
    assert not receiver.video.missing
    first = (receiver.video.next - len(receiver.payloads)) & 0xFFFF
    ordered = sorted(receiver.payloads, key=lambda number: (number - first) & 0xFFFF)
    stream = b"".join(h264.h264_depayload(receiver.payloads[number]) for number in ordered)
    return stream.split(b"\x00\x00\x00\x01")[1:]


def nals(sent: list[AccessUnit]) -> list[bytes]:
    return [nal for unit in sent for nal in unit.data.split(b"\x00\x00\x00\x01")[1:]]


def total(sent: list[AccessUnit]) -> int:
    return sum(len(unit.data) for unit in sent)


async def test_a_viewer_that_joins_gets_the_gop_and_then_everything_unchanged() -> None:
    camera = Camera()
    camera.publish(GOP + 12)
    async with watched(camera) as (_, receiver):
        camera.publish(5)
        expected = nals(camera.sent[GOP:])
        await until(lambda: receiver.video and sum(map(len, receiver.payloads.values())) > 0)
        await until(lambda: len(receiver.payloads) and len(pictures(receiver)) >= len(expected))
        assert pictures(receiver) == expected
