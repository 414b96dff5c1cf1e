"""A session at the camera ends for a named reason, and then everything it held is free."""

import asyncio
from collections.abc import Callable

import pytest

from publisher.media.format import Format
from publisher.rtc.peer import OfferRefusedError
from publisher.supervisor import viewer as module
from publisher.supervisor.viewer import Viewer
from rendezvous.wire.messages import (
    Answer,
    Candidate,
    End,
    EndReason,
    IceCandidate,
    Message,
    Offer,
    Session,
)

ID, SECRET = "s" * 22, "k" * 22
OPENING = Session(session=ID, secret=SECRET, sdp="offer")
CANDIDATE = IceCandidate(candidate="candidate:1 1 udp 1 192.0.2.1 9 typ host")


class FakeLeg:
    """A leg that notes what happens to it."""

    def __init__(self) -> None:
        self.seen: list[object] = []
        self.refusal: OfferRefusedError | None = None
        self.silence = 0.0
        self.losses = ""
        self.closed = False

    async def answer(self, offer: str) -> str:
        self.seen.append(offer)
        await asyncio.sleep(0)
        if self.refusal:
            raise self.refusal
        return f"answer to {offer}"

    async def add_candidate(self, candidate: IceCandidate | None) -> None:
        self.seen.append(candidate)

    def suits(self, media: Format) -> bool:
        return media.audio_codec == "opus"

    async def close(self) -> None:
        self.closed = True


class Rig:
    """A viewer with a fake leg, and what it sends."""

    def __init__(self) -> None:
        self.leg = FakeLeg()
        self.sent: list[Message] = []
        self.viewer = Viewer(OPENING, self._make_leg, self.sent.append)

    def _make_leg(self, opening: Session, on_state: Callable[[str], None]) -> FakeLeg:
        self.change_state = on_state
        assert opening is OPENING
        return self.leg

    async def run(self) -> str:
        return await asyncio.wait_for(self.viewer.run(), 5)


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Rig:
    monkeypatch.setattr(module, "TICK_SECONDS", 0.001)
    return Rig()


async def test_an_offer_is_answered_and_the_candidates_are_complete(rig: Rig) -> None:
    rig.viewer.put(Candidate(session=ID, candidate=CANDIDATE))
    rig.viewer.put(End(session=ID, reason="left"))
    assert await rig.run() == "left"
    assert rig.leg.seen == ["offer", CANDIDATE]
    assert rig.sent == [
        Answer(session=ID, sdp="answer to offer"),
        Candidate(session=ID, candidate=None),
    ]
    assert rig.leg.closed


async def test_a_later_offer_renegotiates(rig: Rig) -> None:
    rig.viewer.put(Offer(session=ID, sdp="again"))
    rig.viewer.put(End(session=ID, reason="left"))
    await rig.run()
    assert Answer(session=ID, sdp="answer to again") in rig.sent


async def test_an_offer_that_cannot_be_answered_ends_with_words(rig: Rig) -> None:
    rig.leg.refusal = OfferRefusedError("offer_refused", "No H.264.", "Use another browser.")
    assert await rig.run() == EndReason.OFFER_REFUSED
    (end,) = rig.sent
    assert isinstance(end, End)
    assert end.message == "No H.264. Use another browser."
    assert rig.leg.closed


async def test_a_viewer_that_never_connects_is_given_up(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CONNECT_SECONDS", 0.0)
    assert await rig.run() == EndReason.CONNECT_TIMEOUT
    assert rig.leg.closed


async def test_a_connected_viewer_without_signs_of_life_is_given_up(rig: Rig) -> None:
    rig.change_state("connected")
    rig.leg.silence = module.SILENCE_SECONDS + 1
    assert await rig.run() == EndReason.MEDIA_LOST


@pytest.mark.parametrize("state", ["failed", "closed"])
async def test_a_connection_that_is_over_ends_the_session(rig: Rig, state: str) -> None:
    rig.change_state("connected")
    rig.change_state(state)
    assert await rig.run() == EndReason.MEDIA_LOST


async def test_the_end_is_said_once(rig: Rig) -> None:
    rig.viewer.end(EndReason.CAMERA_STOPPED)
    rig.viewer.end(EndReason.MEDIA_LOST)
    assert await rig.run() == EndReason.CAMERA_STOPPED
    assert [m.reason for m in rig.sent if isinstance(m, End)] == [EndReason.CAMERA_STOPPED]


async def test_a_flood_is_counted_and_bounded(rig: Rig) -> None:
    for _ in range(2 * module.MAILBOX_ITEMS):
        rig.viewer.put(Candidate(session=ID, candidate=None))
    assert rig.viewer.dropped == module.MAILBOX_ITEMS + 1  # the offer has a place of its own
    assert rig.viewer.losses == f"{module.MAILBOX_ITEMS + 1} messages dropped"
    rig.viewer.end(EndReason.CAMERA_STOPPED)
    assert await rig.run() == EndReason.CAMERA_STOPPED
