"""A store as the contract promises it, with everything that goes wrong behind it.

Each node has a client; clients talk to a replica. When the store is split, some talk to the old
primary and some to a promoted replica that lacks the last writes; when it heals, what the old one
granted meanwhile is thrown away. Answers come late or never, and a call that failed may still take
effect afterwards.
"""

import asyncio
import copy
import random
from collections.abc import Callable, Iterable, Mapping
from contextvars import Context
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

from rendezvous.stores.contract import (
    TTL,
    Binding,
    Claimant,
    Claimed,
    Lease,
    Place,
    RoomTakenError,
    StoreUnavailableError,
)
from rendezvous.stores.leases import Leases
from rendezvous.wire.identity import ConnectionId, NodeId, RoomId

_EPOCH_OF_TIME = 1_800_000_000.0  # seconds since 1970 when a run's time is 0
_TIMEOUT = 1.0  # seconds that a client waits
_SLOWEST = 0.05  # seconds on the way, each way
_LATEST = 4.0  # seconds, for a call that has failed
_SPREAD = 1_000  # epochs: two primaries whose clocks stepped back do not count the same ones up
_TAKES_EFFECT = 0.5  # of the calls that fail

_T = TypeVar("_T")


@dataclass(slots=True)
class Replica:
    """One copy of the data."""

    bindings: dict[RoomId, Binding] = field(default_factory=dict)
    leases: Leases = field(default_factory=lambda: Leases(TTL))
    checks_keys: bool = True

    def claim(
        self,
        room: RoomId,
        claimant: Claimant,
        verifier: str | None,
        least: tuple[int, int],
        now: float,
    ) -> Claimed:
        """As the contract says, and above what the client has seen, as the Redis store does it.

        ``least``: the newest epoch that the client has seen, and the step above what is known.
        """
        bound = self.bindings.get(room)
        if bound is not None and bound.owner != claimant.owner and self.checks_keys:
            raise RoomTakenError(room)
        epoch = self.leases.epoch_of(room, claimant, now)
        if epoch is None or bound is None or bound.epoch != epoch:
            floor, step = least
            known = max(bound.epoch if bound else 0, self._held_epoch(room, now), floor)
            clock = int((_EPOCH_OF_TIME + now) * 1e6)
            epoch = clock if clock > known else known + step
        self.bindings[room] = Binding(room, claimant.owner, verifier, epoch)
        previous = self.leases.grant(room, claimant, epoch, now)
        return Claimed(epoch, TTL, previous, self.leases.watchers(room, now))

    def _held_epoch(self, room: RoomId, now: float) -> int:
        held = self.leases.holder(room, now)
        return held.epoch if held else 0

    def look_up(self, room: RoomId, now: float) -> Binding | None:
        """As the contract says."""
        bound = self.bindings.get(room)
        return bound and replace(bound, holder=self.leases.holder(room, now))

    def watch(self, rooms: Iterable[RoomId], node: NodeId, now: float) -> Mapping[RoomId, Binding]:
        """As the contract says."""
        found = {}
        for room in rooms:
            if (binding := self.look_up(room, now)) is not None:
                self.leases.watch(room, node, now)
                found[room] = binding
        return found


class Replicas:
    """The primary, what was replicated of it, and what the clients of some nodes still talk to."""

    def __init__(self, chance: random.Random, *, checks_keys: bool = True) -> None:
        self.chance = chance
        self.primary = Replica(checks_keys=checks_keys)
        self.replicated = copy.deepcopy(self.primary)
        self.stale: dict[NodeId, Replica] = {}
        self.down = False
        self.unreliable = 0.0
        """How likely a call fails, which does not say that it takes no effect."""
        self.clock_offset = 0.0

    def at(self, node: NodeId) -> Replica:
        """The one that this node's client talks to."""
        return self.stale.get(node, self.primary)

    def replicate(self) -> None:
        """What was written so far survives the next failover."""
        self.replicated = copy.deepcopy(self.primary)

    def split(self, stale_nodes: Iterable[NodeId]) -> None:
        """A replica is promoted; these nodes do not notice."""
        old, self.primary = self.primary, self.replicated
        self.stale = dict.fromkeys(stale_nodes, old)
        self.replicate()

    def heal(self) -> None:
        """Everybody sees the same one again; the old one's data is thrown away."""
        self.stale = {}

    def lose_everything(self) -> None:
        """Somebody has flushed it, or a disk is gone."""
        self.primary = Replica(checks_keys=self.primary.checks_keys)
        self.stale = {}
        self.replicate()


class ReplicaStore:
    """The client of one node; see stores.contract.Store."""

    def __init__(self, replicas: Replicas, node: NodeId) -> None:
        self._replicas = replicas
        self._node = node
        self._outside = Context()
        self._floor = 0
        self.granted: Callable[[Lease, ConnectionId], None] = lambda _lease, _connection: None
        self.renewed: Callable[[Lease], None] = lambda _lease: None

    async def start(self) -> None:
        """There is nothing to make ready."""

    async def stop(self) -> None:
        """Nor to give back."""

    async def _call(self, work: Callable[[Replica, float], _T]) -> _T:
        loop, chance, replicas = asyncio.get_running_loop(), self._replicas.chance, self._replicas
        failing = replicas.down or chance.random() < replicas.unreliable
        answer: asyncio.Future[_T] = loop.create_future()
        if not failing:
            self._later(chance.uniform(0, _SLOWEST), self._serve, work, answer)
            return await answer
        if not replicas.down and chance.random() < _TAKES_EFFECT:
            # What nobody waits for any more may still be on its way.
            self._later(chance.uniform(0, _LATEST), self._serve, work, None)
        given_up = StoreUnavailableError("It does not answer.")
        self._later(_TIMEOUT, _unless_done, answer, partial(_fail, answer, given_up))
        return await answer

    def _serve(
        self, work: Callable[[Replica, float], _T], answer: "asyncio.Future[_T] | None"
    ) -> None:
        replicas = self._replicas
        now = asyncio.get_running_loop().time() + replicas.clock_offset
        settle: Callable[[], None] | None = None
        try:
            result = work(replicas.at(self._node), now)
        except RoomTakenError as error:
            settle = partial(_fail, answer, error) if answer else None
        else:
            settle = partial(answer.set_result, result) if answer else None
        if answer is not None and settle is not None:
            self._later(replicas.chance.uniform(0, _SLOWEST), _unless_done, answer, settle)

    def _later(self, delay: float, what: Callable[..., None], *arguments: Any) -> None:
        # Outside of the node: a node that is stopped does not stop the network.
        asyncio.get_running_loop().call_later(delay, what, *arguments, context=self._outside)

    async def claim(self, room: RoomId, claimant: Claimant, verifier: str | None) -> Claimed:
        """See the contract."""
        least = max(self._floor, claimant.newest), 1 + self._replicas.chance.randrange(_SPREAD)
        claimed = await self._call(
            lambda replica, now: replica.claim(room, claimant, verifier, least, now)
        )
        self._floor = max(self._floor, claimed.epoch)
        self.granted(Lease(room, claimed.epoch), claimant.connection)
        return claimed

    async def look_up(self, room: RoomId) -> Binding | None:
        """See the contract."""
        return await self._call(lambda replica, now: replica.look_up(room, now))

    async def renew(self, leases: Iterable[Lease]) -> frozenset[Lease]:
        """See the contract."""
        asked = tuple(leases)
        lost = await self._call(
            lambda replica, now: frozenset(
                lease for lease in asked if not replica.leases.renew(lease, now)
            )
        )
        for lease in asked:
            if lease not in lost:
                self.renewed(lease)
        return lost

    async def release(self, lease: Lease) -> None:
        """See the contract."""
        await self._call(lambda replica, _now: replica.leases.release(lease))

    async def watch(self, rooms: Iterable[RoomId], node: NodeId) -> Mapping[RoomId, Binding]:
        """See the contract."""
        wanted = tuple(rooms)
        return await self._call(lambda replica, now: replica.watch(wanted, node, now))

    async def take_place(self, place: Place, most: int) -> bool:
        """See the contract."""
        return await self._call(lambda replica, now: replica.leases.take_place(place, most, now))

    async def keep_places(self, places: Iterable[Place]) -> None:
        """See the contract."""
        kept = tuple(places)

        def keep(replica: Replica, now: float) -> None:
            for place in kept:
                replica.leases.keep_place(place, now)

        await self._call(keep)

    async def give_place(self, place: Place) -> None:
        """See the contract."""
        await self._call(lambda replica, _now: replica.leases.give_place(place))

    async def beat(self, node: NodeId) -> None:
        """See the contract."""
        await self._call(lambda replica, now: replica.leases.beat(node, now))

    async def alive(self, nodes: Iterable[NodeId]) -> frozenset[NodeId]:
        """See the contract."""
        asked = tuple(nodes)
        return await self._call(lambda replica, now: replica.leases.alive(asked, now))


def _fail(answer: "asyncio.Future[Any]", error: Exception) -> None:
    answer.set_exception(error)
    answer.exception()  # who was killed meanwhile will not look


def _unless_done(answer: "asyncio.Future[Any]", settle: Callable[[], None]) -> None:
    if not answer.done():
        settle()
