"""The store, asked on behalf of the core: claims and look-ups are answered with facts.

Nobody waits for releases and renewals: time passes on while the store is slow. With several nodes
a claim is a lease: it is believed until its time is over by our own clock, counted from when it
was asked for, and less a margin.
"""

import asyncio
import logging
import math
import random
import secrets
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias

from rendezvous.program.logs import room_hash
from rendezvous.relay.counters import Counters
from rendezvous.rooms.admission import ROOM_UNAVAILABLE
from rendezvous.rooms.effects import ClaimRoom, LookUpRoom, ReleaseRoom
from rendezvous.rooms.facts import (
    ClaimRefused,
    ConnectionFailed,
    Fact,
    Home,
    LeaseLost,
    LeasesRenewed,
    RoomClaimed,
    RoomLookedUp,
    StoreFailed,
)
from rendezvous.stores.contract import (
    TTL,
    Binding,
    Claimant,
    Claimed,
    Lease,
    RoomTakenError,
    Store,
    StoreUnavailableError,
    TooManyRoomsError,
)
from rendezvous.wire.identity import NodeId, RoomId
from rendezvous.wire.messages import ErrorCode

log = logging.getLogger(__name__)

_MARGIN = 0.1  # of a lease's life: clocks may run a little faster at one end
_RENEWALS = 3  # in a lease's life, so that two may fail
_RENEW_AGAIN = 1.0  # seconds, when one has failed
_MOST_RENEWED = 1_000  # rooms in one question
_MOST_RELEASED = 400  # rooms at one time: each call's deadline begins when it is lined up
_FAREWELL = 5.0  # seconds for releases at the end; a lease that was not released runs out

Question: TypeAlias = ClaimRoom | LookUpRoom
"""An effect that only the store can answer; the answer is a fact."""


class Registry:
    """Puts the core's questions to the store, and counts its failures."""

    def __init__(
        self,
        store: Store,
        counters: Counters,
        *,
        node: NodeId | None,
        clock: Callable[[], float],
        chance: random.Random,
        hear: Callable[[Fact], None],
    ) -> None:
        self._store = store
        self._counters = counters
        self._alone = node is None
        self._node = node or NodeId(secrets.token_urlsafe(16))
        self._clock = clock
        self._chance = chance
        self._hear = hear
        self._ttl = TTL
        self._renew_at = 0.0
        self._renewal: asyncio.Task[None] | None = None
        self._releases = asyncio.Semaphore(_MOST_RELEASED)
        self._tasks: set[asyncio.Task[None]] = set()

    async def ask(self, question: Question) -> Fact:
        """The store's answer, or that it has none; never raises."""
        try:
            if isinstance(question, ClaimRoom):
                return await self._claim(question)
            return await self._look_up(question)
        except StoreUnavailableError as error:
            self._count_failure(error)
            seat = question.seat if isinstance(question, LookUpRoom) else 0
            return StoreFailed(question.connection, seat)
        except Exception:
            log.exception("A defect of the store")
            sentence = "A defect of the server."
            return ConnectionFailed(question.connection, ErrorCode.INTERNAL, sentence)

    def release(self, effect: ReleaseRoom) -> None:
        """The camera of this epoch is gone; its connection is, too, and waits for no answer."""
        self._spawn(self._quietly(self._release(Lease(effect.room, effect.epoch))))

    def renew(self, held: Callable[[], tuple[Lease, ...]], now: float) -> None:
        """Rooms that have cameras: asked for when it is time, and never while the last one runs."""
        if now >= self._renew_at and (self._renewal is None or self._renewal.done()):
            self._renew_at = now + self._ttl / _RENEWALS * self._chance.uniform(0.8, 1.2)
            self._renewal = self._spawn(self._quietly(self._renew(held())))

    async def stop(self) -> None:
        """Waits until the store knows who has gone, or has had the time for it. Idempotent."""
        if self._renewal is not None:
            self._renewal.cancel()  # the next start renews
        if tasks := tuple(self._tasks):
            _, late = await asyncio.wait(tasks, timeout=_FAREWELL)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _release(self, lease: Lease) -> None:
        async with self._releases:
            await self._store.release(lease)

    async def _renew(self, leases: tuple[Lease, ...]) -> None:
        for first in range(0, len(leases) or 1, _MOST_RENEWED):
            some, asked_at = leases[first : first + _MOST_RENEWED], self._clock()
            try:
                lost = await self._store.renew(some)
            except StoreUnavailableError:
                self._renew_at = asked_at + _RENEW_AGAIN
                raise
            if not self._alone:
                self._report(some, lost, asked_at)

    def _report(self, leases: tuple[Lease, ...], lost: frozenset[Lease], asked_at: float) -> None:
        kept = {lease.room: lease.epoch for lease in leases if lease not in lost}
        self._hear(LeasesRenewed(kept, self._until(asked_at)))
        for lease in leases:
            if lease in lost:
                self._hear(LeaseLost(lease.room, lease.epoch))

    def _until(self, asked_at: float) -> float:
        return math.inf if self._alone else asked_at + self._ttl * (1 - _MARGIN)

    async def _claim(self, question: ClaimRoom) -> Fact:
        claim = question.claim
        if not question.permitted:
            await self._store.look_up(RoomId(claim.room))
            return _unavailable(question)
        asked_at = self._clock()
        try:
            claimant = Claimant(question.owner, self._node, question.connection, question.newest)
            claimed = await self._store.claim(RoomId(claim.room), claimant, claim.verifier)
        except RoomTakenError:
            return _unavailable(question)
        except TooManyRoomsError as error:
            return ClaimRefused(question.connection, ErrorCode.TOO_MANY_ROOMS, str(error))
        log.debug("Room %s has its camera (epoch %d)", room_hash(claim.room), claimed.epoch)
        self._ttl = claimed.ttl
        self._renew_at = min(self._renew_at, asked_at + claimed.ttl / _RENEWALS)
        until, interested = self._until(asked_at), self._interested(claimed)
        return RoomClaimed(
            question.connection, question.owner, claim, claimed.epoch, until, interested
        )

    def _interested(self, claimed: Claimed) -> tuple[NodeId, ...]:
        previous = {claimed.previous.node} if claimed.previous is not None else set()
        return tuple(sorted(claimed.watchers.union(previous) - {self._node}))

    async def _look_up(self, question: LookUpRoom) -> Fact:
        found = await self._store.look_up(RoomId(question.join.room))
        return RoomLookedUp(
            question.connection,
            question.join,
            known=found is not None,
            verifier=found.verifier if found else None,
            home=_home(found),
            seat=question.seat,
        )

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _quietly(self, work: Coroutine[Any, Any, object]) -> None:
        try:
            await work
        except StoreUnavailableError as error:
            self._count_failure(error)
        except Exception:
            log.exception("A defect of the store")

    def _count_failure(self, error: StoreUnavailableError) -> None:
        self._counters.add("store_failed")
        log.debug("The store failed: %s", error)


def _home(found: Binding | None) -> Home | None:
    if found is None or found.holder is None:
        return None
    return Home(found.holder.node, found.holder.epoch, found.owner)


def _unavailable(question: ClaimRoom) -> ClaimRefused:
    return ClaimRefused(question.connection, ErrorCode.ROOM_UNAVAILABLE, ROOM_UNAVAILABLE)
