"""The camera's end of a peer connection takes offers as browsers make them, and refuses others."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiortc import RTCBundlePolicy, RTCConfiguration, RTCPeerConnection

from publisher.legs.rtp import RtpLeg
from publisher.media.fanout import FanOut
from publisher.rtc import peer
from publisher.rtc.refusals import OfferRefusedError
from rendezvous.wire.messages import IceCandidate, IcePolicy, IceServer


async def offer(*kinds: str) -> str:
    """An offer to receive these kinds."""
    configuration = RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
    viewer = RTCPeerConnection(configuration)
    try:
        for kind in kinds:
            viewer.addTransceiver(kind, direction="recvonly")
        await viewer.setLocalDescription(await viewer.createOffer())
        return str(viewer.localDescription.sdp)
    finally:
        await viewer.close()


@asynccontextmanager
async def leg(*servers: IceServer) -> AsyncIterator[RtpLeg]:
    made = RtpLeg(FanOut(), None, servers, IcePolicy.ALL, lambda _: None)
    try:
        yield made
    finally:
        await made.close()


async def test_an_offer_is_answered_with_h264_and_opus() -> None:
    async with leg() as camera:
        answer = await camera.answer(await offer("video", "audio"))
    assert "H264/90000" in answer
    assert "opus/48000" in answer
    assert "a=sendonly" in answer


async def test_a_viewer_that_wants_no_sound_is_served() -> None:
    async with leg() as camera:
        assert "m=audio" not in await camera.answer(await offer("video"))


async def test_an_offer_without_h264_is_refused_with_words() -> None:
    async with leg() as camera:
        with pytest.raises(OfferRefusedError, match=r"H\.264"):
            await camera.answer((await offer("video")).replace("H264", "XH264"))


@pytest.mark.parametrize("sdp", ["", "nonsense", "v=0\r\na=rtpmap:1 H264/90000\r\nm=video"])
async def test_what_is_no_offer_is_refused(sdp: str) -> None:
    async with leg() as camera:
        with pytest.raises(OfferRefusedError):
            await camera.answer(sdp)


async def test_an_answer_that_the_wire_would_not_take_is_never_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(peer, "SDP_BYTES", 1000)
    async with leg() as camera:
        with pytest.raises(OfferRefusedError, match="too much"):
            await camera.answer(await offer("video", "audio"))


async def test_ice_servers_that_cannot_be_used_are_left_out() -> None:
    strange = IceServer(urls=("stun:[2001:db8::1]:3478", "nonsense"))
    async with leg(strange) as camera:
        assert await camera.answer(await offer("video"))


async def test_candidates_that_cannot_be_used_are_left_out() -> None:
    async with leg() as camera:
        await camera.answer(await offer("video"))
        for text in (
            "",
            "candidate:",
            "candidate:1 1 udp x",
            "candidate:1 1 udp 1 a.local 9 typ host",
        ):
            await camera.add_candidate(IceCandidate(candidate=text, sdp_mid="0"))
        await camera.add_candidate(None)
