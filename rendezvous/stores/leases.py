"""Everything that lives for ``TTL`` unless it is renewed, in the memory of one process.

Synchronous and without a clock of its own: whoever calls says what time it is, in seconds that
only grow.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from rendezvous.stores.contract import Claimant, Holder, Lease, Place
from rendezvous.wire.identity import ConnectionId, NodeId, RoomId

K = TypeVar("K", bound=Hashable)


class Expiring(Generic[K]):
    """A set whose members leave by themselves."""

    def __init__(self) -> None:
        self._until: dict[K, float] = {}

    def keep(self, member: K, until: float) -> None:
        """It is a member, until then."""
        self._until[member] = until

    def discard(self, member: K) -> None:
        """It is none any more."""
        self._until.pop(member, None)

    def members(self, now: float) -> frozenset[K]:
        """Those that are left; the others are forgotten."""
        self._until = {member: until for member, until in self._until.items() if until > now}
        return frozenset(self._until)


@dataclass(slots=True)
class _Held:
    holder: Holder
    previous: Holder | None
    until: float


class Leases:
    """Leases, places, watches and beats."""

    def __init__(self, ttl: float) -> None:
        self._ttl = ttl
        self._held: dict[RoomId, _Held] = {}
        self._places: defaultdict[RoomId, Expiring[ConnectionId]] = defaultdict(Expiring)
        self._watchers: defaultdict[RoomId, Expiring[NodeId]] = defaultdict(Expiring)
        self._nodes: Expiring[NodeId] = Expiring()

    # ── leases ───────────────────────────────────────────────────────────────────────────────

    def holder(self, room: RoomId, now: float) -> Holder | None:
        """Whose lease is alive."""
        held = self._alive(room, now)
        return held.holder if held else None

    def epoch_of(self, room: RoomId, claimant: Claimant, now: float) -> int | None:
        """The epoch of the lease that this very connection has."""
        holder = self.holder(room, now)
        if holder is None or (holder.node, holder.connection) != (
            claimant.node,
            claimant.connection,
        ):
            return None
        return holder.epoch

    def grant(self, room: RoomId, claimant: Claimant, epoch: int, now: float) -> Holder | None:
        """The lease is this connection's; returns whose it was. A higher epoch is left alone."""
        holder = Holder(claimant.node, claimant.connection, epoch)
        held = self._alive(room, now)
        if held is None or held.holder.epoch < epoch:
            previous = held.holder if held else None
        elif held.holder == holder:
            previous = held.previous  # the first answer may have been lost
        else:
            return None
        self._held[room] = _Held(holder, previous, now + self._ttl)
        return previous

    def renew(self, lease: Lease, now: float) -> bool:
        """Whether it was still alive."""
        held = self._alive(lease.room, now)
        if held is None or held.holder.epoch != lease.epoch:
            return False
        held.until = now + self._ttl
        return True

    def release(self, lease: Lease) -> None:
        """It is nobody's, unless it is a later epoch's."""
        held = self._held.get(lease.room)
        if held is not None and held.holder.epoch == lease.epoch:
            del self._held[lease.room]

    def _alive(self, room: RoomId, now: float) -> _Held | None:
        held = self._held.get(room)
        return held if held is not None and held.until > now else None

    # ── watchers, places, nodes ──────────────────────────────────────────────────────────────

    def watch(self, room: RoomId, node: NodeId, now: float) -> None:
        """The node wants to be told."""
        self._watchers[room].keep(node, now + self._ttl)

    def watchers(self, room: RoomId, now: float) -> frozenset[NodeId]:
        """Who wants to be told."""
        return self._watchers[room].members(now) if room in self._watchers else frozenset()

    def take_place(self, place: Place, most: int, now: float) -> bool:
        """Whether there was one."""
        taken = self._places[place.room].members(now)
        if len(taken) >= most and place.viewer not in taken:
            return False
        self.keep_place(place, now)
        return True

    def keep_place(self, place: Place, now: float) -> None:
        """The viewer is there."""
        self._places[place.room].keep(place.viewer, now + self._ttl)

    def give_place(self, place: Place) -> None:
        """The viewer is gone."""
        if place.room in self._places:
            self._places[place.room].discard(place.viewer)

    def beat(self, node: NodeId, now: float) -> None:
        """The node lives."""
        self._nodes.keep(node, now + self._ttl)

    def alive(self, nodes: Iterable[NodeId], now: float) -> frozenset[NodeId]:
        """Those that live."""
        return self._nodes.members(now).intersection(nodes)

    @property
    def size(self) -> int:
        """How many rooms anything is remembered of."""
        return len(self._held.keys() | self._places.keys() | self._watchers.keys())

    def tidy(self, now: float) -> None:
        """Forgets what is over: memory is held by what is alive only."""
        self._held = {room: held for room, held in self._held.items() if held.until > now}
        for table in (self._places, self._watchers):
            for room in [room for room, members in table.items() if not members.members(now)]:
                del table[room]
