"""Pictures reach a viewer packet by packet: repaired, replayed, and in order."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from itertools import pairwise
from typing import Any

import pytest
from aiortc import RTCBundlePolicy, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.codecs import h264
from aiortc.rtp import RtcpReceiverInfo, RtcpRrPacket

from publisher.legs import replays
from publisher.legs.rtp import RtpLeg
from publisher.media.fanout import FanOut
from publisher.media.feed import VideoFeed
from publisher.media.rtp import Packetiser
from publisher.media.units import AccessUnit, AudioBlock
from publisher.rtc import history, pacer, path, private, selftest
from publisher.rtc.channel import ChannelDoor
from publisher.rtc.peer import Peer
from publisher.rtc.sender import CameraSender, DirectSender
from publisher.rtc.tracks import VideoTrack
from rendezvous.wire.messages import IcePolicy
from tests.support import processes
from tests.support.media import PARAMETER_SETS, units
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
async def watched(
    camera: Camera, *, loss: float = 0.0
) -> AsyncIterator[tuple[RtpLeg, RtpReceiver]]:
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


@asynccontextmanager
async def running(camera: Camera) -> AsyncIterator[None]:
    """The camera runs."""
    task = asyncio.create_task(camera.run())
    try:
        yield
    finally:
        task.cancel()


@contextmanager
def blocked(leg: RtpLeg) -> Iterator[list[int]]:
    """The kernel takes nothing of this viewer's for a while, or its TURN server does not."""
    refused: list[int] = []

    class Full:
        def send(self, packets: memoryview, size: int) -> int:
            refused.append(len(packets) // size)
            return 0

        def close(self) -> None:
            pass

    assert leg.peer._senders._path
    way, leg.peer._senders._path._way = leg.peer._senders._path._way, Full()
    yield refused
    leg.peer._senders._path._way = way


def pictures(receiver: RtpReceiver) -> list[bytes]:
    """The access units that the packets make, in order of sending."""
    assert receiver.video
    following = receiver.video.next
    ordered = sorted(receiver.payloads, key=lambda number: (number - following) & 0xFFFF)
    stream = b"".join(h264.h264_depayload(receiver.payloads[number]) for number in ordered)
    return stream.split(b"\x00\x00\x00\x01")[1:]


def nals(sent: list[AccessUnit]) -> list[bytes]:
    return [nal for unit in sent for nal in unit.data.split(b"\x00\x00\x00\x01")[1:]]


async def shows(receiver: RtpReceiver, expected: list[bytes]) -> None:
    """Waits until that is what the packets make: the last picture's come one after the other."""
    await until(lambda: receiver.video and pictures(receiver) == expected)


async def test_a_viewer_that_joins_gets_the_gop_and_then_everything_unchanged() -> None:
    camera = Camera()
    camera.publish(GOP + 12)
    async with watched(camera) as (_, receiver):
        camera.publish(5)
        await shows(receiver, nals(camera.sent[GOP:]))


async def test_what_is_lost_is_repaired(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "HISTORY_SECONDS", 3600.0)  # a busy machine asks late
    camera = Camera()
    async with watched(camera, loss=0.1) as (leg, receiver), running(camera):
        await until(lambda: receiver.lost > 40)
        receiver.loss = 0.0
        await until(lambda: receiver.video and not receiver.video.missing)
        assert receiver.repaired
        assert leg.peer.losses["packets sent again"]
        *whole, _ = pictures(receiver)  # of the last one packets may be on their way
        assert set(whole) <= set(nals(camera.sent))


async def test_who_lost_a_picture_gets_the_gop_once_more_and_in_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(replays, "FIRST_SECONDS", 3600.0)
    camera = Camera()
    camera.publish(12)
    async with watched(camera) as (leg, receiver):
        once = nals(camera.sent)
        await shows(receiver, once)
        for _ in range(3):
            receiver.ask_for_key_frame()
        await until(lambda: leg.peer.losses["key frames asked for"] == 3)
        await shows(receiver, once * 2)
        camera.publish(3)
        await shows(receiver, once * 2 + nals(camera.sent[12:]))
        assert receiver.video
        times = receiver.video.timestamps
        assert all(a == b or 0 < (b - a) & 0xFFFFFFFF < 1 << 31 for a, b in pairwise(times))


async def test_a_source_that_can_is_asked_for_a_key_frame_instead() -> None:
    camera = Camera()
    asked = asyncio.Event()

    def ask() -> bool:
        asked.set()
        return True

    camera.fan_out.key_frame_source = ask
    camera.publish(5)
    async with watched(camera) as (_, receiver):
        # While the cached GOP is on its way a viewer that asks just does not have it yet.
        await shows(receiver, nals(camera.sent))
        receiver.ask_for_key_frame()
        await until(asked.is_set)
        camera.publish(1)
        await shows(receiver, nals(camera.sent))


async def test_a_path_that_takes_nothing_costs_its_viewer_pictures_and_nobody_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pacer, "REFUSAL_SECONDS", 0.6)
    camera = Camera()
    camera.publish(1)
    async with watched(camera) as (slow, seen_by_slow), watched(camera) as (_, seen_by_other):
        await until(lambda: seen_by_slow.received and seen_by_other.received)
        with blocked(slow) as refused:
            camera.publish(20)
            assert refused
            await shows(seen_by_other, nals(camera.sent))
            await until(lambda: slow._video.dropped >= 20)
        camera.publish(1)  # long before the next IDR: the cached GOP must serve
        seen_by_slow.payloads.clear()
        async with running(camera):
            await until(lambda: len(camera.sent) > 28 and seen_by_slow.payloads)
        await until(lambda: pictures(seen_by_slow)[-1:] == nals(camera.sent)[-1:])
        shown = pictures(seen_by_slow)
        again = shown[shown.index(PARAMETER_SETS[0]) :]  # before it, what was repaired meanwhile
        assert nals(camera.sent)[-len(again) :] == again


async def test_a_leg_that_fails_ends_its_session_and_no_other(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    camera = Camera()
    camera.publish(1)
    async with watched(camera) as (failing, _), watched(camera) as (_, receiver):

        def fail(_: AccessUnit) -> None:
            raise RuntimeError("something new")

        monkeypatch.setattr(failing, "put_video", fail)
        camera.publish(2)
        await until(lambda: failing.peer.state == "closed")
        await shows(receiver, nals(camera.sent))
    assert "something new" in caplog.text


@pytest.mark.parametrize("by_channel", [False, True])
async def test_who_piles_up_channels_is_hung_up_on(*, by_channel: bool) -> None:
    """Also one that never agrees to their end, and so makes aiortc keep them."""
    viewer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    viewer.addTransceiver("video", direction="recvonly")
    first = viewer.createDataChannel("media", protocol="some")
    peer = Peer((), IcePolicy.ALL, lambda _: None, lambda: None)
    if by_channel:
        peer.open_to(ChannelDoor("media", "some", lambda _: None))
    else:
        peer.send(VideoTrack(VideoFeed(), Packetiser()), ["H264/42e01f"])
    await viewer.setLocalDescription(await viewer.createOffer())
    answer = await peer.answer(viewer.localDescription.sdp)
    await viewer.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    await until(lambda: first.readyState == ("open" if by_channel else "closed"))
    for _ in range(2):
        viewer.createDataChannel("another")
    await until(lambda: peer.state == "closed")
    await peer.close()
    await viewer.close()


async def test_without_segmentation_by_the_kernel_packets_leave_one_by_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(path, "_UDP_SEGMENT", 250)  # no kernel knows that
    camera = Camera()
    camera.publish(2)
    async with watched(camera) as (_, receiver):
        await shows(receiver, nals(camera.sent))


@pytest.mark.usefixtures("stock")
async def test_stock_senders_serve_where_our_own_road_is_closed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    camera = Camera()
    camera.publish(GOP + 3)
    async with watched(camera, loss=0.02) as (leg, receiver), running(camera):
        assert all(type(sender) is CameraSender for sender in leg.peer._senders.all)
        # They remember 128 packets: what was lost again and again is beyond them.
        await until(lambda: receiver.lost >= 3)
        receiver.loss = 0.0
        await until(lambda: receiver.repaired and not (receiver.video and receiver.video.missing))
        asked = receiver.received
        receiver.ask_for_key_frame()
        await until(lambda: receiver.received > asked + 20)
    assert "costs several times as much" in caplog.text


async def test_sound_goes_beside_the_picture() -> None:
    camera = Camera()
    camera.publish(1)
    async with watched(camera) as (_, receiver):
        await until(lambda: receiver.received)
        for number in range(3):
            camera.fan_out.publish(AudioBlock(b"opus", 1_000_000 + number * 20_000, 48_000))
        await until(lambda: receiver.sounds == 3)


async def test_statistics_say_how_much_was_sent() -> None:
    camera = Camera()
    camera.publish(2)
    async with watched(camera) as (leg, receiver):
        await shows(receiver, nals(camera.sent))
        sender: Any = leg.peer._senders.all[0]
        assert isinstance(sender, DirectSender)
        (report,) = [r for r in (await sender.getStats()).values() if r.type == "outbound-rtp"]
        assert report.packetsSent == receiver.received
        assert report.bytesSent == sum(map(len, receiver.payloads.values()))


async def test_what_a_viewer_can_take_is_known_when_it_has_said_so() -> None:
    camera = Camera()
    camera.publish(1)
    async with watched(camera) as (leg, receiver):
        await until(lambda: receiver.video)
        assert leg.peer.estimate is None
        receiver.estimate(1_234_000)
        assert await until(lambda: leg.peer.estimate) == 1_234_000


async def test_answers_to_reports_tell_how_the_stream_arrives() -> None:
    begin = time.monotonic()
    camera = Camera()
    camera.publish(1)
    async with watched(camera) as (leg, receiver):
        await until(lambda: receiver.video)
        sender: Any = leg.peer._senders.all[0]
        reception = sender.stream.reception
        sender.stream.reports.due = 0.0
        camera.publish(1)
        *_, moment = await until(lambda: tuple(reception._sent))
        heard = reception.reports
        for ssrc in (1, sender._ssrc):
            report = RtcpReceiverInfo(ssrc, 0, 0, 7, 0, moment, 0)
            await sender._handle_rtcp_packet(RtcpRrPacket(ssrc=1, reports=[report]))
        assert reception.reports == heard + 1
        assert 0 <= reception.round_trip <= time.monotonic() - begin


async def test_a_leg_that_is_closed_lets_go_of_its_socket() -> None:
    camera = Camera()
    camera.publish(1)
    before = processes.open_sockets(os.getpid())
    async with watched(camera) as (_, receiver):
        await until(lambda: receiver.received)
    await until(lambda: processes.open_sockets(os.getpid()) <= before)
