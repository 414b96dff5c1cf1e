"""The core on a table: connections, a store, and a clock that we turn.

The store answers at once, or with ``slow`` when ``store_answers`` is called: the question was
answered in its order, and the answer reaches the core late.
"""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from rendezvous.rooms.book import Book, Ice
from rendezvous.rooms.core import Core
from rendezvous.rooms.effects import (
    Bind,
    ClaimRoom,
    Close,
    Drop,
    Effect,
    LookUpRoom,
    ReleaseRoom,
    Send,
    Unseat,
)
from rendezvous.rooms.facts import (
    ClaimRefused,
    ConnectionLost,
    ConnectionOpened,
    Fact,
    MessageReceived,
    RoomClaimed,
    RoomLookedUp,
)
from rendezvous.rooms.limits import Limits
from rendezvous.wire.identity import ConnectionId, Owner, RoomId
from rendezvous.wire.messages import (
    Answer,
    ClientMessage,
    Error,
    ErrorCode,
    Hello,
    Joined,
    Offer,
    Ping,
    Pong,
    Resumed,
    ServerMessage,
    Waiting,
    Welcome,
)
from rendezvous.wire.messages import Session as SessionOpened
from tests.support.peers import SDP, VIEWER_SECRET, Key, proven_join, signed_claim

ORIGIN = "127.0.0.1:4545"

_M = TypeVar("_M")


@dataclass
class Actor:
    """One connection of the scene and what it has been told."""

    scene: "Scene"
    id: ConnectionId
    told: list[ServerMessage] = field(default_factory=list)
    closed: bool = False
    bound: RoomId | None = None
    seated: bool = False
    """Whether it has a place in that room, as its transport believes."""
    waiting: bool = False
    """What it has been told last: that it waits."""

    @property
    def welcome(self) -> Welcome:
        """What the server said to hello."""
        return next(m for m in self.told if isinstance(m, Welcome))

    def says(self, *messages: ClientMessage) -> "Actor":
        """Sends messages; the effects are performed before this returns."""
        for message in messages:
            self.scene.happens(MessageReceived(self.id, message))
        return self

    def hangs_up(self) -> None:
        """The connection is lost."""
        self.closed = True
        self.scene.happens(ConnectionLost(self.id))

    def hears(self) -> list[ServerMessage]:
        """What it has been told since the last call, pings aside."""
        told = [m for m in self.told if not isinstance(m, Ping)]
        self.told = [m for m in self.told if isinstance(m, Welcome)]
        return [m for m in told if not isinstance(m, Welcome)]

    def hears_only(self, kind: type[_M]) -> _M:
        """The one thing that it has been told since the last call."""
        heard = self.hears()
        assert len(heard) == 1, f"expected one {kind.__name__}, got {heard}"
        assert isinstance(heard[0], kind), f"expected {kind.__name__}, got {heard[0]!r}"
        return heard[0]

    def hears_nothing(self) -> None:
        """It has been told nothing since the last call."""
        assert not (heard := self.hears()), f"expected nothing, got {heard}"


class Scene:
    """A core with its surroundings."""

    def __init__(self, limits: Limits | None = None, ice: Ice | None = None) -> None:
        numbers = itertools.count()
        self.book = Book(
            limits=limits or Limits(),
            ice=ice or Ice(),
            new_id=lambda: f"{next(numbers):022d}",
            jitter=lambda: 0.0,
        )
        self.core = Core(self.book)
        self.now = 1000.0
        self.actors: dict[ConnectionId, Actor] = {}
        self.store: dict[RoomId, tuple[Owner, str | None]] = {}
        self.epoch = 0
        self.released: list[ReleaseRoom] = []
        self.drops: list[str] = []
        self.asked: list[ClaimRoom] = []
        """The claims that the store was asked for."""
        self.slow = False
        self.answers: list[Fact] = []
        """What the store has answered, and the core has not heard yet."""
        self._numbers = itertools.count()

    def opens(self, *, hello: bool = True, after: float = 0.0) -> Actor:
        """A new connection, ``after`` seconds from when its socket was accepted."""
        actor = Actor(self, ConnectionId(f"connection-{next(self._numbers):011d}"))
        self.actors[actor.id] = actor
        self.happens(ConnectionOpened(actor.id, self.now - after, frozenset({ORIGIN})))
        return actor.says(Hello(version=1)) if hello else actor

    def camera(self, room: str, key: Key, **options: object) -> Actor:
        """A camera that has claimed."""
        actor = self.opens()
        return actor.says(signed_claim(actor.welcome, key, room=room, origin=ORIGIN, **options))  # type: ignore[arg-type]

    def viewer(self, room: str, secret: str | None = VIEWER_SECRET) -> Actor:
        """A viewer that has asked to join."""
        actor = self.opens()
        return actor.says(proven_join(actor.welcome, room, secret))

    def session(self, room: str, camera: Actor) -> tuple[Actor, Joined]:
        """A new viewer, answered; nothing is left to hear."""
        viewer = self.viewer(room)
        joined = viewer.hears_only(Joined)
        viewer.says(Offer(session=joined.session, sdp=SDP))
        camera.hears_only(SessionOpened)
        camera.says(Answer(session=joined.session, sdp=SDP))
        viewer.hears_only(Answer)
        return viewer, joined

    def passes(self, seconds: float) -> None:
        """Time goes by at once: deadlines come."""
        self.now += seconds
        for fact in self.core.due(self.now):
            self.happens(fact)

    def store_answers(self, which: int = 0) -> None:
        """The core hears one answer of the store; those of one connection come in order."""
        chosen = self.answers[which % len(self.answers)]
        first = next(a for a in self.answers if _asker(a) == _asker(chosen))
        self.answers.remove(first)
        self.happens(first)

    def passes_alive(self, seconds: float, *alive: Actor) -> None:
        """Time goes by in small steps, and these peers answer every ping."""
        end = self.now + seconds
        while self.now < end:
            for actor in alive:
                actor.says(Pong())
            self.passes(min(4.0, end - self.now))

    def happens(self, fact: Fact) -> None:
        """Feeds the core, and performs what it wants."""
        self.perform(self.core.handle(fact, self.now))

    def perform(self, effects: Iterable[Effect]) -> None:
        """Does what the hub would do, and checks every delivery as it would."""
        for effect in effects:
            match effect:
                case Send():
                    self._deliver(effect)
                case Close():
                    self.actors[effect.connection].closed = True
                case Bind():
                    self.actors[effect.connection].bound = effect.room
                    self.actors[effect.connection].seated = True
                case Unseat():
                    self.actors[effect.connection].seated = False
                case ReleaseRoom():
                    self.released.append(effect)
                case Drop():
                    self.drops.append(effect.name)
                case ClaimRoom() | LookUpRoom():
                    self.answers.append(self._ask(effect))
                    if not self.slow:
                        self.store_answers()

    def _deliver(self, effect: Send) -> None:
        actor = self.actors[effect.connection]
        assert effect.room is None or effect.room == actor.bound, f"wrong room: {effect}"
        if not actor.closed:
            actor.told.append(effect.message)
            if isinstance(effect.message, Waiting | Joined | Resumed | Error):
                actor.waiting = isinstance(effect.message, Waiting)

    def _ask(self, effect: ClaimRoom | LookUpRoom) -> Fact:
        if isinstance(effect, ClaimRoom):
            return self._claim(effect)
        found = self.store.get(RoomId(effect.join.room))
        return RoomLookedUp(
            effect.connection,
            effect.join,
            known=found is not None,
            verifier=found[1] if found else None,
            seat=effect.seat,
        )

    def _claim(self, effect: ClaimRoom) -> Fact:
        self.asked.append(effect)
        room = RoomId(effect.claim.room)
        owner, _ = self.store.get(room, (effect.owner, None))
        if not effect.permitted or owner != effect.owner:
            return ClaimRefused(effect.connection, ErrorCode.ROOM_UNAVAILABLE, "Not yours.")
        self.store[room] = (effect.owner, effect.claim.verifier)
        self.epoch = max(self.epoch, effect.newest) + 1
        return RoomClaimed(effect.connection, effect.owner, effect.claim, self.epoch)


def _asker(answer: Fact) -> ConnectionId | None:
    return getattr(answer, "connection", None)
