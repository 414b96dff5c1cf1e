"""Hypothesis plays cameras, viewers, strangers and time against the core.

After every step: no message has reached a connection of another room (the scene checks each
delivery), places are never exceeded, nothing that ended is remembered, and every reference in the
book leads somewhere.
"""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from rendezvous.rooms.limits import Limits
from rendezvous.rooms.sessions import Role, State
from rendezvous.wire import identity
from rendezvous.wire.messages import (
    Answer,
    Candidate,
    ClientMessage,
    End,
    Joined,
    Offer,
    Pong,
    Resume,
    Source,
    SourceState,
)
from rendezvous.wire.messages import Session as SessionOpened
from tests.support.peers import SDP, VIEWER_SECRET, Key, proven_join, signed_claim
from tests.support.scene import ORIGIN, Actor, Scene

KEYS = (Key(), Key())
ROOMS = ("Front", "Garden")
PLACES = 2
OTHER_SECRET = identity.encode(b"another secret!!")

rooms = st.sampled_from(ROOMS)
index = st.integers(0, 1_000)


class Rendezvous(RuleBasedStateMachine):
    """Anybody may do anything at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.scene = Scene(Limits(viewers_per_room=PLACES))
        self.known: list[tuple[str, str, str]] = [("0" * 22, "0" * 22, ROOMS[0])]

    @initialize(cameras=st.integers(0, 2), strangers=st.integers(0, 2))
    def people(self, cameras: int, strangers: int) -> None:
        """Somebody is there already."""
        for room, key in zip(ROOMS[:cameras], KEYS, strict=False):
            self.scene.camera(room, key)
        for _ in range(strangers):
            self.scene.opens()
        self.learn()

    def actor(self, number: int) -> Actor | None:
        """One of those who are connected."""
        open_ = [a for a in self.scene.actors.values() if a.id in self.scene.book.peers]
        return open_[number % len(open_)] if open_ else None

    def learn(self) -> None:
        """Session names and secrets are remembered, to be used rightly and wrongly later."""
        for actor in self.scene.actors.values():
            for message in actor.hears():
                if isinstance(message, Joined | SessionOpened) and actor.bound:
                    self.known.append((message.session, message.secret, actor.bound))

    @precondition(lambda self: len(self.scene.book.peers) < 12)
    @rule(hello=st.booleans())
    def connect(self, *, hello: bool) -> None:
        self.scene.opens(hello=hello)

    @rule(
        number=index,
        room=rooms,
        key=st.sampled_from(KEYS),
        secret=st.sampled_from((VIEWER_SECRET, VIEWER_SECRET, OTHER_SECRET)),
        late=st.booleans(),
    )
    def claim(self, number: int, room: str, key: Key, secret: str, *, late: bool) -> None:
        actor = self.actor(number)
        if actor and self.scene.book.peers[actor.id].greeted:
            claim = signed_claim(actor.welcome, key, room=room, origin=ORIGIN, secret=secret)
            self.ask(actor, claim, late=late)

    @rule(
        number=index,
        room=rooms,
        secret=st.sampled_from((VIEWER_SECRET, OTHER_SECRET, None)),
        late=st.booleans(),
    )
    def join(self, number: int, room: str, secret: str | None, *, late: bool) -> None:
        actor = self.actor(number)
        if actor and self.scene.book.peers[actor.id].greeted:
            self.ask(actor, proven_join(actor.welcome, room, secret), late=late)

    def ask(self, actor: Actor, message: ClientMessage, *, late: bool) -> None:
        """The store answers at once, or when the machine comes to it."""
        self.scene.slow = late
        actor.says(message)
        self.learn()

    @rule(number=index, which=index, kind=st.sampled_from((Offer, Answer, Candidate, End)))
    def speak(self, number: int, which: int, kind: type[ClientMessage]) -> None:
        session = self.known[-1 - which % min(6, len(self.known))][0]
        fields = {
            Offer: {"sdp": SDP},
            Answer: {"sdp": SDP},
            Candidate: {"candidate": None},
            End: {"reason": "left"},
        }[kind]
        self.say(number, kind(session=session, **fields))  # type: ignore[arg-type,call-arg]

    @rule(number=index)
    def source(self, number: int) -> None:
        self.say(number, Source(state=SourceState.LIVE))

    @rule(number=index, which=index)
    def resume(self, number: int, which: int) -> None:
        session, secret, room = self.known[-1 - which % min(6, len(self.known))]
        self.say(number, Resume(session=session, secret=secret, room=room))

    @rule(camera=index, viewer=index, which=index)
    def both_resume(self, camera: int, viewer: int, which: int) -> None:
        """As after a restart; either may be anything, also one and the same."""
        self.resume(viewer, which)
        self.resume(camera, which)

    @precondition(lambda self: self.scene.answers)
    @rule(which=index)
    def store_answers(self, which: int) -> None:
        """Out of order, while anything else goes on."""
        self.scene.store_answers(which)
        self.learn()

    @rule(number=index)
    def pong(self, number: int) -> None:
        self.say(number, Pong())

    def say(self, number: int, message: ClientMessage) -> None:
        """Whoever it is says it."""
        if actor := self.actor(number):
            actor.says(message)
            self.learn()

    @rule(number=index)
    def hang_up(self, number: int) -> None:
        if actor := self.actor(number):
            actor.hangs_up()
            self.learn()

    @rule(seconds=st.sampled_from((0.5, 4.0, 11.0, 31.0)), alive=st.booleans())
    def time(self, seconds: float, *, alive: bool) -> None:
        if alive:
            peers = [self.scene.actors[id_] for id_ in self.scene.book.peers]
            self.scene.passes_alive(seconds, *[a for a in peers if not a.closed])
        else:
            self.scene.passes(seconds)
        self.learn()

    @rule()
    def restart(self) -> None:
        """The server knows nothing but what the store does."""
        store, epoch = self.scene.store, self.scene.epoch
        self.scene = Scene(Limits(viewers_per_room=PLACES))
        self.scene.store, self.scene.epoch = store, epoch

    # ── what must always hold ────────────────────────────────────────────────────────────────

    @invariant()
    def places_are_never_exceeded(self) -> None:
        for room in self.scene.book.rooms.values():
            assert room.places_taken <= PLACES
            assert not room.deserted

    @invariant()
    def sessions_are_where_their_members_are(self) -> None:
        book = self.scene.book
        for session in book.sessions.values():
            assert book.rooms[session.room].sessions[session.id] is session
            viewer, camera = session.members[Role.VIEWER], session.members[Role.CAMERA]
            if viewer is not None:
                assert book.peers[viewer].session == session.id
                assert book.peers[viewer].room == session.room
            if camera is not None:
                assert book.rooms[session.room].camera == camera
                assert book.peers[camera].room == session.room
            assert session.state is State.ANSWERED or (viewer and camera)
            assert camera is not None or session.deadline is not None
        assert sum(len(r.sessions) for r in book.rooms.values()) == len(book.sessions)

    @invariant()
    def nobody_in_the_book_is_gone(self) -> None:
        book = self.scene.book
        for peer in book.peers.values():
            assert not self.scene.actors[peer.id].closed
            assert peer.session is None or peer.session in book.sessions
            assert self.scene.actors[peer.id].bound == peer.room
            assert self.scene.actors[peer.id].seated is not book.is_stranger(peer)
            assert peer.role is not Role.CAMERA or peer.session is None
            if self.scene.actors[peer.id].waiting:
                assert peer.room is not None
                assert peer.id in book.rooms[peer.room].waiting
        for room in book.rooms.values():
            assert room.camera is None or book.peers[room.camera].role is Role.CAMERA
            assert not (room.waiting and room.camera)
            for waiting in room.waiting:
                assert book.peers[waiting].session is None
                assert book.peers[waiting].role is Role.VIEWER
        for held in book.resumes.values():
            assert held
            assert all(resume.connection in book.peers for resume in held.values())


TestRendezvous = Rendezvous.TestCase
TestRendezvous.settings = settings(max_examples=300, stateful_step_count=40, deadline=None)
