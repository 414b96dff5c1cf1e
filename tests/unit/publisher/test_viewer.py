"""A session at the camera ends for a named reason, and then everything it held is free."""

import asyncio
from collections.abc import Callable

import msgspec
import pytest
import pytest_asyncio

from publisher.media.format import Format
from publisher.rtc.refusals import OfferRefusedError
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
from tests.support.waiting import until

ID, SECRET = "s" * 22, "k" * 22
OPENING = Session(session=ID, secret=SECRET, sdp="offer")
CANDIDATE = IceCandidate(candidate="candidate:1 1 udp 1 192.0.2.1 9 typ host")


class FakeLeg:
    """A leg that notes what happens to it."""

    def __init__(self) -> None:
        self.seen: list[object] = []
        self.refusal: OfferRefusedError | None = None
        self.silence = 0.0
        self.local_address: str | None = None
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

    def __init__(self, opening: Session = OPENING) -> None:
        self.leg = FakeLeg()
        self.sent: list[Message] = []
        self.silences = 0
        self.viewer = Viewer(opening, self._make_leg, self.sent.append, self._count)

    def _count(self) -> None:
        self.silences += 1

    def _make_leg(
        self,
        opening: Session,
        on_state: Callable[[str], None],
        on_candidate: Callable[[IceCandidate | None], None] | None,
    ) -> FakeLeg:
        self.change_state = on_state
        self.on_candidate = on_candidate
        assert opening.session == ID
        return self.leg

    async def run(self) -> str:
        """The session's life, and the clock that ticks for it."""
        running = asyncio.create_task(self.viewer.run())

        def over() -> bool:
            self.viewer.check()
            return running.done()

        await until(over)
        return running.result()


@pytest_asyncio.fixture
async def rig() -> Rig:
    return Rig()


async def test_an_offer_is_answered_and_candidates_go_both_ways(rig: Rig) -> None:
    rig.viewer.put(Candidate(session=ID, candidate=CANDIDATE))
    running = asyncio.create_task(rig.run())
    await until(lambda: rig.leg.seen == ["offer", CANDIDATE])
    assert rig.on_candidate
    for candidate in (CANDIDATE, None):
        rig.on_candidate(candidate)
    rig.viewer.put(End(session=ID, reason="left"))
    assert await running == "left"
    rig.on_candidate(CANDIDATE)  # of an agent that had not heard of the end
    assert rig.sent == [
        Answer(session=ID, sdp="answer to offer"),
        Candidate(session=ID, candidate=CANDIDATE),
        Candidate(session=ID, candidate=None),
    ]
    assert rig.leg.closed


async def test_a_viewer_that_cannot_trickle_is_told_that_the_answer_has_all_candidates() -> None:
    """RFC 8838 §3: its leg has nobody to tell, so the answer must hold them."""
    rig = Rig(msgspec.structs.replace(OPENING, trickle=False))
    rig.viewer.put(End(session=ID, reason="left"))
    assert await rig.run() == "left"
    assert rig.on_candidate is None
    assert rig.sent == [
        Answer(session=ID, sdp="answer to offer"),
        Candidate(session=ID, candidate=None),
    ]


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


async def test_a_silence_that_may_be_the_network_s_is_told_once(rig: Rig) -> None:
    rig.change_state("connected")
    running = asyncio.create_task(rig.run())
    for _ in range(2):
        told = rig.silences
        rig.leg.silence = module.SUSPECT_SECONDS + 0.1
        await until(lambda told=told: rig.silences == told + 1)  # type: ignore[misc]
        rig.leg.silence = 0.1
        await until(lambda: not rig.viewer._suspected)
    assert rig.silences == 2
    rig.viewer.end(EndReason.CAMERA_STOPPED)
    assert await running == EndReason.CAMERA_STOPPED


@pytest.mark.parametrize(
    ("address", "ended"),
    [("127.0.0.1", False), (None, False), ("192.0.2.1", True)],
    ids=["still there", "not connected yet", "gone"],
)
async def test_a_way_that_began_at_an_address_which_is_gone_is_no_way(
    rig: Rig, address: str | None, *, ended: bool
) -> None:
    rig.leg.local_address = address
    rig.viewer.network_changed()
    assert rig.viewer.holds_place is not ended
    rig.viewer.end(EndReason.CAMERA_STOPPED)
    assert await rig.run() == (EndReason.MEDIA_LOST if ended else EndReason.CAMERA_STOPPED)


@pytest.fixture
def replaced(rig: Rig) -> Rig:
    """Connected, and its viewer has joined anew."""
    rig.change_state("connected")
    rig.viewer.put(End(session=ID, reason=EndReason.REPLACED))
    return rig


async def test_a_session_that_was_replaced_shows_its_pictures_until_the_viewer_closes_it(
    replaced: Rig,
) -> None:
    """Its place is free at once, and nobody is told of its end: the server has forgotten it."""
    assert not replaced.viewer.holds_place
    running = asyncio.create_task(replaced.run())
    await until(lambda: replaced.viewer._replaced is not None)
    assert not running.done()
    replaced.change_state("closed")
    assert await running == EndReason.MEDIA_LOST
    assert replaced.leg.closed
    assert not any(isinstance(message, End) for message in replaced.sent)


async def test_a_session_that_was_replaced_goes_soon_in_any_case(
    replaced: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REPLACED_SECONDS", 0.02)
    assert await replaced.run() == EndReason.REPLACED


async def test_a_silent_session_that_was_replaced_is_given_a_moment_to_be_heard(
    replaced: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The word of it may come before the first packet of a network that is back."""
    monkeypatch.setattr(module, "REPLACED_SILENCE_SECONDS", 0.05)
    replaced.leg.silence = 7.0
    began = asyncio.get_running_loop().time()
    assert await replaced.run() == EndReason.REPLACED
    assert asyncio.get_running_loop().time() - began >= 0.05


async def test_a_session_that_was_replaced_before_it_connected_is_over(rig: Rig) -> None:
    rig.viewer.put(End(session=ID, reason=EndReason.REPLACED))
    assert await rig.run() == EndReason.REPLACED


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
