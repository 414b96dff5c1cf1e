"""A camera's sessions: who comes back finds a place, and no end of a session is forgotten."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from publisher.supervisor import viewers as module
from publisher.supervisor.viewers import Viewers
from rendezvous.wire.messages import End, EndReason, IcePolicy, Message, Resume, Session

OUTLET = cast(Any, SimpleNamespace(media=None))


class Leg:
    """One that takes its time to close."""

    silence = 0.0
    losses = ""
    local_address: str | None = "127.0.0.1"

    def __init__(self) -> None:
        self.may_close = asyncio.Event()

    async def answer(self, _offer: str) -> str:
        return "answer"

    async def close(self) -> None:
        await self.may_close.wait()


class Rig:
    """A camera's viewers, and a server that may be away."""

    def __init__(self, most: int) -> None:
        self.legs: list[Leg] = []
        self.sent: list[Message] = []
        self.connected = True
        self.viewers = Viewers(OUTLET, OUTLET, self._send, most, lambda: None)

    def make_leg(self, *_: object) -> Leg:
        self.legs.append(Leg())
        return self.legs[-1]

    def _send(self, message: Message) -> bool:
        if self.connected:
            self.sent.append(message)
        return self.connected

    def opens(self, session: str) -> None:
        self.viewers.open(Session(session=session * 22, secret="k" * 22, sdp="offer"))

    @property
    def ends(self) -> list[tuple[str, str]]:
        return [(m.session[0], m.reason) for m in self.sent if isinstance(m, End)]

    async def close(self) -> None:
        for leg in self.legs:
            leg.may_close.set()
        await self.viewers.close()


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Rig:
    rig = Rig(most=2)
    monkeypatch.setattr(Viewers, "_make_leg", lambda _, *given: rig.make_leg(*given))
    return rig


@pytest.mark.parametrize("reason", [EndReason.LEFT, EndReason.REPLACED])
async def test_a_session_that_is_over_takes_no_place_while_it_is_cleared_away(
    rig: Rig, reason: EndReason
) -> None:
    """Or a viewer that comes back would be told that the camera is full: by itself.

    After an outage its end and its return arrive in one go.
    """
    rig.opens("a")
    rig.opens("b")
    rig.opens("c")
    assert rig.ends == [("c", EndReason.CAMERA_FULL)]
    rig.viewers.put(End(session="a" * 22, reason=reason))
    rig.opens("d")
    assert rig.ends == [("c", EndReason.CAMERA_FULL)]
    assert len(rig.legs) == 3
    await rig.close()


async def test_whoever_joins_again_and_again_does_not_fill_the_camera_with_former_sessions(
    rig: Rig,
) -> None:
    for name in "abcdefgh":
        rig.opens(name)
        rig.viewers.put(End(session=name * 22, reason=EndReason.REPLACED))
    assert len(rig.legs) == module.CROWDED * 2
    assert [reason for _, reason in rig.ends].count(EndReason.CAMERA_FULL) == 2
    for viewer in tuple(rig.viewers._viewers.values())[:-1]:
        assert (
            viewer._reason == EndReason.REPLACED
        )  # they run no longer than it takes to close them
    await rig.close()


async def test_a_server_that_was_away_hears_what_runs_and_what_is_over(rig: Rig) -> None:
    """Its viewers would wait for an end that nobody says."""
    rig.opens("a")
    rig.opens("b")
    rig.connected = False
    rig.viewers._viewers["a" * 22].end(EndReason.MEDIA_LOST)
    told = list(rig.viewers.resumptions("MyRoom"))
    assert [(type(m), m.session[0]) for m in told] == [(Resume, "b"), (Resume, "a"), (End, "a")]
    assert [m.session[0] for m in rig.viewers.resumptions("MyRoom")] == ["b"]
    await rig.close()


async def test_ends_that_nobody_hears_are_kept_within_bounds(rig: Rig) -> None:
    rig.connected = False
    for n in range(2 * module.MOST_UNSAID):
        opening = Session(session=f"{n:022d}", secret="k" * 22, sdp="offer")
        rig.viewers._say(opening, End(session=opening.session, reason=EndReason.MEDIA_LOST))
    assert len(list(rig.viewers.resumptions("MyRoom"))) == 2 * module.MOST_UNSAID


async def test_ways_that_began_at_an_address_which_is_gone_are_over(rig: Rig) -> None:
    rig.opens("a")
    rig.opens("b")
    rig.legs[0].local_address = "192.0.2.1"
    rig.viewers.network_changed()
    assert rig.ends == [("a", EndReason.MEDIA_LOST)]
    await rig.close()


@pytest.mark.parametrize("camera", IcePolicy)
@pytest.mark.parametrize("server", IcePolicy)
def test_a_hidden_camera_stays_hidden_whatever_a_server_says(
    monkeypatch: pytest.MonkeyPatch, camera: IcePolicy, server: IcePolicy
) -> None:
    made: list[IcePolicy] = []
    monkeypatch.setattr(module, "Fmp4Leg", lambda _, __, policy, *___, **____: made.append(policy))
    viewers = Viewers(OUTLET, OUTLET, lambda _: True, 1, policy=camera)
    offer = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n"
    opening = Session(session="s" * 22, secret="k" * 22, sdp=offer, ice_policy=server)
    viewers._make_leg(opening, lambda _: None, None)
    assert made == [IcePolicy.RELAY if "relay" in (camera, server) else IcePolicy.ALL]
