"""Connectivity checks between candidates that come at any time (RFC 8445, RFC 8838).

What is done otherwise than in aioice, whose connection this is:

* Checks end when there is a direct pair. While all there is is relayed, direct ones go on being
  checked, and the first that is nominated counts. Stock ends all checks with the first pair, and
  those that were under way can never be tried again.
* A check of the other side sends the one that is under way once more, as RFC 8445 §7.3.1.4 wants
  it sooner than its timer: the first has opened our NAT, and was lost at the other.
* Consent (RFC 7675) is lost after 30 s without an answer, however long an answer takes. Stock
  waits for half a second, which many a way over a satellite or a full uplink takes longer than.
"""

import asyncio
import contextlib
import random
from collections.abc import Callable, Coroutine
from typing import Any, Final

from aioice import stun
from aioice.ice import ICE_COMPLETED, CandidatePair, StunProtocol

from publisher.rtc.ice import candidates
from publisher.rtc.ice.bounded import Bounded
from publisher.rtc.ice.candidates import COMPONENT
from publisher.rtc.ice.nomination import Nominations, is_relayed, outranks

_PACE_SECONDS: Final = 0.02  # between two new checks
_HOPE_SECONDS: Final = 20.0  # for a direct pair, when a relayed one works
_HOPE_PACE_SECONDS: Final = 0.1
_CONSENT_SECONDS: Final = 5.0  # RFC 7675 §5.1, more or less by a fifth
_CONSENT_LOST_SECONDS: Final = 30.0
_CONSENT_RETRANSMISSIONS: Final = 2  # waits 3.5 s
_State = CandidatePair.State


class Checks(Bounded):
    """A connection that never takes its list of checks for complete."""

    _nominated: Nominations
    _requests: dict[CandidatePair, stun.Message]
    _beside: set[asyncio.Task[None]]

    def begin(self, on_heard: Callable[[], None]) -> None:
        """See Bounded."""
        super().begin(on_heard)
        self._nominated = Nominations()
        self._requests = {}
        self._beside = set()

    def start_beside(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs it for as long as the connection is open."""
        task = asyncio.create_task(work)
        self._beside.add(task)
        task.add_done_callback(self._beside.discard)

    async def close(self) -> None:
        """Ends it; idempotent."""
        self._closing = True
        beside = [task for task in self._beside if task is not asyncio.current_task()]
        for task in beside:
            task.cancel()
        if beside:
            await asyncio.wait(beside)
        await super().close()

    async def connect(self) -> None:
        """Until a pair is nominated; raises ConnectionError when it is closed before."""
        if not self._local_candidates_end or not self.remote_password:
            raise ConnectionError("not ready to connect")
        self.revise()
        self.pair_all()
        self._unfreeze_initial()
        for early in self._early_checks:
            self.check_incoming(*early)
        self._early_checks.clear()
        self._early_checks_done = True
        self.start_beside(self._pace())
        if await self._check_list_state.get() != ICE_COMPLETED:
            raise ConnectionError("closed before a pair was found")
        self._query_consent_task = asyncio.create_task(self.query_consent())
        self.start_beside(self._improve())

    def pair_all(self) -> None:
        """Makes the pairs that are missing."""
        for remote in self._remote_candidates:
            self._pair_remote_candidate(remote)
        self.sort_check_list()
        self.trim()

    # ── our checks ───────────────────────────────────────────────────────────────────────────

    async def _pace(self) -> None:
        while not self._check_list_done:
            self._check_next()
            await asyncio.sleep(_PACE_SECONDS)

    async def _improve(self) -> None:
        """Looks on for a direct pair while there is a relayed one; then ends what is left."""
        loop = asyncio.get_running_loop()
        until = loop.time() + _HOPE_SECONDS
        self._nominating.clear()  # a controlling side may nominate once more
        self.pair_all()  # stock has removed those that were not checked yet
        while loop.time() < until and self._could_improve():
            self._check_next()
            await asyncio.sleep(_HOPE_PACE_SECONDS)
        for pair in self._check_list:
            self.give_up(pair)

    def _could_improve(self) -> bool:
        nominated = self._nominated.get(COMPONENT)
        return nominated is not None and is_relayed(nominated)

    def _check_next(self) -> None:
        nominated = self._nominated.get(COMPONENT)
        for state in (_State.WAITING, _State.FROZEN):
            for pair in self._check_list:
                if pair.state is state and (nominated is None or outranks(pair, nominated)):
                    self.check_start_task(pair)
                    return

    def build_request(self, pair: CandidatePair, nominate: bool) -> stun.Message:  # noqa: FBT001
        """As stock; a check's is kept for as long as it is under way."""
        request = super().build_request(pair, nominate)
        request.attributes["PRIORITY"] = candidates.as_peer_reflexive(pair.local_candidate)
        if pair.state is _State.IN_PROGRESS:
            self._requests[pair] = request
        return request

    def under_way(self, pair: CandidatePair) -> stun.Message | None:
        """The request of the pair's check that has no answer yet."""
        return self._requests.get(pair)

    def check_state(self, pair: CandidatePair, state: CandidatePair.State) -> None:
        """As stock."""
        super().check_state(pair, state)
        self._requests.pop(pair, None)

    # ── the other side's ─────────────────────────────────────────────────────────────────────

    def check_incoming(
        self, message: stun.Message, addr: tuple[str, int], protocol: StunProtocol
    ) -> None:
        """See Bounded."""
        nominated = self._nominated.get(COMPONENT)
        for pair in self._check_list:
            if pair.protocol is protocol and pair.remote_addr == addr:
                if pair is nominated:
                    self._nominated.note_life()
                if request := self.under_way(pair):
                    protocol.send_stun(request, addr)
        super().check_incoming(message, addr, protocol)

    # ── consent ──────────────────────────────────────────────────────────────────────────────

    async def query_consent(self) -> None:
        """Asks for as long as it is answered; then closes."""
        with contextlib.suppress(TimeoutError):
            while True:
                async with asyncio.timeout(_CONSENT_LOST_SECONDS):
                    await self._consent()
                self._on_heard()
        self._query_consent_task = None  # close() would wait for it
        await self.close()

    async def _consent(self) -> None:
        """Until it is given."""
        consents = False
        while not consents:
            await asyncio.sleep(_CONSENT_SECONDS * random.uniform(0.8, 1.2))  # noqa: S311
            pair = self._nominated.get(COMPONENT)
            consents = pair is not None and await self._consents(pair)

    async def _consents(self, pair: CandidatePair) -> bool:
        try:
            await pair.protocol.request(
                self.build_request(pair, nominate=False),
                pair.remote_addr,
                integrity_key=(self.remote_password or "").encode(),
                retransmissions=_CONSENT_RETRANSMISSIONS,
            )
        except stun.TransactionError:
            return False
        return True
