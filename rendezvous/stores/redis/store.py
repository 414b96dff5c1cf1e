"""The store of many nodes: each step is a script, so that nothing comes between its parts.

A room's keys are in one slot of a Cluster and its owner's list of rooms is in another. So a new
name is enrolled in the list before it is bound, and what is enrolled in vain counts for two days.
"""

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from rendezvous.program.errors import ProgramError
from rendezvous.stores.contract import (
    RETENTION,
    ROOMS_PER_OWNER,
    TTL,
    Binding,
    Claimant,
    Claimed,
    Holder,
    Lease,
    Place,
    RoomTakenError,
    StoreUnavailableError,
)
from rendezvous.stores.redis import keys
from rendezvous.stores.redis.address import RedisAddress
from rendezvous.stores.redis.check import require_fitness
from rendezvous.stores.redis.enrolment import Enrolments
from rendezvous.stores.redis.link import DEADLINE, Arguments, Keys, RedisLink, Reply
from rendezvous.stores.redis.script import Script
from rendezvous.wire.identity import ConnectionId, NodeId, Owner, RoomId


def _script(name: str) -> Script:
    return Script(Path(__file__).parent / "scripts" / f"{name}.lua")


_CLAIM = _script("claim")
_LOOK_UP = _script("look_up")
_RENEW = _script("renew")
_RELEASE = _script("release")
_TAKE_PLACE = _script("take_place")
_GIVE_PLACE = _script("give_place")
_BEAT = _script("beat")
_ALIVE = _script("alive")

_SPREAD = 1_000  # epochs: a millisecond's, so that a clock that is behind catches up


class RedisStore:
    """Rooms in Redis, for any number of nodes.

    ``deadline``: seconds that anybody waits for an answer of Redis's.
    With ``replicas`` a claim is answered when that many have it. With ``open_rooms`` names may be
    chosen, which a Redis that loses its data gives away. ``on_confusion`` is called when Redis
    mixed up its replies: the process shall end.
    """

    def __init__(
        self,
        address: RedisAddress,
        *,
        replicas: int = 0,
        open_rooms: bool = True,
        retention: float = RETENTION,
        rooms_per_owner: int = ROOMS_PER_OWNER,
        ttl: float = TTL,
        deadline: float = DEADLINE,
        on_confusion: Callable[[ProgramError], None],
    ) -> None:
        self.address = address
        self._replicas = replicas
        self._open_rooms = open_rooms
        self._ttl = ttl
        self._ttl_ms = _ms(ttl)
        self._name_ms = _ms(retention)
        self._floor = 0
        self._deadline = deadline
        self._link = RedisLink(
            address, replicas=replicas, deadline=deadline, on_confusion=on_confusion
        )
        self._enrolments = Enrolments(self._link, self._name_ms, rooms_per_owner)

    async def start(self) -> None:
        """Connects; raises UnavailableError or SettingsError when this Redis will not do."""
        await require_fitness(
            self.address,
            replicas=self._replicas,
            open_rooms=self._open_rooms,
            patience=self._deadline,
        )
        self._link.start()

    async def stop(self) -> None:
        """Closes the connection."""
        await self._enrolments.stop()
        await self._link.stop()

    # ── rooms ────────────────────────────────────────────────────────────────────────────────

    async def claim(self, room: RoomId, claimant: Claimant, verifier: str | None) -> Claimed:
        """See the contract."""
        outcome, *granted = await self._claim(room, claimant, verifier, may_bind=False)
        if outcome == "unbound":
            await self._enrolments.reserve(room, claimant.owner)
            outcome, *granted = await self._claim(room, claimant, verifier, may_bind=True)
        if outcome == "taken":
            raise RoomTakenError(room)
        if outcome != "granted":
            raise StoreUnavailableError(
                f"There are no epochs left: {self.address}'s clock is wrong."
            )
        epoch, enrol, *previous = granted[:5]
        self._floor = max(self._floor, int(epoch))
        if enrol == "1":
            self._enrolments.enrol_soon([(room, claimant.owner)])
        return Claimed(
            int(epoch), self._ttl, _holder(previous), frozenset(map(NodeId, granted[5:]))
        )

    async def _claim(
        self, room: RoomId, claimant: Claimant, verifier: str | None, *, may_bind: bool
    ) -> Reply:
        # Two primaries that both believe in themselves, with clocks that stepped back, must not
        # count the same epochs up.
        step = 1 + secrets.randbelow(_SPREAD)
        return await self._link.run(
            _CLAIM,
            keys.of_room(room)[:3],
            *(claimant.owner, verifier or "", claimant.node, claimant.connection),
            *(max(self._floor, claimant.newest), step, int(may_bind)),
            *(self._ttl_ms, self._name_ms, self._enrolments.every_ms),
            durable=True,
        )

    async def look_up(self, room: RoomId) -> Binding | None:
        """See the contract."""
        return (await self._look_up([room], ""))[0]

    async def watch(self, rooms: Iterable[RoomId], node: NodeId) -> Mapping[RoomId, Binding]:
        """See the contract."""
        found = await self._look_up(tuple(rooms), node)
        return {binding.room: binding for binding in found if binding is not None}

    async def _look_up(self, rooms: Sequence[RoomId], node: str) -> list[Binding | None]:
        calls = [(keys.of_room(room)[:3], (node, self._ttl_ms)) for room in rooms]
        replies = await self._link.run_all(_LOOK_UP, calls)
        return [_binding(room, reply) for room, reply in zip(rooms, replies, strict=True)]

    async def renew(self, leases: Iterable[Lease]) -> frozenset[Lease]:
        """See the contract."""
        asked = tuple(leases)
        replies = await self._link.run_all(_RENEW, [self._renewal(lease) for lease in asked])
        held = [
            (lease.room, Owner(owner))
            for lease, (_, owner) in zip(asked, replies, strict=True)
            if owner
        ]
        self._enrolments.enrol_soon(held)
        return frozenset(
            lease for lease, (outcome, _) in zip(asked, replies, strict=True) if outcome == "lost"
        )

    def _renewal(self, lease: Lease) -> tuple[Keys, Arguments]:
        times = (self._ttl_ms, self._name_ms, self._enrolments.due_after(lease.room))
        return keys.of_room(lease.room)[:2], (lease.epoch, *times)

    async def release(self, lease: Lease) -> None:
        """See the contract."""
        both = keys.of_room(lease.room)[:2]
        await self._link.run(_RELEASE, both, lease.epoch, self._name_ms)

    # ── places and nodes ─────────────────────────────────────────────────────────────────────

    async def take_place(self, place: Place, most: int) -> bool:
        """See the contract."""
        where = (keys.of_room(place.room).places,)
        (outcome,) = await self._link.run(_TAKE_PLACE, where, place.viewer, most, self._ttl_ms)
        return outcome == "taken"

    async def keep_places(self, places: Iterable[Place]) -> None:
        """See the contract."""
        calls = [((keys.of_room(p.room).places,), (p.viewer, "", self._ttl_ms)) for p in places]
        await self._link.run_all(_TAKE_PLACE, calls)

    async def give_place(self, place: Place) -> None:
        """See the contract."""
        await self._link.run(_GIVE_PLACE, (keys.of_room(place.room).places,), place.viewer)

    async def beat(self, node: NodeId) -> None:
        """See the contract."""
        await self._link.run(_BEAT, (keys.of_node(node),), self._ttl_ms)

    async def alive(self, nodes: Iterable[NodeId]) -> frozenset[NodeId]:
        """See the contract."""
        asked = tuple(nodes)
        replies = await self._link.run_all(_ALIVE, [((keys.of_node(node),), ()) for node in asked])
        return frozenset(
            node for node, (there,) in zip(asked, replies, strict=True) if there == "1"
        )


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def _binding(room: RoomId, reply: Reply) -> Binding | None:
    if reply == ["unknown"]:
        return None
    _, owner, verifier, epoch, *holder = reply
    return Binding(room, Owner(owner), verifier or None, int(epoch), _holder(holder))


def _holder(parts: Sequence[str]) -> Holder | None:
    node, connection, epoch = parts
    return Holder(NodeId(node), ConnectionId(connection), int(epoch)) if node else None
