"""One run: two or three nodes, some people, a list of things that go wrong; all from one seed.

The nodes are the real core and hub; the store and the post office between them are models that
fail in every way that we know of. Time is virtual: ten seconds take as many milliseconds.

Most runs end in the midst of it. Some end with a calm, after which everybody must be served; and
a few have a silence of which a node or a letter dies.
"""

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import Context
from dataclasses import dataclass, field
from unittest.mock import patch

from cryptography.hazmat.primitives.asymmetric import ec

from rendezvous.relay.counters import Counters
from rendezvous.relay.hub import Hub
from rendezvous.rooms import cameras, fencing
from rendezvous.rooms.book import Book
from rendezvous.rooms.limits import Limits
from rendezvous.wire import identity
from rendezvous.wire.identity import NodeId
from rendezvous.wire.messages import Claim, ServerMessage
from tests.chaos.audit import AuditedCore
from tests.chaos.people import Camera, Juggler, Owner, Person, Thief, Viewer
from tests.chaos.post import NodeMail, PostOffice
from tests.chaos.replicas import Replicas, ReplicaStore
from tests.chaos.sockets import Socket
from tests.chaos.virtual import VirtualLoop
from tests.support.history import Granted, Owners, Record, Renewed, Violation, check
from tests.support.peers import Key

LENGTHS = (6.0, 8.0, 8.0, 10.0, 20.0)  # seconds of virtual time; a lease lasts for 15
_LONG, _SILENCE = 50.0, (31.0, 40.0)  # seconds; after 30 letters are given up
_CALM = 45.0  # seconds: silences end, letters are given up, resumes run out
_SERVED = 12.0  # seconds in which a viewer hears its camera, which speaks every six, or why not
_MANY_LONG, _MANY_CALM = 0.015, 0.04  # of the runs
_MANY_ROOMS = 0.25
ORIGIN = "rendezvous.example.org:4545"
_LIMITS = Limits(messages_per_second=1_000, burst=1_000)
_TICK = 0.5
_NEVER = ("defect", "cross_room")  # the hub counts what must not happen

# The same in every process: a seed is to mean the same run wherever it is tried.
KEYS = {
    name: Key(ec.derive_private_key(number, ec.SECP256R1()))
    for number, name in enumerate(("anna", "ben", "mallory", "carl", "dora"), start=1000)
}
_LABEL = "front"
_ANNA, _CARL = (Owner(name, KEYS[name], _LABEL) for name in ("anna", "carl"))
_BEN, _DORA = (Owner(name, KEYS[name]) for name in ("ben", "dora"))
KEY_ROOM, CARLS_ROOM = str(_ANNA.key_room), str(_CARL.key_room)
OPEN_ROOM, DORAS_ROOM = "Garden", "Yard"
_CAMERAS = {KEY_ROOM: _ANNA, OPEN_ROOM: _BEN, CARLS_ROOM: _CARL, DORAS_ROOM: _DORA}


@dataclass
class Outcome:
    """What came of a run."""

    seed: int
    violations: list[Violation]
    defects: list[str]
    deliveries: int
    counts: Counter[str]
    history: list[Record] = field(repr=False, default_factory=list)

    @property
    def good(self) -> bool:
        """Whether no rule was broken, and nothing has failed inside."""
        return not self.violations and not self.defects


@dataclass
class Node:
    """A process of the rendezvous."""

    id: NodeId
    hub: Hub
    context: Context
    counters: Counters
    sockets: list[Socket] = field(default_factory=list)


class Simulation:
    """See people.World."""

    def __init__(
        self, seed: int, loop: VirtualLoop, *, checks_keys: bool = True, calm: bool = False
    ) -> None:
        self.chance = random.Random(seed)
        self.history: list[Record] = []
        self.overheard: dict[str, Claim] = {}
        self.counts: Counter[str] = Counter()
        self.calm = False
        self._ends_calmly = calm
        self._loop = loop
        self._replicas = Replicas(self.chance, checks_keys=checks_keys)
        self._office = PostOffice(self.chance)
        self._numbers = itertools.count(1)
        self._nodes: dict[str, Node] = {}
        self._names = "abc"[: self.chance.choice((2, 2, 3))]
        self._residents: list[Person] = []
        self.unserved: list[str] = []
        self._over = False

    # ── for people ───────────────────────────────────────────────────────────────────────────

    @property
    def now(self) -> float:
        """Seconds."""
        return self._loop.time()

    def dial(
        self, hear: Callable[[ServerMessage], None], closed: Callable[[], None]
    ) -> tuple[str, str, Socket] | None:
        """See people.World."""
        if not self._nodes:
            return None
        name = self.chance.choice(sorted(self._nodes))
        node = self._nodes[name]
        socket = Socket(
            next(self._numbers),
            node.hub,
            node.context,
            origin=ORIGIN,
            delay=self.chance.uniform(0.001, 0.05),
            hear=hear,
            closed=closed,
        )
        node.sockets.append(socket)
        return node.id, ORIGIN, socket

    def later(self, seconds: float, what: Callable[[], None]) -> None:
        """See people.World."""
        self._loop.call_later(seconds, self._unless_over, what, context=Context())

    def _unless_over(self, what: Callable[[], None]) -> None:
        if not self._over:
            what()

    # ── nodes ────────────────────────────────────────────────────────────────────────────────

    async def start_node(self, name: str) -> None:
        """A new process: it has a name that no other ever had."""
        node_id = NodeId(f"{name}{next(self._numbers)}")
        context = self._loop.context_of(node_id)
        counters = Counters()
        store = ReplicaStore(self._replicas, node_id)
        store.granted = lambda lease, connection: self.history.append(
            Granted(self.now, node_id, connection, lease.room, lease.epoch)
        )
        store.renewed = lambda lease: self.history.append(
            Renewed(self.now, node_id, lease.room, lease.epoch)
        )
        book = Book(
            node=node_id,
            limits=_LIMITS,
            new_id=lambda: f"{next(self._numbers):022d}",
            jitter=self.chance.random,
        )
        hub = Hub(
            AuditedCore(book),
            store,
            counters=counters,
            clock=self._loop.time,
            tick=_TICK,
            mail=NodeMail(self._office, context),
            chance=self.chance,
        )
        await self._loop.create_task(_started(hub), context=context)
        self._nodes[name] = Node(node_id, hub, context, counters)

    def kill_node(self, name: str) -> None:
        """SIGKILL."""
        node = self._nodes.pop(name)
        self.counts += node.counters.totals
        self._loop.kill_node(node.id)
        for socket in node.sockets:
            socket.node_died()

    # ── what goes wrong ──────────────────────────────────────────────────────────────────────

    async def _stop_a_node(self, least: float = 0.5, most: float = 20.0) -> None:
        name = self.chance.choice(sorted(self._nodes))
        node = self._nodes[name].id
        self._loop.stop_node(node)
        await asyncio.sleep(self.chance.uniform(least, most))
        self._loop.continue_node(node)

    async def _kill_a_node(self) -> None:
        name = self.chance.choice(sorted(self._nodes))
        self.kill_node(name)
        await asyncio.sleep(self.chance.uniform(0.1, 3.0))
        await self.start_node(name)

    async def _split_the_store(self) -> None:
        self._replicas.replicate()
        await asyncio.sleep(self.chance.uniform(0.0, 3.0))  # what is written now is lost
        nodes = [node.id for _, node in sorted(self._nodes.items())]
        self._replicas.split(self.chance.sample(nodes, self.chance.randint(1, len(nodes))))
        await asyncio.sleep(self.chance.uniform(1.0, 20.0))
        self._replicas.heal()

    async def _be_silent(self) -> None:
        how = self.chance.choice((self._stop_a_node, self._lose_the_store))
        await how(*_SILENCE)

    async def _lose_the_data(self) -> None:
        self._replicas.lose_everything()

    async def _lose_the_store(self, least: float = 0.5, most: float = 20.0) -> None:
        self._replicas.down = self._office.down = True
        await asyncio.sleep(self.chance.uniform(least, most))
        self._replicas.down = self._office.down = False

    async def _turn_the_store_s_clock(self) -> None:
        self._replicas.clock_offset += self.chance.choice((-1, 1)) * self.chance.uniform(1, 60)

    async def _trouble_calls(self) -> None:
        self._replicas.unreliable = self.chance.uniform(0.05, 0.5)
        await asyncio.sleep(self.chance.uniform(1.0, 15.0))
        self._replicas.unreliable = 0.0

    async def _trouble_letters(self) -> None:
        self._office.trouble = self.chance.uniform(0.05, 0.5)
        await asyncio.sleep(self.chance.uniform(1.0, 15.0))
        self._office.trouble = 0.0

    async def _troubles(self, *, long: bool) -> None:
        troubles = (
            self._stop_a_node,
            self._kill_a_node,
            self._split_the_store,
            self._lose_the_data,
            self._lose_the_store,
            self._turn_the_store_s_clock,
            self._trouble_calls,
            self._trouble_letters,
        )
        chosen = self.chance.choices(troubles, k=self.chance.randint(1, 6))
        if long:
            chosen.insert(self.chance.randrange(2), self._be_silent)
        for trouble in chosen:
            await asyncio.sleep(self.chance.uniform(0.5, 4.0))
            await trouble()

    async def _calm_down(self) -> None:
        """Everything works again, and nobody goes."""
        for node in self._nodes.values():
            self._loop.continue_node(node.id)
        for name in self._names:
            if name not in self._nodes:
                await self.start_node(name)
        self._replicas.heal()
        self._replicas.down = self._office.down = False
        self._replicas.unreliable = self._office.trouble = 0.0
        self.calm = True
        await asyncio.sleep(_CALM)
        self.unserved = [person.name for person in self._residents if self._waits(person)]

    def _waits(self, person: Person) -> bool:
        """Whether it is there, is not served, and does not hear why."""
        long_ago = self.now - _SERVED
        claiming = [p for p in self._residents if isinstance(p, Camera) and p.room == person.room]
        if len(claiming) != 1 or person.socket is None:  # several take it from each other
            return False
        (camera,) = claiming
        if isinstance(person, Viewer):
            return bool(camera.epoch) and camera.holds_since < long_ago > person.heard_at
        return person is camera and not camera.epoch

    # ── the run ──────────────────────────────────────────────────────────────────────────────

    def _people(self) -> Iterator[Person]:
        rooms = list(_CAMERAS)[: 4 if self.chance.random() < _MANY_ROOMS else 2]
        for room in rooms:
            yield Camera(self, f"camera-of-{room}", room, _CAMERAS[room])
        if self.chance.random() < 0.5:
            yield Camera(self, "twin", KEY_ROOM, _ANNA)
        yield from self._villains()
        for number in range(self.chance.randint(2, 4)):
            yield Viewer(self, f"viewer-{number}", self.chance.choice(rooms))

    def _villains(self) -> Iterator[Person]:
        mallory = KEYS["mallory"]
        if self.chance.random() < 0.5:
            yield Thief(self, "thief", KEY_ROOM, Owner("mallory", mallory, _LABEL))
        if self.chance.random() < 0.3:  # who knows the viewers' secret could show them anything
            yield Thief(self, "squatter", OPEN_ROOM, Owner("mallory", mallory, secret="guessed"))
        if self.chance.random() < 0.2:
            yield Juggler(self, "juggler", (KEY_ROOM, OPEN_ROOM))

    async def run(self) -> None:
        """Everything, until its time is over."""
        for name in self._names:
            await self.start_node(name)
        self._residents = list(self._people())
        for person in self._residents:
            self.later(self.chance.uniform(0, 1.5), person.comes)
        kind = self.chance.random()
        long = kind < _MANY_LONG
        calm = self._ends_calmly or kind < _MANY_LONG + _MANY_CALM
        troubles = asyncio.create_task(self._troubles(long=long))
        await asyncio.sleep(_LONG if long else self.chance.choice(LENGTHS))
        troubles.cancel()
        if calm:
            await self._calm_down()
        self._over = True
        for node in self._nodes.values():
            self.counts += node.counters.totals

    @property
    def owners(self) -> Owners:
        """Whose the rooms are, for the checker."""
        secrets = {room: owner.name for room, owner in _CAMERAS.items()}
        return Owners({KEY_ROOM: "anna", CARLS_ROOM: "carl"}, secrets)


async def _started(hub: Hub) -> None:
    hub.start()


@contextmanager
def _switched(*, fenced: bool, checks_keys: bool) -> Iterator[None]:
    with ExitStack() as stack:
        if not fenced:
            stack.enter_context(patch.object(fencing, "admits", lambda *_: True))
            stack.enter_context(patch.object(cameras, "stale", lambda *_: False))
        if not checks_keys:
            stack.enter_context(patch.object(identity, "is_key_room", lambda _room: False))
        yield


def simulate(
    seed: int, *, fenced: bool = True, checks_keys: bool = True, calm: bool = False
) -> Outcome:
    """Runs this seed; ``calm`` lets it end so, whatever the seed says.

    ``fenced`` and ``checks_keys`` are switched off by those who want to see the checker fail.
    """
    loop = VirtualLoop()
    with _switched(fenced=fenced, checks_keys=checks_keys):
        simulation = Simulation(seed, loop, checks_keys=checks_keys, calm=calm)
        loop.run_until_complete(simulation.run())
    loop.finish()
    never = [f"{name} was counted" for name in _NEVER if simulation.counts[name]]
    never += [f"{name} was left waiting in the calm" for name in simulation.unserved]
    return Outcome(
        seed,
        check(simulation.history, simulation.owners),
        [*loop.defects, *never],
        len(simulation.history),
        simulation.counts,
        simulation.history,
    )
