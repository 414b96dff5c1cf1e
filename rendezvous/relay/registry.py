"""The store, asked on behalf of the core: claims and look-ups are answered with facts.

Releases and renewals are answered to nobody, so nobody waits for them: time passes on while the
store is slow.
"""

import asyncio
import logging
import secrets
from collections.abc import Coroutine
from typing import Any, TypeAlias

from rendezvous.program.logs import room_hash
from rendezvous.relay.counters import Counters
from rendezvous.rooms.admission import ROOM_UNAVAILABLE
from rendezvous.rooms.effects import ClaimRoom, LookUpRoom, ReleaseRoom
from rendezvous.rooms.facts import (
    ClaimRefused,
    ConnectionFailed,
    Fact,
    RoomClaimed,
    RoomLookedUp,
    StoreFailed,
)
from rendezvous.stores.contract import (
    Claimant,
    Lease,
    RoomTakenError,
    Store,
    StoreUnavailableError,
    TooManyRoomsError,
)
from rendezvous.wire.identity import NodeId, RoomId
from rendezvous.wire.messages import ErrorCode

log = logging.getLogger(__name__)

_RENEW_EVERY = 5.0  # seconds; a third of a lease's life

Question: TypeAlias = ClaimRoom | LookUpRoom
"""An effect that only the store can answer; the answer is a fact."""


class Registry:
    """Puts the core's questions to the store, and counts its failures."""

    def __init__(self, store: Store, counters: Counters) -> None:
        self._store = store
        self._counters = counters
        self._node = NodeId(secrets.token_urlsafe(16))
        self._renew_at = 0.0
        self._renewal: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def ask(self, question: Question) -> Fact:
        """The store's answer, or that it has none; never raises."""
        try:
            if isinstance(question, ClaimRoom):
                return await self._claim(question)
            return await self._look_up(question)
        except StoreUnavailableError as error:
            self._count_failure(error)
            return StoreFailed(question.connection)
        except Exception:
            log.exception("A defect of the store")
            sentence = "A defect of the server."
            return ConnectionFailed(question.connection, ErrorCode.INTERNAL, sentence)

    def release(self, effect: ReleaseRoom) -> None:
        """The camera of this epoch is gone; its connection is, too, and waits for no answer."""
        self._spawn(self._quietly(self._store.release(Lease(effect.room, effect.epoch))))

    def renew(self, leases: tuple[Lease, ...], now: float) -> None:
        """These rooms have cameras; passed on in time, and never while the last one runs."""
        if now >= self._renew_at and (self._renewal is None or self._renewal.done()):
            self._renew_at = now + _RENEW_EVERY
            self._renewal = self._spawn(self._quietly(self._store.renew(leases)))

    async def stop(self) -> None:
        """Waits until the store knows who has gone. Idempotent."""
        if self._renewal is not None:
            self._renewal.cancel()  # the next start renews
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _claim(self, question: ClaimRoom) -> Fact:
        claim = question.claim
        if not question.permitted:
            await self._store.look_up(RoomId(claim.room))
            return _unavailable(question)
        try:
            claimant = Claimant(question.owner, self._node, question.connection)
            claimed = await self._store.claim(RoomId(claim.room), claimant, claim.verifier)
        except RoomTakenError:
            return _unavailable(question)
        except TooManyRoomsError as error:
            return ClaimRefused(question.connection, ErrorCode.TOO_MANY_ROOMS, str(error))
        log.debug("Room %s has its camera (epoch %d)", room_hash(claim.room), claimed.epoch)
        return RoomClaimed(question.connection, claim, claimed.epoch)

    async def _look_up(self, question: LookUpRoom) -> Fact:
        found = await self._store.look_up(RoomId(question.join.room))
        return RoomLookedUp(
            question.connection,
            question.join,
            known=found is not None,
            verifier=found.verifier if found else None,
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


def _unavailable(question: ClaimRoom) -> ClaimRefused:
    return ClaimRefused(question.connection, ErrorCode.ROOM_UNAVAILABLE, ROOM_UNAVAILABLE)
