"""Every (state, event) pair of a session, as the members experience it."""

import pytest

from rendezvous.rooms.facts import ConnectionLost, SessionDue
from rendezvous.rooms.sessions import TABLE, Event, State
from rendezvous.wire.identity import SessionId
from rendezvous.wire.messages import (
    Answer,
    Candidate,
    ClientMessage,
    End,
    IceCandidate,
    Joined,
    Offer,
    ServerMessage,
)
from rendezvous.wire.messages import Session as SessionOpened
from tests.support.peers import SDP, Key, resume, signed_claim
from tests.support.scene import ORIGIN, Actor, Scene

KEY = Key()
ROOM = "MyRoom"
OVER = None

# What each pair brings: to the camera, to the viewer, and the state after it. An error is named by
# its code, an end by its reason, presence by what it says.
EXPECTED: dict[tuple[State, Event], tuple[list[str], list[str], State | None]] = {
    (State.JOINED, Event.VIEWER_OFFER): (["session"], [], State.OFFERED),
    (State.JOINED, Event.VIEWER_ANSWER): ([], ["not_allowed"], State.JOINED),
    (State.JOINED, Event.VIEWER_CANDIDATE): ([], [], State.JOINED),
    (State.JOINED, Event.VIEWER_END): ([], [], OVER),
    (State.JOINED, Event.VIEWER_GONE): ([], [], OVER),
    (State.JOINED, Event.VIEWER_BACK): ([], ["session_unknown"], State.JOINED),
    (State.JOINED, Event.CAMERA_OFFER): (["not_allowed"], [], State.JOINED),
    (State.JOINED, Event.CAMERA_ANSWER): (["not_allowed"], [], State.JOINED),
    (State.JOINED, Event.CAMERA_CANDIDATE): (["not_allowed"], [], State.JOINED),
    (State.JOINED, Event.CAMERA_END): ([], ["end left"], OVER),
    (State.JOINED, Event.CAMERA_GONE): ([], ["waiting"], OVER),
    (State.JOINED, Event.CAMERA_BACK): (["session_unknown"], [], State.JOINED),
    (State.JOINED, Event.DEADLINE): ([], ["end offer_timeout"], OVER),
    (State.OFFERED, Event.VIEWER_OFFER): ([], ["not_allowed"], State.OFFERED),
    (State.OFFERED, Event.VIEWER_ANSWER): ([], ["not_allowed"], State.OFFERED),
    (State.OFFERED, Event.VIEWER_CANDIDATE): (["candidate"], [], State.OFFERED),
    (State.OFFERED, Event.VIEWER_END): (["end left"], [], OVER),
    (State.OFFERED, Event.VIEWER_GONE): (["end left"], [], OVER),
    (State.OFFERED, Event.VIEWER_BACK): ([], ["session_unknown"], State.OFFERED),
    (State.OFFERED, Event.CAMERA_OFFER): (["not_allowed"], [], State.OFFERED),
    (State.OFFERED, Event.CAMERA_ANSWER): ([], ["answer"], State.ANSWERED),
    (State.OFFERED, Event.CAMERA_CANDIDATE): ([], ["candidate"], State.OFFERED),
    (State.OFFERED, Event.CAMERA_END): ([], ["end left"], OVER),
    (State.OFFERED, Event.CAMERA_GONE): ([], ["waiting"], OVER),
    (State.OFFERED, Event.CAMERA_BACK): (["session_unknown"], [], State.OFFERED),
    (State.OFFERED, Event.DEADLINE): (["end answer_timeout"], ["end answer_timeout"], OVER),
    (State.ANSWERED, Event.VIEWER_OFFER): (["offer"], [], State.ANSWERED),
    (State.ANSWERED, Event.VIEWER_ANSWER): ([], ["not_allowed"], State.ANSWERED),
    (State.ANSWERED, Event.VIEWER_CANDIDATE): (["candidate"], [], State.ANSWERED),
    (State.ANSWERED, Event.VIEWER_END): (["end left"], [], OVER),
    (State.ANSWERED, Event.VIEWER_GONE): (["presence False"], [], State.ANSWERED),
    (State.ANSWERED, Event.VIEWER_BACK): (["presence True"], ["resumed", "source"], State.ANSWERED),
    (State.ANSWERED, Event.CAMERA_OFFER): (["not_allowed"], [], State.ANSWERED),
    (State.ANSWERED, Event.CAMERA_ANSWER): ([], ["answer"], State.ANSWERED),
    (State.ANSWERED, Event.CAMERA_CANDIDATE): ([], ["candidate"], State.ANSWERED),
    (State.ANSWERED, Event.CAMERA_END): ([], ["end left"], OVER),
    (State.ANSWERED, Event.CAMERA_GONE): ([], ["presence False"], State.ANSWERED),
    (State.ANSWERED, Event.CAMERA_BACK): (["resumed"], ["presence True"], State.ANSWERED),
    (State.ANSWERED, Event.DEADLINE): ([], ["end camera_gone"], OVER),
}


def _words(messages: list[ServerMessage]) -> list[str]:
    return [_word(message) for message in messages]


def _word(message: ServerMessage) -> str:
    tag = str(message.__struct_config__.tag)
    extra = {"error": "code", "end": "reason", "presence": "present"}.get(tag)
    word = f"{tag} {getattr(message, extra)}" if extra else tag
    return word.removeprefix("error ")


class _Play:
    """A session in the state that is wanted, and every event as it really comes about."""

    def __init__(self, state: State) -> None:
        self.scene = Scene()
        self.camera = self.scene.camera(ROOM, KEY)
        self.viewer = self.scene.viewer(ROOM)
        self.joined = next(m for m in self.viewer.told if isinstance(m, Joined))
        if state is not State.JOINED:
            self.viewer.says(Offer(session=self.joined.session, sdp=SDP))
        if state is State.ANSWERED:
            self.camera.says(Answer(session=self.joined.session, sdp=SDP))
        self.camera.hears()
        self.viewer.hears()

    def happen(self, event: Event) -> None:
        who, what = event.name.split("_", 1) if event is not Event.DEADLINE else ("", "")
        if event is Event.DEADLINE:
            self._deadline()
        elif what == "GONE":
            self._actor(who).hangs_up()
        elif what == "BACK":
            self._back(who)
        else:
            self._actor(who).says(self._message(what))

    def _actor(self, who: str) -> Actor:
        return self.camera if who == "CAMERA" else self.viewer

    def _message(self, what: str) -> ClientMessage:
        session = self.joined.session
        candidate = IceCandidate(candidate="candidate:1 1 udp 1 192.0.2.1 9 typ host")
        messages: dict[str, ClientMessage] = {
            "OFFER": Offer(session=session, sdp=SDP),
            "ANSWER": Answer(session=session, sdp=SDP),
            "CANDIDATE": Candidate(session=session, candidate=candidate),
            "END": End(session=session, reason="left"),
        }
        return messages[what]

    def _back(self, who: str) -> None:
        running = self.scene.book.sessions[SessionId(self.joined.session)].state is State.ANSWERED
        if running:
            self._actor(who).hangs_up()
            returned = self.scene.opens()
        elif who == "VIEWER":
            returned = self.scene.opens()
        else:
            returned = self.camera
        if who == "CAMERA" and running:
            returned.says(signed_claim(returned.welcome, KEY, room=ROOM, origin=ORIGIN))
        self.camera.hears()
        self.viewer.hears()
        returned.hears()
        returned.says(resume(self.joined, ROOM))
        self.camera = returned if who == "CAMERA" else self.camera
        self.viewer = returned if who == "VIEWER" else self.viewer

    def _deadline(self) -> None:
        session = self.scene.book.sessions[SessionId(self.joined.session)]
        if session.state is State.ANSWERED:
            self.camera.hangs_up()
            self.viewer.hears()
        assert session.deadline is not None
        for peer in self.scene.book.peers.values():
            peer.heard_at = session.deadline
        self.scene.now = session.deadline
        self.scene.happens(SessionDue(session.id))

    def state(self) -> State | None:
        session = self.scene.book.sessions.get(SessionId(self.joined.session))
        return session.state if session else None


def test_the_table_is_complete() -> None:
    """There is a step for every pair, and an expectation for every step."""
    pairs = {(state, event) for state in State for event in Event}
    assert set(TABLE) == pairs == set(EXPECTED)


@pytest.mark.parametrize(("state", "event"), sorted(EXPECTED, key=str), ids=lambda x: x.name)
def test_every_pair_does_what_the_protocol_says(state: State, event: Event) -> None:
    """The members hear what they should, nobody hears more, and the state follows the table."""
    play = _Play(state)
    play.happen(event)
    to_camera, to_viewer, after = EXPECTED[state, event]
    assert _words(play.camera.hears()) == to_camera
    assert _words(play.viewer.hears()) == to_viewer
    assert play.state() is after is TABLE[state, event].state


def test_what_is_over_is_forgotten() -> None:
    """A session that ended leaves nothing in the book, neither do empty rooms."""
    play = _Play(State.ANSWERED)
    play.viewer.says(End(session=play.joined.session, reason="left"))
    assert play.scene.book.sessions == {}
    for actor in (play.viewer, play.camera):
        play.scene.happens(ConnectionLost(actor.id))
    assert not play.scene.book.rooms
    assert not play.scene.book.peers


def test_kept_candidates_follow_the_offer() -> None:
    """Candidates that came before the offer reach the camera behind it, in order."""
    play = _Play(State.JOINED)
    for number in range(3):
        candidate = IceCandidate(candidate=f"candidate:{number}")
        play.viewer.says(Candidate(session=play.joined.session, candidate=candidate))
    play.viewer.says(Candidate(session=play.joined.session, candidate=None))
    play.camera.hears_nothing()
    play.viewer.says(Offer(session=play.joined.session, sdp=SDP))
    opened, *candidates = play.camera.hears()
    assert isinstance(opened, SessionOpened)
    heard = [c.candidate.candidate if c.candidate else None for c in candidates]  # type: ignore[union-attr]
    assert heard == ["candidate:0", "candidate:1", "candidate:2", None]
