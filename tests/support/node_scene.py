"""The core on a table, with other nodes around it; see tests.support.scene."""

import itertools
from collections.abc import Iterable

from rendezvous.relay.link import Links
from rendezvous.rooms.effects import Alert, Effect, Post, SeekRoom
from rendezvous.rooms.facts import (
    Home,
    LetterReceived,
    LettersLost,
    LettersMissed,
    NodeLost,
    RoomFound,
    RoomLookedUp,
)
from rendezvous.rooms.letters import Letter, Told
from rendezvous.wire.identity import NodeId, RoomId
from rendezvous.wire.messages import Answer, Joined
from tests.support.peers import SDP, proven_join
from tests.support.scene import Actor, Scene

ROOM = RoomId("MyRoom")
HERE, THERE, ELSEWHERE = NodeId("here"), NodeId("there"), NodeId("elsewhere")


class Node(Scene):
    """A core that has others beside it: what it posts is kept."""

    def __init__(self, name: str = HERE) -> None:
        super().__init__()
        self.book.node = NodeId(name)
        self.posted: list[tuple[NodeId, Letter]] = []
        self.sought: list[RoomId] = []
        self.alerts: list[Alert] = []

    def perform(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            match effect:
                case Post():
                    self.posted.append((effect.node, effect.letter))
                case SeekRoom():
                    self.sought.append(effect.room)
                case Alert():
                    self.alerts.append(effect)
                case _:
                    super().perform([effect])

    def away(self, epoch: int = 5) -> Actor:
        """A viewer whose room's camera is at another node."""
        viewer = self.opens()
        join = proven_join(viewer.welcome, ROOM)
        home = Home(THERE, epoch)
        self.happens(RoomLookedUp(viewer.id, join, known=True, verifier=None, home=home))
        return viewer

    def tells(self, viewer: Actor, message: object, *, epoch: int = 5, **more: object) -> None:
        """The home's letter to the edge."""
        place = self.book.peers[viewer.id].away
        told = {"seat": place.seat if place else 0, "bound": True, "room": ROOM, **more}
        letter = Told(connection=viewer.id, message=message, epoch=epoch, **told)  # type: ignore[arg-type]
        self.happens(LetterReceived(THERE, letter))

    def watching(self) -> tuple[Actor, Joined]:
        """One whose session runs."""
        viewer = self.away()
        joined = Joined(room=ROOM, session="s" * 22, secret="t" * 22)
        self.tells(viewer, joined)
        self.tells(viewer, Answer(session=joined.session, sdp=SDP))
        viewer.hears()
        self.posted.clear()
        return viewer, joined


class Process(Node):
    """One of two nodes, with a real link to the other."""

    def __init__(self, name: str, other: str) -> None:
        super().__init__(name)
        self.other = NodeId(other)
        numbers = itertools.count()
        self.book.new_id = lambda: f"{name}{next(numbers):018d}"
        self._numbers = itertools.count(0 if name < other else 1_000)
        self.links = Links(self.book.node or HERE, self.drops.append)

    def perform(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Post):
                self.links.write(effect.node, effect.letter, self.now)
            super().perform([effect])

    def loses_the_other(self) -> None:
        """It takes it for dead."""
        self.links.forget(self.other)
        self.happens(NodeLost(self.other))

    def sends(self) -> list[bytes]:
        """What it writes now."""
        for node in self.links.broken(self.now):
            self.happens(LettersLost(node))
        return [data for _, data in self.links.outgoing(self.now)]

    def reads(self, data: bytes) -> None:
        """What the other wrote."""
        found = self.links.read(data, self.now)
        if found is not None and found.missed:
            self.happens(LettersMissed(self.other))
        for letter in found.letters if found is not None else ():
            self.happens(LetterReceived(self.other, letter))


class Two:
    """A home, an edge, and the way between them."""

    def __init__(self) -> None:
        self.home, self.edge = Process("home", "edge"), Process("edge", "home")

    def talk(self) -> None:
        """Letters go to and fro, and the edge finds where its rooms are."""
        for _ in range(8):
            for source, to in ((self.home, self.edge), (self.edge, self.home)):
                source.passes(0.1)
                for data in source.sends():
                    to.reads(data)
            self._seeks()

    def _seeks(self) -> None:
        room = self.home.book.rooms.get(ROOM)
        if ROOM in self.edge.sought and room is not None and room.live(self.home.now):
            self.edge.sought.clear()
            self.edge.happens(RoomFound(ROOM, self.where))

    @property
    def where(self) -> Home:
        """What the store says about the room."""
        room = self.home.book.rooms[ROOM]
        return Home(NodeId("home"), room.epoch, room.owner)

    def viewer(self) -> Actor:
        """One at the edge, of the room whose camera is at the home."""
        viewer = self.edge.opens()
        join = proven_join(viewer.welcome, ROOM)
        self.edge.happens(RoomLookedUp(viewer.id, join, known=True, home=self.where))
        self.talk()
        return viewer
