"""The people of the simulation, over real sockets: they dial real nodes and keep one history."""

import asyncio
import random
from collections.abc import Callable

from rendezvous.wire import codec
from rendezvous.wire.messages import Claim, Message, ServerMessage
from tests.chaos.people import Camera, Owner, Person, Thief, Viewer
from tests.support import load_peers
from tests.support.history import Owners, Record
from tests.support.load_peers import Gone, Talker
from tests.support.peers import Key

OPEN_ROOMS = "Open"  # and a number


class Line:
    """A connection in the making: what is said before it is there waits for it."""

    def __init__(
        self,
        address: tuple[str, int],
        *,
        websocket: bool,
        hear: Callable[[ServerMessage], None],
        closed: Callable[[], None],
    ) -> None:
        self._address = address
        self._websocket = websocket
        self._hear = hear
        self._closed = closed
        self._early: list[bytes] = []
        self._talker: Talker | None = None
        self._cut = False
        self._task = asyncio.create_task(self._converse())

    def say(self, message: Message) -> None:
        """Sends a message."""
        data = codec.encode(message)
        if self._talker is None:
            self._early.append(data)
        elif not self._cut:
            self._talker.say(data)

    def cut(self, *, unnoticed: float = 0.0) -> None:
        """Hangs up; or says no more for so many seconds, not even pong, before it does."""
        self._cut = True
        if self._talker is None:
            self._task.cancel()
        elif unnoticed:
            self._talker.transport.pause_reading()
            asyncio.get_running_loop().call_later(unnoticed, self.hang_up)
        else:
            self.hang_up()

    def hang_up(self) -> None:
        """Now."""
        self._task.cancel()
        if self._talker is not None:
            self._talker.hang_up()

    async def _converse(self) -> None:
        try:
            dial = load_peers.frames if self._websocket else load_peers.lines
            self._talker = await dial(*self._address)
            for data in self._early:
                self._talker.say(data)
            while True:
                message = codec.decode_server(await self._talker.hear())
                if not self._cut:
                    self._hear(message)
        except (OSError, Gone):
            if not self._cut:
                self._cut = True
                self._closed()


class Crowd:
    """See people.World. ``addresses`` are those of the nodes, alive or not."""

    def __init__(self, seed: int, addresses: list[tuple[str, int]], *, rooms: int) -> None:
        self.chance = random.Random(seed)
        self.calm = False
        self.history: list[Record] = []
        self.overheard: dict[str, Claim] = {}
        self._addresses = addresses
        self._lines: list[Line] = []
        self._over = False
        self._owners = [Owner(f"owner-{number}", Key(), "front") for number in range(rooms)]
        self._people = [*self._residents(), *self._thieves()]

    # ── for people ───────────────────────────────────────────────────────────────────────────

    @property
    def now(self) -> float:
        """Seconds."""
        return asyncio.get_running_loop().time()

    def dial(
        self, hear: Callable[[ServerMessage], None], closed: Callable[[], None]
    ) -> tuple[str, str, Line] | None:
        """See people.World."""
        host, port = address = self.chance.choice(self._addresses)
        line = Line(address, websocket=self.chance.random() < 0.5, hear=hear, closed=closed)
        self._lines.append(line)
        return f"{port}", f"{host}:{port}", line

    def later(self, seconds: float, what: Callable[[], None]) -> None:
        """See people.World."""
        asyncio.get_running_loop().call_later(seconds, self._unless_over, what)

    def _unless_over(self, what: Callable[[], None]) -> None:
        if not self._over:
            what()

    # ── for the rig ──────────────────────────────────────────────────────────────────────────

    def _residents(self) -> list[Person]:
        people: list[Person] = []
        for number, owner in enumerate(self._owners):
            rooms = (str(owner.key_room), f"{OPEN_ROOMS}{number}")
            for room in rooms:
                people.append(Camera(self, f"{room}-camera", room, owner))
                people += [Viewer(self, f"{room}-{viewer}", room) for viewer in range(2)]
            people.append(Camera(self, f"{rooms[0]}-twin", rooms[0], owner))
        return people

    def _thieves(self) -> list[Person]:
        mallory = Owner("mallory", Key(), "front")
        return [Thief(self, f"thief-{o.name}", str(o.key_room), mallory) for o in self._owners]

    @property
    def owners(self) -> Owners:
        """Whose the key rooms are, for the checker."""
        return Owners({str(owner.key_room): owner.name for owner in self._owners})

    def comes(self) -> None:
        """Everybody dials."""
        for person in self._people:
            self.later(self.chance.uniform(0, 2), person.comes)

    async def goes(self) -> None:
        """Everybody hangs up."""
        self._over = True
        for line in self._lines:
            line.hang_up()
        await asyncio.sleep(0)
