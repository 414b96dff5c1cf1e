"""Cameras, thieves and viewers: they speak as honest and dishonest peers do, and keep the history.

What each says carries its name, its room, its key and its claim's epoch; what it hears goes into
the history with what the speaker wrote into it.
"""

import random
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from msgspec import structs

from rendezvous.wire import identity
from rendezvous.wire.identity import RoomId
from rendezvous.wire.messages import (
    Answer,
    Candidate,
    Challenge,
    Claim,
    Claimed,
    End,
    Error,
    Hello,
    IceCandidate,
    Joined,
    Message,
    Offer,
    Resume,
    ServerMessage,
    Session,
    Source,
    SourceState,
    Welcome,
)
from tests.support import history
from tests.support.history import Delivered, Said
from tests.support.peers import VIEWER_SECRET, Key, proven_join, signed_claim


@dataclass(frozen=True, slots=True)
class Owner:
    """Who has a camera: a name for the history, the key, and the label of a key room."""

    name: str
    key: Key
    label: str = ""
    secret: str = VIEWER_SECRET
    """The viewers'."""

    @property
    def key_room(self) -> RoomId:
        """The room that nobody else can claim."""
        return identity.key_room(self.key.spki, self.label)


class Line(Protocol):
    """A connection."""

    def say(self, message: Message) -> None:
        """Sends a message."""

    def cut(self, *, unnoticed: float = 0.0) -> None:
        """It is gone; the node learns it after so many seconds."""


class World(Protocol):
    """What people need of where they live."""

    chance: random.Random
    calm: bool
    """Nobody goes away any more by himself."""
    history: list[history.Record]
    overheard: dict[str, Claim]
    """The last claim of each room, as somebody on the line has copied it."""

    @property
    def now(self) -> float:
        """Seconds."""

    def dial(
        self, hear: Callable[[ServerMessage], None], closed: Callable[[], None]
    ) -> tuple[str, str, Line] | None:
        """A node, its origin, and a connection to it; None: nobody answers."""

    def later(self, seconds: float, what: Callable[[], None]) -> None:
        """Calls back, unless the run is over."""


class Person(ABC):
    """Comes, stays for a while, is cut off, comes back."""

    def __init__(self, world: World, name: str, room: str) -> None:
        self.world = world
        self.name = name
        self.room = room
        self.node = self.origin = ""
        self.socket: Line | None = None
        self.welcome: Welcome | None = None
        self._stay = 0  # counts connections: a timer of an earlier one must not cut a later

    def comes(self) -> None:
        """Dials, and says hello."""
        dialled = self.world.dial(self._hears, self._closed)
        if dialled is None:
            self.returns()
            return
        self.node, self.origin, self.socket = dialled
        self._stay += 1
        stay = self._stay
        self.world.later(self.world.chance.expovariate(1 / 12), lambda: self._leaves(stay))
        self.says(Hello(version=1))

    def returns(self) -> None:
        """Comes back in a moment."""
        self.world.later(self.world.chance.uniform(0.1, 2.0), self.comes)

    def says(self, message: Message) -> None:
        """If it is connected."""
        if self.socket is not None:
            self.socket.say(message)

    def _leaves(self, stay: int) -> None:
        if stay == self._stay and self.socket is not None and not self.world.calm:
            half_open = self.world.chance.random() < 0.3
            self.socket.cut(unnoticed=self.world.chance.uniform(1, 20) if half_open else 0.0)
            self._closed()

    def _closed(self) -> None:
        self.socket = None
        self.gone()
        self.returns()

    def gone(self) -> None:  # noqa: B027  # nothing to do, for most
        """The connection is lost."""

    def _hears(self, message: ServerMessage) -> None:
        if isinstance(message, Welcome):
            self.welcome = message
        self.hears(message)

    @abstractmethod
    def hears(self, message: ServerMessage) -> None:
        """What it does about it."""

    def records(self, text: str, session: str | None, key: str | None) -> None:
        """Writes down what it has heard, if a person said it."""
        said = read(text)
        if said is not None and self.welcome is not None:
            self.world.history.append(
                Delivered(
                    at=self.world.now,
                    node=self.node,
                    connection=self.welcome.connection,
                    person=self.name,
                    room=self.room,
                    said=said,
                    session=session,
                    key=key,
                )
            )


class Camera(Person):
    """Claims its room, answers everybody, says now and then how it is."""

    patience = (0.5, 3.0)  # seconds until it claims again, when it was refused

    def __init__(self, world: World, name: str, room: str, owner: Owner) -> None:
        super().__init__(world, name, room)
        self.owner = owner.name
        self.key = owner.key
        self.label = owner.label
        self.secret = owner.secret
        self.epoch = 0
        self.holds_since = 0.0
        self._sessions: dict[str, str] = {}
        self._asked = 0  # claims without answer: it does not know the epoch of what it says now

    @property
    def tag(self) -> str:
        """Who speaks."""
        epoch = 0 if self._asked else self.epoch
        return written(Said(self.name, self.room, self.owner, epoch))

    def claim(self, welcome: Welcome) -> Claim:
        """In order."""
        said = Said(self.name, self.room, self.owner)
        source = Source(state=SourceState.LIVE, message=written(said))
        self.world.overheard[self.room] = claim = self.signed(welcome, source)
        return claim

    def signed(self, welcome: Welcome, source: Source) -> Claim:
        """With its own key."""
        return signed_claim(
            welcome,
            self.key,
            room=self.room,
            origin=self.origin,
            label=self.label,
            secret=self.secret,
            source=source,
        )

    def claims(self) -> None:
        """Asks for its room."""
        if self.welcome is not None and self.socket is not None:
            self.says(self.claim(self.welcome))
            self._asked += 1

    def gone(self) -> None:
        self.epoch, self._asked = 0, 0

    def hears(self, message: ServerMessage) -> None:
        match message:
            case Welcome():
                self.claims()
            case Challenge(nonce=nonce) if self.welcome is not None:
                self.welcome = structs.replace(self.welcome, nonce=nonce)
                self.claims()
            case Claimed():
                self._holds(message)
            case Session():
                self.records(message.sdp, message.session, self.owner)
                self._sessions[message.session] = message.secret
                self.says(Answer(session=message.session, sdp=self.tag))
                self.says(candidate(message.session, self.tag))
            case Candidate(candidate=IceCandidate(candidate=text)):
                self.records(text, message.session, self.owner)
            case Offer():
                self.records(message.sdp, message.session, self.owner)
                self.says(Answer(session=message.session, sdp=self.tag))
            case End():
                self.records(message.message, message.session, self.owner)
                self._sessions.pop(message.session, None)
            case Error(session=None):
                self._asked = max(0, self._asked - 1)
                self.world.later(self.world.chance.uniform(*self.patience), self.claims)

    def _holds(self, claimed: Claimed) -> None:
        if self.welcome is None:
            return
        began, self.epoch = not self.epoch, claimed.epoch
        if began:
            self.holds_since = self.world.now
        self._asked -= 1
        self.world.history.append(
            history.Claimed(
                at=self.world.now,
                node=self.node,
                connection=self.welcome.connection,
                room=self.room,
                key=self.owner,
                epoch=claimed.epoch,
            )
        )
        for session, secret in self._sessions.items():
            self.says(Resume(session=session, secret=secret, room=self.room))
        if began:
            self._tells(self._stay)

    def _tells(self, stay: int) -> None:
        if stay == self._stay and self.epoch:
            self.says(Source(state=SourceState.LIVE, message=self.tag))
            for session in self._sessions:
                self.says(candidate(session, self.tag))
            self.world.later(self.world.chance.uniform(1, 6), lambda: self._tells(stay))


class Thief(Camera):
    """Knows the room's ID and its viewers' secret, and has copied a claim; not the key."""

    patience = (2.0, 8.0)

    def claim(self, welcome: Welcome) -> Claim:
        copied = self.world.overheard.get(self.room)
        if copied is not None and self.world.chance.random() < 0.5:
            return copied
        source = Source(state=SourceState.LIVE, message=self.tag)
        own = self.signed(welcome, source)
        if copied is not None and self.world.chance.random() < 0.3:
            return structs.replace(own, key=copied.key)
        return own


class Viewer(Person):
    """Joins, watches, resumes, leaves, joins again."""

    def __init__(self, world: World, name: str, room: str) -> None:
        super().__init__(world, name, room)
        self.heard_at = 0.0
        """When it last heard its camera, or why it does not."""
        self._session: tuple[str, str] | None = None
        self._answered = False

    @property
    def tag(self) -> str:
        """Who speaks."""
        return written(Said(self.name, self.room))

    def joins(self) -> None:
        """Asks for a place, or for the session that it had."""
        if self.welcome is None or self.socket is None:
            return
        if self._session is not None and self._answered:
            session, secret = self._session
            self.says(Resume(session=session, secret=secret, room=self.room))
        else:
            self._session = None
            self.says(proven_join(self.welcome, self.room))

    def hears(self, message: ServerMessage) -> None:
        if isinstance(message, Answer | Candidate | Source | End | Error):
            self.heard_at = self.world.now
        match message:
            case Welcome():
                self.joins()
            case Joined():
                self._session, self._answered = (message.session, message.secret), False
                self.records(message.source.message, message.session, None)
                self.says(Offer(session=message.session, sdp=self.tag))
                self.says(candidate(message.session, self.tag))
                self.world.later(self.world.chance.expovariate(1 / 6), self._thinks)
            case Answer():
                self._answered = True
                self.records(message.sdp, message.session, None)
            case Candidate(candidate=IceCandidate(candidate=text)):
                self.records(text, message.session, None)
            case Source():
                self.records(message.message, None, None)
            case End():
                self.records(message.message, message.session, None)
                self._again(message.session)
            case Error():
                self._again(message.session)

    def _thinks(self) -> None:
        # It offers anew, goes, or joins again although it has a session.
        if self._session is None:
            return
        session, mood = self._session[0], self.world.chance.random()
        if self.world.calm:
            return
        if mood < 0.4:
            self.says(Offer(session=session, sdp=self.tag))
            self.world.later(self.world.chance.expovariate(1 / 6), self._thinks)
        elif mood < 0.7:
            self.says(End(session=session, reason="left", message=self.tag))
            self._again(session)
        else:
            self._again(session)

    def _again(self, session: str | None) -> None:
        if session is None or (self._session is not None and session == self._session[0]):
            self._session, self._answered = None, False
            self.world.later(self.world.chance.uniform(0.1, 3.0), self._unless_watching)

    def _unless_watching(self) -> None:
        if self._session is None:
            self.joins()


_JUGGLED = 3  # sessions


class Juggler(Person):
    """A viewer of two rooms that asks for everything at once, on one connection."""

    def __init__(self, world: World, name: str, rooms: tuple[str, str]) -> None:
        super().__init__(world, name, "")
        self._rooms = rooms
        self._sessions: dict[str, tuple[str, str]] = {}

    @property
    def tag(self) -> str:
        """Who speaks."""
        return written(Said(self.name, self.room))

    def gone(self) -> None:
        self.room = ""

    def hears(self, message: ServerMessage) -> None:
        match message:
            case Welcome():
                self._asks(message)
            case Joined():
                self._enters(message)
            case Answer():
                self.records(message.sdp, message.session, None)
            case Candidate(candidate=IceCandidate(candidate=text)):
                self.records(text, message.session, None)
            case Source():
                self.records(message.message, None, None)
            case End() | Error():
                self._sessions.pop(message.session or "", None)

    def _asks(self, welcome: Welcome) -> None:
        wishes: list[Message] = [proven_join(welcome, room) for room in self._rooms]
        wishes += [
            Resume(session=session, secret=secret, room=room)
            for session, (secret, room) in self._sessions.items()
        ]
        for wish in self.world.chance.sample(wishes, len(wishes)):
            self.says(wish)

    def _enters(self, joined: Joined) -> None:
        self.records(joined.source.message, joined.session, None)
        self._sessions[joined.session] = joined.secret, joined.room
        self._sessions = dict(tuple(self._sessions.items())[-_JUGGLED:])
        self.says(Offer(session=joined.session, sdp=written(Said(self.name, joined.room))))
        self.world.later(self.world.chance.uniform(0.0, 3.0), self._juggles)

    def _juggles(self) -> None:
        if self.welcome is not None:
            self._asks(self.welcome)

    def records(self, text: str, session: str | None, key: str | None) -> None:
        """A connection is in one room: the first that it hears anything of."""
        said = read(text)
        self.room = self.room or (said.room if said is not None else "")
        super().records(text, session, key)


# ── what people write into what they say ─────────────────────────────────────────────────────


def written(said: Said) -> str:
    """As text."""
    return f"{said.person}|{said.room}|{said.key or ''}|{said.epoch}"


def read(text: str) -> Said | None:
    """From text; None when nobody has written it."""
    parts = text.split("|")
    if len(parts) != 4:
        return None
    return Said(parts[0], parts[1], parts[2] or None, int(parts[3]))


def candidate(session: str, text: str) -> Candidate:
    """A candidate with that text."""
    return Candidate(session=session, candidate=IceCandidate(candidate=text))
